"""Commands about a spool: make one, ask for jobs and counts, give jobs up."""

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from ingestkit_excel.cli.exit_codes import ExitCode
from ingestkit_excel.cli.ingest import collect_jobs
from ingestkit_excel.cli.output import advise, print_json, print_table, printable
from ingestkit_excel.cli.places import PlaceOptions, open_spool_place, spool_directory
from ingestkit_excel.cli.summary import Ingestion, describe, print_ingestion
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.execution import failed_result
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.protocols import ExecutionBackend
from ingestkit_excel.spool import Cancellation, Spool, SpoolSettings

__all__ = [
    "cancel_jobs",
    "init_spool",
    "parse_pairs",
    "read_job_ids",
    "show_results",
    "show_status",
]

_ANSWERS = {
    Cancellation.REQUESTED: "asked to give up",
    Cancellation.TOO_LATE: "ended already   ",
    Cancellation.UNKNOWN: "not known here  ",
}


def parse_pairs(texts: Sequence[str] | None, *, option: str, example: str) -> dict[str, str]:
    """Turn the ``NAME=VALUE`` texts of an option into a mapping.

    Raises:
        ConfigurationError: One has no name or no value.
    """
    pairs = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not (name and separator and value):
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot use {option} {text!r}: it is not of the form {example}; correct it",
            )
        pairs[name] = value
    return pairs


def read_job_ids(words: Sequence[str]) -> list[str]:
    """Give the job ids among ``words``; ``-`` stands for those at the start of input lines.

    Lines may be those of `submit` or of the list that an interrupted `ingest` leaves.
    """
    ids: dict[str, None] = {}
    for word in words:
        lines: Iterable[str] = sys.stdin if word == "-" else (word,)
        begins = (line.removeprefix("open ").split()[:1] for line in lines)
        ids.update((begin[0], None) for begin in begins if begin)
    if not ids:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            "cannot look for jobs: the input names none; give lines as `submit` prints them",
        )
    return list(ids)


def init_spool(url: str, settings: Mapping[str, str], *, as_json: bool) -> None:
    """Make a spool and say how to serve it.

    Raises:
        ConfigurationError: A setting is unknown or does not fit.
        SpoolError: It cannot be made there, or is there with settings of its own.
    """
    path = spool_directory(url)
    existed = _is_spool(path)
    if existed and settings:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot set up the spool {path}: it is there and keeps its settings; make another",
        )
    spool = Spool.create(path, _spool_settings(settings))
    if as_json:
        facts = {"spool": str(path), "created": not existed}
        print_json({**facts, "settings": spool.settings.model_dump()})
        return
    print(f"{'there is already the' if existed else 'made the'} spool {path}")
    print(_start(spool))


def _is_spool(path: Path) -> bool:
    try:
        Spool.open(path)
    except SpoolError as error:
        if error.code is ErrorCode.E_SPOOL_NOT_FOUND:
            return False
        raise
    return True


def _spool_settings(values: Mapping[str, str]) -> SpoolSettings:
    try:
        return SpoolSettings.model_validate(dict(values))
    except ValidationError as error:
        causes = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        known = ", ".join(SpoolSettings.model_fields)
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot make the spool: {causes}; settings of a spool are {known}",
        ) from error


def show_results(
    spool: str, job_ids: Sequence[str], *, timeout_s: float | None, as_json: bool
) -> ExitCode:
    """Print what became of jobs, waiting until none has ended for ``timeout_s``.

    Raises:
        ExecutionError: The only job asked for has not ended, or there is no such job.
    """
    place = open_spool_place(ExcelProcessorConfig(), PlaceOptions(spool=spool))
    run = _ended_now(place.backend, job_ids)
    if timeout_s != 0 and run.jobs:
        collect_jobs(place, run, timeout_s=timeout_s)
    else:
        run.waiting.update(run.jobs)
    if len(job_ids) > 1:
        print_ingestion(_by_file(run), as_json=as_json, resume=place.resume)
    elif run.results:
        _print_one(run.results[job_ids[0]], as_json=as_json)
    elif not run.interrupted:
        raise _unfinished(Spool.open(spool_directory(spool)), job_ids[0])
    return run.exit_code


def _ended_now(backend: ExecutionBackend, job_ids: Sequence[str]) -> Ingestion:
    # Asked before any waiting: a job that nobody knows would be waited for in vain.
    run = Ingestion(list(job_ids))
    for job_id in job_ids:
        try:
            run.results[job_id] = backend.get_result(job_id, timeout=0)
        except ExecutionError as error:
            if error.code is ErrorCode.E_EXECUTION_TIMEOUT:
                run.jobs[job_id] = job_id
            elif len(job_ids) == 1:
                raise
            else:
                run.results[job_id] = failed_result("", error.code, error.message)
    return run


def _by_file(run: Ingestion) -> Ingestion:
    names = {
        job_id: f"{job_id}  {run.results[job_id].file_path}".rstrip()
        if job_id in run.results
        else job_id
        for job_id in run.paths
    }
    return Ingestion(
        list(names.values()),
        {names[job_id]: job_id for job_id in run.paths},
        {names[job_id]: result for job_id, result in run.results.items()},
        run.waiting,
        run.interrupted,
    )


def _print_one(result: ProcessingResult, *, as_json: bool) -> None:
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    print(f"{describe(result)}  {printable(result.file_path)}")
    for table in result.tables:
        print(f"  table {table}")
    for detail in result.error_details:
        print(f"  {detail.code}: {printable(detail.message)}")


def _unfinished(spool: Spool, job_id: str) -> ExecutionError:
    return ExecutionError(
        ErrorCode.E_EXECUTION_TIMEOUT,
        f"cannot show the result of {job_id}: it has not ended, it is {spool.find_state(job_id)}; "
        "ask again, or wait for it with --wait",
        job_id=job_id,
    )


def cancel_jobs(url: str, job_ids: Sequence[str], *, as_json: bool) -> ExitCode:
    """Ask that jobs be given up, and print for each whether that can still be.

    Raises:
        SpoolError: The spool cannot be reached.
    """
    spool = Spool.open(spool_directory(url))
    answers = {job_id: _cancel(spool, job_id) for job_id in job_ids}
    if as_json:
        print_json([{"job_id": job_id, "cancel": answers[job_id]} for job_id in job_ids])
    else:
        for job_id, answer in answers.items():
            print(f"{_ANSWERS[answer]}  {job_id}")
        if Cancellation.REQUESTED in answers.values() and not spool.status().workers:
            advise("a worker has to carry that out, and none is listed; " + _start(spool))
    if Cancellation.UNKNOWN in answers.values():
        return ExitCode.SPOOL
    return ExitCode.SOME_FAILED if Cancellation.TOO_LATE in answers.values() else ExitCode.OK


def _cancel(spool: Spool, job_id: str) -> Cancellation:
    try:
        return spool.cancel(job_id)
    except ValueError:  # no spool has given out such an id
        return Cancellation.UNKNOWN


def show_status(url: str, *, as_json: bool) -> None:
    """Print how many jobs are in each state."""
    spool = Spool.open(spool_directory(url))
    status = spool.status()
    if as_json:
        print_json(asdict(status))
        return
    facts: list[tuple[str, object]] = [
        (name, getattr(status, name))
        for name in ("pending", "delayed", "claimed", "done", "dead", "quarantined")
    ]
    facts += [(f"pending, priority {p}", n) for p, n in status.pending_by_priority.items()]
    if status.oldest_waiting_s is not None:
        facts.append(("oldest waits for", f"{status.oldest_waiting_s:.0f} s"))
    facts.append(("workers", len(status.workers)))
    print_table(("what", "count"), facts)
    for worker_id in status.workers:
        print(f"worker {worker_id}")
    if (status.pending or status.delayed) and not status.workers:
        advise(f"jobs wait and no worker is listed; {_start(spool)}")


def _start(spool: Spool) -> str:
    directory = shlex.quote(str(spool.directory))
    return f"start one on any host that mounts it: spool-worker --spool {directory}"
