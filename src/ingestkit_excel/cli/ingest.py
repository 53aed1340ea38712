"""Hands workbooks to a place, collects what becomes of them, and keeps count."""

import multiprocessing
import os
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from itertools import islice
from pathlib import Path

from ingestkit_excel.cli.output import Progress, advise, progress
from ingestkit_excel.cli.places import Place
from ingestkit_excel.cli.summary import Ingestion, describe
from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.execution import failed_result
from ingestkit_excel.spool import Spool

__all__ = ["collect_jobs", "ingest_workbooks", "submit_jobs"]

_LOOK_S = 0.5  # how long one job may keep the others' progress unseen
_LOOKS_AHEAD = 64  # jobs looked at while the first one is open; bounds the load on the share
_REMARK_FIRST_S = 10.0  # a silence this long wants a reason
_REMARK_NEXT_S = 60.0


def ingest_workbooks(
    place: Place,
    paths: Sequence[Path],
    config: ExcelProcessorConfig,
    *,
    timeout_s: float | None = None,
) -> Ingestion:
    """Ingest workbooks and wait; Ctrl-C ends it with what there is by then."""
    if place.in_turn:
        return _ingest_in_turn(place, paths, config)
    run = submit_jobs(place, paths, config)
    if not run.interrupted:
        collect_jobs(place, run, timeout_s=timeout_s)
    if run.interrupted and place.spool is None:
        _finish_running(place, run)
    return run


def _ingest_in_turn(place: Place, paths: Sequence[Path], config: ExcelProcessorConfig) -> Ingestion:
    run = Ingestion([str(path) for path in paths])
    try:
        with progress(len(run.paths)) as shown:
            for path in run.paths:
                job_id = place.backend.submit(path, config)
                run.results[path] = place.backend.get_result(job_id)
                shown.advance(describe(run.results[path]), path)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def submit_jobs(
    place: Place,
    paths: Sequence[Path],
    config: ExcelProcessorConfig,
    *,
    on_submitted: Callable[[str, str], None] | None = None,
) -> Ingestion:
    """Hand over workbooks; one that is refused has its error as result.

    ``on_submitted`` is told job id and path of each at once, as they outlive this process.
    """
    run = Ingestion([str(path) for path in paths])
    try:
        if place.spool is None:
            run.jobs = {path: place.backend.submit(path, config) for path in run.paths}
            return run
        with progress(len(run.paths), verb="submitting") as shown:
            tell = on_submitted or (lambda job, path: shown.advance(f"submitted  {job}", path))
            for path in run.paths:
                _submit_one(place, run, path, config)
                if path in run.jobs:
                    tell(run.jobs[path], path)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def _submit_one(place: Place, run: Ingestion, path: str, config: ExcelProcessorConfig) -> None:
    try:
        run.jobs[path] = place.backend.submit(os.path.abspath(path), config)
    except ExecutionError as error:
        run.results[path] = failed_result(path, error.code, error.message)


def collect_jobs(
    place: Place, run: Ingestion, *, timeout_s: float | None, clock: Clock | None = None
) -> None:
    """Wait for the submitted jobs until none has ended for ``timeout_s``."""
    try:
        with progress(len(run.jobs)) as shown:
            _Collector(place, run, shown, clock or SystemClock()).collect(timeout_s)
    except KeyboardInterrupt:
        run.interrupted = True


class _Collector:
    """Takes results as they come, in order of submission where it can."""

    def __init__(self, place: Place, run: Ingestion, shown: Progress, clock: Clock) -> None:
        self._place = place
        self._run = run
        self._shown = shown
        self._clock = clock
        self._open = {path: job for path, job in run.jobs.items() if path not in run.results}
        self._unreachable = False

    def collect(self, timeout_s: float | None) -> None:
        """Collect until all are there, or none has ended for ``timeout_s``."""
        ended_at = self._clock.monotonic()
        remark_s = _REMARK_FIRST_S
        while self._open:  # the caller gives the limit, and without one Ctrl-C is it
            left_s = _LOOK_S
            silent_s = self._clock.monotonic() - ended_at
            if timeout_s is not None:
                left_s = min(left_s, max(0.0, timeout_s - silent_s))
            if self._take_ended(left_s):
                ended_at = self._clock.monotonic()
                remark_s = _REMARK_FIRST_S
                continue
            silent_s = self._clock.monotonic() - ended_at
            if timeout_s is not None and silent_s >= timeout_s:
                self._run.waiting.update(self._open)
                return
            if silent_s >= remark_s:
                remark_s += _REMARK_NEXT_S
                self._remark()

    def _take_ended(self, wait_s: float) -> bool:
        first, *others = islice(self._open.items(), _LOOKS_AHEAD)
        if self._try_take(*first, wait_s):
            return True
        if self._unreachable:
            return False
        return any([self._try_take(path, job_id, 0.0) for path, job_id in others])

    def _try_take(self, path: str, job_id: str, wait_s: float) -> bool:
        try:
            if not self._place.has_ended(job_id, wait_s):
                self._unreachable = False
                return False
        except ExecutionError:
            pass  # `get_result` says what is wrong with it
        except SpoolError as error:
            # The jobs stand, so a share that is away for a while is waited for.
            if not self._unreachable:
                self._shown.note(f"{error.message}; still trying")
            self._unreachable = True
            self._clock.sleep(wait_s)
            return False
        return self._take(path, job_id)

    def _take(self, path: str, job_id: str) -> bool:
        try:
            result = self._place.backend.get_result(job_id, timeout=0)
        except ExecutionError as error:
            if error.code is ErrorCode.E_EXECUTION_TIMEOUT or error.code.startswith("E_SPOOL"):
                return False
            result = failed_result(path, error.code, error.message)
        del self._open[path]
        self._run.results[path] = result
        # Who asks by job id has no path yet.
        self._shown.advance(describe(result), (path if path != job_id else "") or result.file_path)
        return True

    def _remark(self) -> None:
        if self._place.spool is None or self._unreachable:
            return
        self._shown.note(_state_of(self._place.spool))
        # A job whose outcome was removed before we came will never end.
        path, job_id = next(iter(self._open.items()))
        self._take(path, job_id)


def _state_of(spool: Spool) -> str:
    try:
        status = spool.status()
    except SpoolError as error:
        return error.message
    state = (
        f"still waiting: {status.pending} jobs wait, {status.claimed} run, {status.delayed} are "
        f"delayed after a failed attempt, {len(status.workers)} workers"
    )
    if not status.workers:
        directory = shlex.quote(str(spool.directory))
        state += f"; start one on any host: spool-worker --spool {directory}"
    return state


def _finish_running(place: Place, run: Ingestion) -> None:
    stopped = False
    try:
        advise("finishing the workbooks that are being read; Ctrl-C again stops them")
        place.finish()
    except KeyboardInterrupt:
        stopped = True
        advise("stopped; what was not finished is not in the store")
        for child in multiprocessing.active_children():
            child.kill()
        place.finish()  # quick now: those that ran have ended, and none begins
    for path, job_id in run.jobs.items():
        if path in run.results or not _is_done(place, job_id):
            continue
        result = place.backend.get_result(job_id, timeout=0)
        if not (stopped and any(code.startswith("E_EXECUTION") for code in result.errors)):
            run.results[path] = result
    run.jobs.clear()  # they ended with this process, so nobody can ask for them


def _is_done(place: Place, job_id: str) -> bool:
    try:
        return place.has_ended(job_id, 0.0)
    except CancelledError:
        return False
