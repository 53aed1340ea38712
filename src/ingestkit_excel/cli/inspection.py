"""Commands that look into a workbook before it is ingested, and into stores afterwards."""

import re
from dataclasses import asdict
from pathlib import Path

from ingestkit_excel.backends import (
    BundleStore,
    EmbeddedStore,
    QueryResult,
    SQLiteStore,
    export_bundles,
    open_store,
)
from ingestkit_excel.classification import classify_workbook
from ingestkit_excel.cli.output import advise, counted, counting, print_json, print_table, printable
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode
from ingestkit_excel.parsing import parse_workbook, profile_workbook

__all__ = ["export", "prune", "query_store", "search_store", "show_workbook"]

_SOURCE_DIRECTORY = re.compile(r"[0-9a-f]{32}")
_SHOW_TITLES = ("sheet", "kind", "range", "rows", "columns", "header", "reader", "hidden")


def show_workbook(path: Path, config: ExcelProcessorConfig, *, as_json: bool) -> None:
    """Print what each sheet of a workbook is taken for.

    Raises:
        ParseError: It cannot be read.
        ClassificationError: A sheet stays open and the policy is to fail closed.
    """
    workbook = parse_workbook(str(path), config)
    profile = profile_workbook(workbook, config)
    verdict = classify_workbook(profile, config).result
    if as_json:
        print_json(
            {
                "profile": profile.model_dump(mode="json"),
                "classification": verdict.model_dump(mode="json"),
                "skipped": dict(workbook.skipped),
            }
        )
        return
    kinds = verdict.per_sheet_types or {}
    ranges = {sheet.name: sheet.extent.a1 for sheet in workbook.sheets if sheet.extent}
    rows: list[tuple[object, ...]] = [
        (
            sheet.name,
            kinds.get(sheet.name, verdict.file_type).value,
            ranges.get(sheet.name, ""),
            sheet.row_count,
            sheet.col_count,
            sheet.header_row_index or "",
            sheet.parser_used.value,
            "hidden" if sheet.is_hidden else "",
        )
        for sheet in profile.sheets
    ]
    rows += [(name, f"skipped: {code}", *[""] * 6) for name, code in workbook.skipped.items()]
    print_table(_SHOW_TITLES, rows)
    print(f"{verdict.file_type.value}, confidence {verdict.confidence:.2f}: {verdict.reasoning}")


def search_store(store: str, words: str, *, limit: int, as_json: bool) -> None:
    """Print the chunks of a store that match ``words``, best first."""
    hits = _existing(store).search(words, limit)
    if as_json:
        print_json([asdict(hit) for hit in hits])
        return
    for hit in hits:
        facts = hit.metadata
        place = f"{facts.get('source_uri')} | {facts.get('sheet_name')}"
        if facts.get("cell_range"):
            place += f"!{facts['cell_range']}"
        print(printable(place))
        for line in hit.snippet.splitlines():
            print(f"    {printable(line)}")
    if not hits:
        advise(f"nothing in {store} matches {words!r}")


def query_store(store: str, sql: str | None, *, as_json: bool) -> None:
    """Print the rows of one query, or without one the names of the tables.

    Raises:
        BackendError: The statement is wrong, or would do anything but read.
    """
    opened = _existing(store)
    if sql is None:
        answer = QueryResult(("table",), [(name,) for name in opened.table_names()])
    else:
        answer = opened.query(sql)
    if as_json:
        print_json(
            {
                "columns": answer.columns,
                "rows": answer.rows,
                "truncated": answer.truncated,
            }
        )
        return
    print_table(answer.columns, answer.rows)
    if answer.truncated:
        advise(f"only the first {len(answer.rows)} rows are shown; add a LIMIT or a condition")


def export(bundles: Path, to: str, *, as_json: bool) -> None:
    """Merge bundles into a database and print what that changed.

    Raises:
        ConfigurationError: There are no bundles, or ``to`` is not a SQLite store.
    """
    target = open_store(to)
    if not isinstance(target, SQLiteStore):
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot export to {to}: bundles are merged into one SQLite file; "
            "write --to sqlite:///file.db",
        )
    _check_bundles("export", bundles)
    try:
        with counting("merging bundles") as shown:
            report = export_bundles(bundles, target, on_bundle=shown)
    except KeyboardInterrupt:
        advise("interrupted: run the same command again; what was merged is not merged twice")
        raise
    if as_json:
        print_json(asdict(report))
    else:
        print_table(("what", "count"), list(asdict(report).items()))


def prune(bundles: Path, *, as_json: bool) -> None:
    """Remove superseded and abandoned bundles and print how many.

    Raises:
        ConfigurationError: The directory holds anything but bundles.
    """
    _check_bundles("prune", bundles)
    removed = BundleStore(bundles).prune()
    if as_json:
        print_json({"removed": removed})
    else:
        print(f"removed {counted(removed, 'superseded bundle')} from {bundles}")


def _check_bundles(verb: str, directory: Path) -> None:
    # A mistyped path must neither look like an empty store nor lose what is in it.
    if not directory.is_dir():
        raise ConfigurationError(
            ErrorCode.E_SOURCE_NOT_FOUND,
            f"cannot {verb} {directory}: there is no such directory; workers write "
            "ingestkit-store beside the spool unless told otherwise",
        )
    names = [path.name for path in directory.iterdir() if not path.name.startswith(".")]
    foreign = [name for name in names if not _SOURCE_DIRECTORY.fullmatch(name)]
    if foreign:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot {verb} {directory}: it is no directory of bundles, as it holds "
            f"{min(foreign)}; workers write ingestkit-store beside the spool unless told otherwise",
        )


def _existing(url: str) -> EmbeddedStore:
    # Opening a store makes it, and a question to a mistyped name should not leave a file.
    store = open_store(url)
    scheme, _, place = store.get_connection_uri().partition("://")
    if scheme != "memory" and not Path("/", place.lstrip("/")).exists():
        raise ConfigurationError(
            ErrorCode.E_SOURCE_NOT_FOUND,
            f"cannot open the store {url}: there is nothing at that place; check its name",
        )
    return store
