"""The commands: options to settings, one call, exit code. Imported only with the extra ``cli``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ingestkit_excel.cli import inspection, jobs
from ingestkit_excel.cli.exit_codes import EXIT_CODE_HELP, ExitCode
from ingestkit_excel.cli.files import find_workbooks
from ingestkit_excel.cli.ingest import collect_jobs, ingest_here, print_ingestion, submit_jobs
from ingestkit_excel.cli.output import advise, print_json
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.router import create_default_router

__all__ = ["app", "run"]

_DEFAULT_STORE = "sqlite:///ingestkit.db"

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
    Path, typer.Option("--spool", envvar="INGESTKIT_SPOOL", help="The spool directory.")
]
Store = Annotated[str, typer.Argument(help="A store's URL or path, such as sqlite:///f.db.")]
Roots = Annotated[
    list[str] | None,
    typer.Option("--root", help="NAME=PATH: where this host sees a root that workers know."),
]
Attach = Annotated[
    bool, typer.Option("--attach", help="Copy workbooks that workers cannot see into the spool.")
]
Settings = Annotated[Path | None, typer.Option("--config", help="Settings, a .json or .yaml file.")]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="ingestkit-excel")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(ExitCode.USAGE)
    return int(ExitCode.OK)


@app.command(epilog=EXIT_CODE_HELP)
def init(
    spool: Annotated[Path, typer.Argument(help="The directory to make; best on the share.")],
    as_json: Json = False,
) -> None:
    """Make an empty spool."""
    jobs.init_spool(spool, as_json=as_json)


@app.command(epilog=EXIT_CODE_HELP)
def ingest(
    paths: Paths,
    store: Annotated[
        str | None, typer.Option("--store", help=f"Where to write; default {_DEFAULT_STORE}.")
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option("--spool", help="Let the workers of this spool do it; their store is used."),
    ] = None,
    root: Roots = None,
    attach: Attach = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds to wait for each job of a spool.")
    ] = None,
    config: Settings = None,
    as_json: Json = False,
) -> None:
    """Ingest workbooks, in this process or through a spool, and wait for the results."""
    settings = _settings(config)
    if spool is not None and store is not None:
        raise typer.BadParameter("the workers choose the store; drop --store or --spool")
    if spool is None and attach:
        raise typer.BadParameter("there is nothing to attach workbooks to; add --spool")
    workbooks = find_workbooks(paths)
    if spool is None:
        outcome = ingest_here(
            create_default_router(store or _DEFAULT_STORE, config=settings), workbooks
        )
        resume = "run the same command again; workbooks already ingested are only replaced"
    else:
        backend = jobs.open_backend(spool, jobs.parse_roots(root), attach=attach)
        outcome = submit_jobs(backend, workbooks, settings)
        for path, job_id in outcome.jobs.items():
            advise(f"submitted {job_id}  {path}")
        collect_jobs(backend, outcome, timeout)
        resume = f"the jobs go on; see them with: ingestkit-excel result --spool {spool} JOB"
    print_ingestion(outcome, as_json=as_json, resume=resume)
    raise typer.Exit(int(outcome.exit_code))


@app.command(epilog=EXIT_CODE_HELP)
def submit(
    paths: Paths,
    spool: SpoolOption,
    root: Roots = None,
    attach: Attach = False,
    config: Settings = None,
    as_json: Json = False,
) -> None:
    """Submit workbooks to a spool and print their job ids without waiting."""
    workbooks = find_workbooks(paths)
    backend = jobs.open_backend(spool, jobs.parse_roots(root), attach=attach)
    outcome = submit_jobs(backend, workbooks, _settings(config))
    if as_json:
        print_json([{"file": path, "job_id": outcome.jobs.get(path)} for path in outcome.paths])
    for path, job_id in () if as_json else outcome.jobs.items():
        print(f"{job_id}  {path}")
    for path, result in outcome.results.items():
        advise(f"{path}: {result.error_details[0].message}")
    raise typer.Exit(int(outcome.exit_code))


@app.command(epilog=EXIT_CODE_HELP)
def result(
    job: Annotated[str, typer.Argument(help="A job id, as printed by submit.")],
    spool: SpoolOption,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job has ended.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds to wait at most.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the result of a job."""
    limit = timeout if wait or timeout is not None else 0.0
    raise typer.Exit(int(jobs.show_result(spool, job, timeout_s=limit, as_json=as_json)))


@app.command(epilog=EXIT_CODE_HELP)
def status(
    spool: Annotated[Path, typer.Argument(help="The spool directory.")], as_json: Json = False
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


def _settings(path: Path | None) -> ExcelProcessorConfig:
    return ExcelProcessorConfig() if path is None else ExcelProcessorConfig.from_file(path)
