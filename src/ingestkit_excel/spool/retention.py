"""Forgetting what is old: outcomes, keys, superseded preparations; carried workbooks with them.

Owns: every deletion of what was once published.
Promises: a job without a visible outcome is never forgotten; after a crash the next run goes on.
Never does: compare a file's time with this host's clock.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.blobs import sweep_blobs
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import Exists, FileSystemError, Missing
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.publish import is_present, server_time_s
from ingestkit_excel.spool.records import RecordError
from ingestkit_excel.spool.settings import SpoolContext
from ingestkit_excel.spool.submission import is_known, list_markers, read_marker, set_aside

__all__ = ["collect_garbage", "collect_in_steps"]

_NANOSECONDS: Final = 1e9


def collect_garbage(context: SpoolContext) -> int:
    """Remove all that is older than the retention; give how many jobs were forgotten."""
    return sum(collect_in_steps(context))


def collect_in_steps(context: SpoolContext) -> Iterator[int]:
    """Do as `collect_garbage` in short steps; give how many jobs each has forgotten.

    The caller may let time pass between two steps, or stop. A listing may hold a million names,
    and the worker that goes through them has a lease to renew.
    """
    check_home(context)
    limit_s = server_time_s(context) - context.settings.retention_s
    # Before the outcomes, which are the evidence that a preparation is not wanted any more.
    yield from _collect_preparations(context, limit_s)
    for shard in list_known(context, layout.RESULTS):
        yield from _collect_jobs(context, shard, limit_s)
    yield from _collect_markers(context, limit_s)
    sweep_blobs(context, limit_s)
    yield 0


def _collect_jobs(context: SpoolContext, shard: str, limit_s: float) -> Iterator[int]:
    names = list_known(context, f"{layout.RESULTS}/{shard}")
    job_ids = [name.removesuffix(".json") for name in names]
    old: list[str] = []
    for job_id in filter(layout.JOB_ID_PATTERN.fullmatch, job_ids):
        if _is_old(context, layout.result_path(job_id), limit_s):
            old.append(job_id)
        yield 0
    if not old:
        return
    traces = _traces_by_job(context, shard, set(old))
    for job_id in old:
        _forget(context, job_id, traces.get(job_id, []))
        yield 1


def _is_old(context: SpoolContext, path: str, limit_s: float) -> bool:
    try:
        return context.fs.stamp(path).mtime_ns / _NANOSECONDS < limit_s
    except FileSystemError:
        return False


def _traces_by_job(context: SpoolContext, shard: str, job_ids: set[str]) -> dict[str, list[str]]:
    traces: dict[str, list[str]] = {}
    for directory in (f"{layout.DONE}/{shard}", layout.DEAD, layout.PREP):
        for name in list_known(context, directory):
            stem = layout.parse_job_file(name) or layout.parse_prepared(name)
            if stem is not None and stem.job_id in job_ids:
                traces.setdefault(stem.job_id, []).append(f"{directory}/{name}")
    return traces


def _forget(context: SpoolContext, job_id: str, traces: list[str]) -> None:
    history = layout.history_directory(job_id)
    records = [f"{history}/{name}" for name in list_known(context, history)]
    for path in (*traces, layout.cancel_path(job_id), *records):
        _remove(context, path)
    with contextlib.suppress(Missing, Exists):
        context.fs.remove_directory(history)
    # The outcome goes last: it is the evidence on which an interrupted run is taken up again.
    _remove(context, layout.result_path(job_id))


def _collect_markers(context: SpoolContext, limit_s: float) -> Iterator[int]:
    for marker in list_markers(context):
        if _is_old(context, f"{marker}/owner", limit_s):
            with contextlib.suppress(Missing, RecordError):  # a damaged one is nobody's to remove
                _collect_marker(context, marker)
        yield 0


def _collect_marker(context: SpoolContext, marker: str) -> None:
    owner = read_marker(context, marker)
    if owner is None or is_present(context, layout.result_path(owner[0].stem.job_id)):
        return
    if not is_known(context, marker, owner[0]):
        set_aside(context, marker, owner[0])


def _remove(context: SpoolContext, path: str) -> None:
    with contextlib.suppress(Missing):
        context.fs.remove(path)


def _collect_preparations(context: SpoolContext, limit_s: float) -> Iterator[int]:
    for name in list_known(context, layout.PREP):
        stem = layout.parse_prepared(name)
        if stem is not None and _is_old(context, f"{layout.PREP}/{name}", limit_s):
            # Its attempt has lost when the outcome of another is visible. Until then its worker
            # may only be slow, and commit it in a moment.
            is_over = is_present(context, layout.result_path(stem.job_id))
            if is_over and not _is_committed(context, stem):  # that one is a janitor's to reveal
                _remove(context, f"{layout.PREP}/{name}")
        yield 0


def _is_committed(context: SpoolContext, stem: Stem) -> bool:
    return any(
        is_present(context, layout.done_path(stem, is_dead=is_dead)) for is_dead in (True, False)
    )
