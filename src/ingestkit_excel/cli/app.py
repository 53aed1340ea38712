"""The commands: options to settings, one call, exit code. Imported only with the extra ``cli``."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Annotated

import typer

from ingestkit_excel.cli import examination, inspection, jobs
from ingestkit_excel.cli.exit_codes import EXIT_CODE_HELP, ExitCode
from ingestkit_excel.cli.files import find_workbooks
from ingestkit_excel.cli.ingest import ingest_workbooks, submit_jobs
from ingestkit_excel.cli.output import advise, print_job, print_json
from ingestkit_excel.cli.places import DEFAULT_STORE, PlaceOptions, open_place, open_spool_place
from ingestkit_excel.cli.summary import print_ingestion
from ingestkit_excel.config import ExcelProcessorConfig

__all__ = ["app", "run"]

app = typer.Typer(
    name="ingestkit-excel",
    help="Turn Excel workbooks into SQL tables and text chunks, here or on many hosts.",
    epilog=EXIT_CODE_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Paths = Annotated[list[Path], typer.Argument(help="Workbooks, or folders to search for them.")]
SpoolOption = Annotated[
    str, typer.Option("--spool", envvar="INGESTKIT_SPOOL", help="The spool directory.")
]
Store = Annotated[str, typer.Argument(help="A store's URL or path, such as sqlite:///f.db.")]
Roots = Annotated[
    list[str] | None,
    typer.Option("--root", help="NAME=PATH: where this host sees a root that workers know."),
]
Attach = Annotated[
    bool, typer.Option("--attach", help="Copy workbooks that workers cannot see into the spool.")
]
Priority = Annotated[
    int | None, typer.Option("--priority", min=0, max=9, help="0 goes first, 9 last; default 5.")
]
Jobs = Annotated[
    list[str],
    typer.Argument(help="Job ids, as printed by submit; - reads them from standard input."),
]
Settings = Annotated[Path | None, typer.Option("--config", help="Settings, a .json or .yaml file.")]


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"ingestkit-excel {version('ingestkit-excel')}, Python {python_version()}")
        raise typer.Exit()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        with _sigterm_like_ctrl_c():
            app(args=None if arguments is None else list(arguments), prog_name="ingestkit-excel")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(ExitCode.USAGE)
    return int(ExitCode.OK)


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    # `timeout`, service managers and schedulers send it, and the ids of open jobs must come out.
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Turn Excel workbooks into SQL tables and text chunks, here or on many hosts."""


@app.command(epilog=EXIT_CODE_HELP)
def init(
    spool: Annotated[str, typer.Argument(help="The directory to make; best on the share.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE in spool.json, such as retention_s=86400."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an empty spool."""
    settings = jobs.parse_pairs(setting, option="--set", example="retention_s=86400")
    jobs.init_spool(spool, settings, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def ingest(
    paths: Paths,
    store: Annotated[
        str | None, typer.Option("--store", help=f"Where to write; default {DEFAULT_STORE}.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Processes on this host; default: one per CPU, at most 4."
        ),
    ] = None,
    spool: Annotated[
        str | None,
        typer.Option("--spool", help="Let the workers of this spool do it; their store is used."),
    ] = None,
    root: Roots = None,
    attach: Attach = False,
    priority: Priority = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, help="Give up when no job of a spool ended for so long."),
    ] = None,
    config: Settings = None,
    as_json: Json = False,
) -> None:
    """Ingest workbooks, on this host or through a spool, and wait for the results."""
    settings = _settings(config)
    workbooks = find_workbooks(paths)
    options = PlaceOptions(
        store=store,
        workers=workers,
        spool=spool,
        roots=_roots(root),
        attach=attach,
        priority=priority,
    )
    with open_place(settings, options) as place:
        outcome = ingest_workbooks(place, workbooks, settings, timeout_s=timeout)
        print_ingestion(outcome, as_json=as_json, resume=place.resume)
    raise typer.Exit(int(outcome.exit_code))


@app.command(epilog=EXIT_CODE_HELP)
def submit(
    paths: Paths,
    spool: Annotated[
        str | None,
        typer.Option("--spool", envvar="INGESTKIT_SPOOL", help="The spool, unless settings say."),
    ] = None,
    root: Roots = None,
    attach: Attach = False,
    priority: Priority = None,
    config: Settings = None,
    as_json: Json = False,
) -> None:
    """Submit workbooks to a spool and print their job ids without waiting."""
    settings = _settings(config)
    workbooks = find_workbooks(paths)
    options = PlaceOptions(spool=spool, roots=_roots(root), attach=attach, priority=priority)
    place = open_spool_place(settings, options)
    outcome = submit_jobs(place, workbooks, settings, on_submitted=None if as_json else print_job)
    if as_json:
        print_json([{"file": path, "job_id": outcome.jobs.get(path)} for path in outcome.paths])
    for path, refused in outcome.results.items():
        advise(f"{path}: {refused.error_details[0].message}")
    raise typer.Exit(int(outcome.exit_code))


@app.command(epilog=EXIT_CODE_HELP)
def result(
    job: Jobs,
    spool: SpoolOption,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the jobs have ended.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, help="Give up when none ended for so many seconds."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the results of jobs."""
    limit = timeout if wait or timeout is not None else 0.0
    ids = jobs.read_job_ids(job)
    raise typer.Exit(int(jobs.show_results(spool, ids, timeout_s=limit, as_json=as_json)))


@app.command(epilog=EXIT_CODE_HELP)
def cancel(job: Jobs, spool: SpoolOption, as_json: Json = False) -> None:
    """Give jobs up that have not ended yet."""
    ids = jobs.read_job_ids(job)
    raise typer.Exit(int(jobs.cancel_jobs(spool, ids, as_json=as_json)))


@app.command(epilog=EXIT_CODE_HELP)
def status(
    spool: Annotated[str, typer.Argument(help="The spool directory.")], as_json: Json = False
) -> None:
    """Show how many jobs a spool holds in each state, and its workers."""
    jobs.show_status(spool, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def show(
    file: Annotated[Path, typer.Argument(help="A workbook.")],
    config: Settings = None,
    as_json: Json = False,
) -> None:
    """Show what a workbook's sheets are taken for, without writing anything."""
    inspection.show_workbook(file, _settings(config), as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def search(
    store: Store,
    words: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 10,
    as_json: Json = False,
) -> None:
    """Find text chunks in a store."""
    inspection.search_store(store, words, limit=limit, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def query(
    store: Store,
    sql: Annotated[
        str | None, typer.Argument(help="One statement that reads; without it, list the tables.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run one SQL query over the tables of a store."""
    inspection.query_store(store, sql, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def export(
    bundles: Annotated[Path, typer.Argument(help="The directory of bundles workers wrote.")],
    to: Annotated[str, typer.Option("--to", help="The store to merge into: sqlite:///f.db.")],
    as_json: Json = False,
) -> None:
    """Merge the bundles that workers wrote into one SQLite database."""
    inspection.export(bundles, to, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def prune(
    bundles: Annotated[Path, typer.Argument(help="The directory of bundles workers wrote.")],
    as_json: Json = False,
) -> None:
    """Remove bundles that newer ones have replaced, and what crashed workers left."""
    inspection.prune(bundles, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def doctor(
    directory: Annotated[str, typer.Argument(help="A spool, or a directory that may get one.")],
    peer: Annotated[
        str | None,
        typer.Option("--peer", help="The same directory through another mount, to test caches."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Examine whether a directory keeps the promises a spool needs."""
    raise typer.Exit(int(examination.examine_directory(directory, peer, as_json=as_json)))


def _roots(texts: list[str] | None) -> dict[str, str]:
    return jobs.parse_pairs(texts, option="--root", example="NAME=PATH, such as data=/mnt/data")


def _settings(path: Path | None) -> ExcelProcessorConfig:
    return ExcelProcessorConfig() if path is None else ExcelProcessorConfig.from_file(path)
