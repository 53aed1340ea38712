"""Forgetting what is old: outcomes, keys, superseded preparations; carried workbooks with them.

Owns: every deletion of what was once published.
Promises: a job without a visible outcome is never forgotten; after a crash the next run goes on.
Never does: compare a file's time with this host's clock.
"""

import contextlib
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.blobs import sweep_blobs
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import Exists, FileSystemError, Missing
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.publish import is_present, server_time_s
from ingestkit_excel.spool.records import RecordError
from ingestkit_excel.spool.settings import SpoolContext
from ingestkit_excel.spool.submission import list_markers, read_marker

__all__ = ["collect_garbage"]

_NANOSECONDS: Final = 1e9


def collect_garbage(context: SpoolContext) -> int:
    """Remove all that is older than the retention; give how many jobs were forgotten."""
    check_home(context)
    limit_s = server_time_s(context) - context.settings.retention_s
    old = [job_id for job_id in _finished_jobs(context) if _is_old_result(context, job_id, limit_s)]
    if old:
        commits = _commits_by_job(context, set(old))
        markers = _markers_by_job(context)
        for job_id in old:
            _forget(context, job_id, commits.get(job_id, []), markers.get(job_id))
    _remove_old_preparations(context, limit_s)
    sweep_blobs(context, limit_s)
    return len(old)


def _finished_jobs(context: SpoolContext) -> list[str]:
    return [
        name.removesuffix(".json")
        for shard in list_known(context, layout.RESULTS)
        for name in list_known(context, f"{layout.RESULTS}/{shard}")
        if layout.JOB_ID_PATTERN.fullmatch(name.removesuffix(".json"))
    ]


def _is_old_result(context: SpoolContext, job_id: str, limit_s: float) -> bool:
    return _is_old(context, layout.result_path(job_id), limit_s)


def _is_old(context: SpoolContext, path: str, limit_s: float) -> bool:
    try:
        return context.fs.stamp(path).mtime_ns / _NANOSECONDS < limit_s
    except FileSystemError:
        return False


def _commits_by_job(context: SpoolContext, job_ids: set[str]) -> dict[str, list[str]]:
    commits: dict[str, list[str]] = {}
    shards = sorted({layout.shard_of(job_id) for job_id in job_ids})
    for directory in (*(f"{layout.DONE}/{shard}" for shard in shards), layout.DEAD):
        for name in list_known(context, directory):
            stem = layout.parse_job_file(name)
            if stem is not None and stem.job_id in job_ids:
                commits.setdefault(stem.job_id, []).append(f"{directory}/{name}")
    return commits


def _markers_by_job(context: SpoolContext) -> dict[str, str]:
    markers: dict[str, str] = {}
    for marker in list_markers(context):
        with contextlib.suppress(FileSystemError, RecordError):
            owner = read_marker(context, marker)
            if owner is not None:
                markers[owner[0].stem.job_id] = marker
    return markers


def _forget(context: SpoolContext, job_id: str, commits: list[str], marker: str | None) -> None:
    history = layout.history_directory(job_id)
    records = [f"{history}/{name}" for name in list_known(context, history)]
    for path in (*commits, layout.cancel_path(job_id), *records):
        _remove(context, path)
    for directory, name in ((history, None), (marker, "owner")):
        if directory is not None:
            if name is not None:
                _remove(context, f"{directory}/{name}")
            with contextlib.suppress(Missing, Exists):
                context.fs.remove_directory(directory)
    # The outcome goes last: it is the evidence on which an interrupted run is taken up again.
    _remove(context, layout.result_path(job_id))


def _remove(context: SpoolContext, path: str) -> None:
    with contextlib.suppress(Missing):
        context.fs.remove(path)


def _remove_old_preparations(context: SpoolContext, limit_s: float) -> None:
    for name in list_known(context, layout.PREP):
        stem = layout.parse_prepared(name)
        if stem is None or not _is_old(context, f"{layout.PREP}/{name}", limit_s):
            continue
        # A committed one is a janitor's to reveal; the others lost to a later attempt long ago.
        is_committed = any(
            is_present(context, layout.done_path(stem, is_dead=is_dead))
            for is_dead in (True, False)
        )
        if not is_committed:
            _remove(context, f"{layout.PREP}/{name}")
