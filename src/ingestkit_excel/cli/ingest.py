"""Ingests many workbooks, here or through a spool, and keeps count for the summary."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingestkit_excel.cli.exit_codes import ExitCode
from ingestkit_excel.cli.output import Advance, advise, print_json, print_table, progress
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.execution import failed_result
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.protocols import ExecutionBackend
from ingestkit_excel.router import ExcelRouter

__all__ = ["Ingestion", "collect_jobs", "describe", "ingest_here", "print_ingestion", "submit_jobs"]

_TITLES = ("file", "kind", "sheets", "tables", "chunks", "warnings", "seconds", "error")


@dataclass
class Ingestion:
    """What was asked for and what has come back; complete or cut short by Ctrl-C."""

    paths: list[str]
    jobs: dict[str, str] = field(default_factory=dict)
    """Job ids by path, for workbooks that went through a spool."""
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
        failed = any(result.errors for result in self.results.values())
        return ExitCode.SOME_FAILED if failed else ExitCode.OK


def ingest_here(router: ExcelRouter, paths: Sequence[Path]) -> Ingestion:
    """Process workbooks one after the other in this process."""
    run = Ingestion([str(path) for path in paths])
    try:
        with progress(len(run.paths)) as advance:
            for path in run.paths:
                run.results[path] = router.process(path)
                advance(describe(path, run.results[path]))
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def submit_jobs(
    backend: ExecutionBackend, paths: Sequence[Path], config: ExcelProcessorConfig
) -> Ingestion:
    """Hand workbooks to a spool; one that is refused has its error as result."""
    run = Ingestion([str(path) for path in paths])
    try:
        for path in run.paths:
            try:
                run.jobs[path] = backend.submit(os.path.abspath(path), config)
            except ExecutionError as error:
                run.results[path] = failed_result(path, error.code, error.message)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def collect_jobs(backend: ExecutionBackend, run: Ingestion, timeout_s: float | None) -> None:
    """Wait for the submitted jobs; each may take ``timeout_s`` from when its turn comes."""
    if run.interrupted:
        return
    try:
        with progress(len(run.paths)) as advance:
            for path, job_id in run.jobs.items():
                _collect_one(backend, run, path=path, job_id=job_id, timeout_s=timeout_s)
                _advance_over(run, path, advance)
    except KeyboardInterrupt:
        run.interrupted = True


def _collect_one(
    backend: ExecutionBackend, run: Ingestion, *, path: str, job_id: str, timeout_s: float | None
) -> None:
    try:
        run.results[path] = backend.get_result(job_id, timeout=timeout_s)
    except ExecutionError as error:
        if error.code is ErrorCode.E_EXECUTION_TIMEOUT:
            run.waiting.add(path)
        else:
            run.results[path] = failed_result(path, error.code, error.message)


def _advance_over(run: Ingestion, path: str, advance: Advance) -> None:
    result = run.results.get(path)
    advance(f"waiting  {path}" if result is None else describe(path, result))


def describe(path: str, result: ProcessingResult) -> str:
    """Give one line on a workbook that has ended."""
    if result.errors:
        return f"failed  {path}  {result.errors[0]}"
    seconds = result.processing_time_seconds
    counts = f"{result.tables_created} tables, {result.chunks_created} chunks"
    return f"ok  {path}  {counts}, {seconds:.2f} s"


def print_ingestion(run: Ingestion, *, as_json: bool, resume: str) -> None:
    """Print the summary; ``resume`` is the advice on how to go on after an interruption."""
    if as_json:
        print_json(_as_json(run))
    else:
        print_table(_TITLES, [_row(path, run) for path in run.paths])
        print(_totals(run))
        for path, result in run.results.items():
            _explain(path, result)
    if run.interrupted or run.waiting:
        advise(f"{'interrupted' if run.interrupted else 'not finished'}: {resume}")
        for path in run.paths:
            if path in run.jobs and path not in run.results:
                advise(f"  {run.jobs[path]}  {path}")


def _as_json(run: Ingestion) -> dict[str, object]:
    workbooks = [
        {
            "file": path,
            "job_id": run.jobs.get(path),
            "result": run.results[path].model_dump(mode="json") if path in run.results else None,
        }
        for path in run.paths
    ]
    return {"interrupted": run.interrupted, "exit_code": int(run.exit_code), "workbooks": workbooks}


def _row(path: str, run: Ingestion) -> tuple[object, ...]:
    result = run.results.get(path)
    if result is None:
        return (path, "", "", "", "", "", "", "waiting" if path in run.jobs else "not started")
    return (
        path,
        result.classification.file_type.value if result.classification else "",
        result.parse_result.sheets_parsed if result.parse_result else "",
        result.tables_created,
        result.chunks_created,
        len(result.warnings),
        f"{result.processing_time_seconds:.2f}",
        result.errors[0] if result.errors else "",
    )


def _totals(run: Ingestion) -> str:
    results = run.results.values()
    failed = sum(bool(result.errors) for result in results)
    tables = sum(result.tables_created for result in results)
    chunks = sum(result.chunks_created for result in results)
    return (
        f"{len(run.paths)} workbooks: {len(results) - failed} ok, {failed} failed, "
        f"{len(run.paths) - len(results)} open; {tables} tables, {chunks} chunks"
    )


def _explain(path: str, result: ProcessingResult) -> None:
    for detail in result.error_details:
        if detail.code.value in result.errors:
            advise(f"{path}: {detail.code}: {detail.message}")
