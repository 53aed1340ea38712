"""Looking where jobs are: for one job, or counting all. Read only.

Promises: what it says was so at some moment of the look; jobs move meanwhile.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import Missing, NotRegular, TooLarge
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.records import OUTCOME_BYTES_MAX, Outcome, RecordError, decode_outcome
from ingestkit_excel.spool.settings import SpoolContext

__all__ = ["JobState", "SpoolStatus", "find_state", "read_outcome", "take_status"]

_LOOKS: Final = 2  # a job on its way back to pending can slip past the first


class JobState(StrEnum):
    """Where a job is."""

    PENDING = "pending"
    DELAYED = "delayed"
    CLAIMED = "claimed"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """Counts of one look at the spool."""

    pending: int
    delayed: int
    claimed: int
    done: int
    dead: int
    quarantined: int
    pending_by_priority: dict[int, int] = field(default_factory=dict)
    workers: tuple[str, ...] = ()
    oldest_waiting_s: float | None = None
    """Age of the oldest waiting job by the submitter's clock and ours; for display."""


def read_outcome(context: SpoolContext, job_id: str) -> Outcome | None:
    """Give the outcome of a job; ``None`` when none is visible yet.

    Raises:
        RecordError: The file is there, and is not a whole outcome of this job.
    """
    path = layout.result_path(job_id)
    try:
        context.fs.refresh(path.rpartition("/")[0])  # P4: an early miss is cached for a minute
    except Missing:
        check_home(context)
        raise
    try:
        data = context.fs.read(path, max_bytes=OUTCOME_BYTES_MAX)
    except Missing:
        return None
    except (NotRegular, TooLarge) as error:
        raise RecordError(str(error)) from error
    return decode_outcome(data, job_id=job_id)


_STATE_OF: Final = {
    "done": JobState.DONE,
    "failed": JobState.DONE,
    "dead": JobState.DEAD,
    "rejected": JobState.DEAD,
    "cancelled": JobState.CANCELLED,
}


def find_state(context: SpoolContext, job_id: str) -> JobState:
    """Tell where a job is."""
    for _ in range(_LOOKS):
        state = _look_for(context, job_id)
        if state is not JobState.UNKNOWN:
            return state
    check_home(context)  # nobody knows a job whose spool is away
    return JobState.UNKNOWN


def _look_for(context: SpoolContext, job_id: str) -> JobState:
    # In the order in which a job moves, so that it cannot overtake the look.
    for priority in layout.PRIORITIES:
        if _holds(context, layout.pending_directory(priority, job_id), job_id):
            return JobState.PENDING
    if any(f".{job_id}." in name for name in list_known(context, layout.DELAYED)):
        return JobState.DELAYED
    for worker_id in list_known(context, layout.CLAIMS):
        if _holds(context, layout.claims_directory(worker_id), job_id):
            return JobState.CLAIMED
    outcome = read_outcome(context, job_id)
    if outcome is not None:
        return _STATE_OF[outcome.status]
    if _holds(context, f"{layout.DONE}/{layout.shard_of(job_id)}", job_id):
        return JobState.DONE
    return JobState.DEAD if _holds(context, layout.DEAD, job_id) else JobState.UNKNOWN


def _holds(context: SpoolContext, directory: str, job_id: str) -> bool:
    return any(name.startswith(f"{job_id}.") for name in list_known(context, directory))


def take_status(context: SpoolContext) -> SpoolStatus:
    """Count the jobs in each state."""
    check_home(context)
    waiting: Counter[int] = Counter()
    oldest: str | None = None
    for priority in layout.PRIORITIES:
        parent = f"{layout.PENDING}/{priority}"
        for bucket in list_known(context, parent):
            jobs = _jobs_in(context, f"{parent}/{bucket}")
            waiting[priority] += len(jobs)
            oldest = min([*jobs[:1], *([oldest] if oldest else [])], default=None)
    workers = [
        worker_id
        for worker_id in list_known(context, layout.CLAIMS)
        if layout.WORKER_ID_PATTERN.fullmatch(worker_id)
    ]
    shards = list_known(context, layout.DONE)
    age_s = None if oldest is None else context.clock.wall() - int(oldest[1:13], 16) / 1000
    return SpoolStatus(
        pending=waiting.total(),
        delayed=len(list_known(context, layout.DELAYED)),
        claimed=sum(len(_jobs_in(context, layout.claims_directory(name))) for name in workers),
        done=sum(len(_jobs_in(context, f"{layout.DONE}/{shard}")) for shard in shards),
        dead=len(_jobs_in(context, layout.DEAD)),
        quarantined=len(list_known(context, layout.QUARANTINE)),
        pending_by_priority={priority: count for priority, count in waiting.items() if count},
        workers=tuple(workers),
        oldest_waiting_s=None if age_s is None else max(0.0, age_s),
    )


def _jobs_in(context: SpoolContext, directory: str) -> list[str]:
    return [name for name in list_known(context, directory) if layout.parse_job_file(name)]
