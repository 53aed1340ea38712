"""What has become of many workbooks: rows, totals, and what to do about those that failed."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingestkit_excel.cli.exit_codes import ExitCode
from ingestkit_excel.cli.output import advise, counted, print_json, print_table
from ingestkit_excel.models import ProcessingResult

__all__ = ["Ingestion", "describe", "print_ingestion"]

_TITLES = ("kind", "sheets", "tables", "chunks", "warnings", "seconds", "error", "file")
_TERMINAL_ROWS_MAX = 40  # about a screen; more would push what failed out of sight


@dataclass
class Ingestion:
    """What was asked for and what has come back; complete or cut short by Ctrl-C."""

    paths: list[str]
    jobs: dict[str, str] = field(default_factory=dict)
    """Job ids by path, for workbooks that were handed to somebody else."""
    results: dict[str, ProcessingResult] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    """Paths whose jobs had not ended when the time to wait was over."""
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The code the command ends with."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.waiting:
            return ExitCode.NOT_FINISHED
        return ExitCode.SOME_FAILED if self.failed else ExitCode.OK

    @property
    def failed(self) -> int:
        """How many workbooks ended with an error."""
        return sum(bool(result.errors) for result in self.results.values())


def describe(result: ProcessingResult) -> str:
    """Give a few words on how a workbook has ended."""
    if result.errors:
        return f"failed  {result.errors[0]}"
    tables, chunks = (
        counted(result.tables_created, "table"),
        counted(result.chunks_created, "chunk"),
    )
    return f"ok  {tables}, {chunks}, {result.processing_time_seconds:.2f} s"


def print_ingestion(run: Ingestion, *, as_json: bool, resume: str) -> None:
    """Print the summary; ``resume`` is the advice on how to go on after an interruption."""
    if as_json:
        print_json(_as_json(run))
    else:
        _print_rows(run)
        print(_totals(run))
        _explain((path, run.results[path]) for path in run.paths if path in run.results)
    if run.interrupted or run.waiting:
        for path in run.paths:
            if path in run.jobs and path not in run.results:
                advise(f"open  {run.jobs[path]}  {path}")
        # Last, or a long list would push it out of sight.
        advise(f"{'interrupted' if run.interrupted else 'not finished'}: {resume}")


def _as_json(run: Ingestion) -> dict[str, object]:
    workbooks = [
        {
            "file": path,
            "job_id": run.jobs.get(path),
            "result": run.results[path].model_dump(mode="json") if path in run.results else None,
        }
        for path in run.paths
    ]
    return {
        "interrupted": run.interrupted,
        "exit_code": int(run.exit_code),
        "ok": len(run.results) - run.failed,
        "failed": run.failed,
        "open": len(run.paths) - len(run.results),
        "workbooks": workbooks,
    }


def _print_rows(run: Ingestion) -> None:
    # What was never begun has no row: after Ctrl-C that may be thousands, and the totals say it.
    paths = [path for path in run.paths if path in run.results or path in run.waiting]
    if sys.stdout.isatty() and len(paths) > _TERMINAL_ROWS_MAX:
        print(f"(a row for each of {len(paths)} is left out; --json prints all)")
    elif paths:
        print_table(_TITLES, [_row(path, run) for path in paths], is_wide=True)


def _row(path: str, run: Ingestion) -> tuple[object, ...]:
    result = run.results.get(path)
    if result is None:
        return ("", "", "", "", "", "", "waiting", path)
    return (
        result.classification.file_type.value if result.classification else "",
        result.parse_result.sheets_parsed if result.parse_result else "",
        result.tables_created,
        result.chunks_created,
        len(result.warnings),
        f"{result.processing_time_seconds:.2f}",
        result.errors[0] if result.errors else "",
        path,
    )


def _totals(run: Ingestion) -> str:
    results = run.results.values()
    tables = counted(sum(result.tables_created for result in results), "table")
    chunks = counted(sum(result.chunks_created for result in results), "chunk")
    return (
        f"{counted(len(run.paths), 'workbook')}: {len(results) - run.failed} ok, "
        f"{run.failed} failed, {len(run.paths) - len(results)} open; {tables}, {chunks}"
    )


def _explain(results: Iterable[tuple[str, ProcessingResult]]) -> None:
    # Said once for all workbooks with the same trouble: a share may hold hundreds of them.
    causes: dict[str, list[str]] = {}
    for path, result in results:
        for detail in result.error_details:
            if detail.code.value in result.errors:
                cause = f"{detail.code}: {_without_path(detail.message, path, result)}"
                causes.setdefault(cause, []).append(path)
    for cause, paths in causes.items():
        advise(cause)
        for path in dict.fromkeys(paths):
            advise(f"  {path}")


def _without_path(message: str, path: str, result: ProcessingResult) -> str:
    for name in (path, result.file_path):
        head, found, cause = message.partition(f"{name}: ")
        if found and head.startswith("cannot "):
            return cause
    return message
