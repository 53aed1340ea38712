"""Choosing a waiting job and making it ours by one rename.

Owns: the order in which jobs are taken.
Promises: a job file is held by at most one worker, for its rename has one winner (P1).
Never does: read a job before it is ours, or take a name it does not understand.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.fs import Denied, Missing, NotRegular, TooLarge
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.publish import try_move
from ingestkit_excel.spool.records import JOB_BYTES_MAX, Job, RecordError, decode_job
from ingestkit_excel.spool.settings import SpoolContext

__all__ = ["Candidate", "Candidates", "Claim", "list_known", "open_claim", "try_take"]

_LISTING_AGE_MAX_S: Final = 60.0  # jobs that came back to the same priority wait no longer for it
_LEFT_OUT_S: Final = 60.0  # until then somebody may have corrected the permissions
_LOSSES_MAX: Final = 8  # in a row; each costs three round trips


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that one worker holds."""

    job: Job
    attempt: int
    charged_failures: int
    stem: Stem
    worker_id: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A waiting job as last listed; it may be gone."""

    directory: str
    stem: Stem

    @property
    def path(self) -> str:
        """Where it was seen."""
        return f"{self.directory}/{self.stem.file_name}"


def list_known(context: SpoolContext, directory: str) -> list[str]:
    """Give the names in a directory, sorted; none when it was just removed, or is none.

    Names that start with a dot are not ours: file managers and NFS clients leave such.
    """
    try:
        names = context.fs.list_directory(directory)
    except (Missing, NotRegular):
        return []
    return sorted(name for name in names if not name.startswith("."))


class Candidates:
    """The waiting jobs of the most urgent priority, oldest first, so a claim costs no listing.

    What a listing gave beyond the window is kept and used for a while. Meanwhile only more urgent
    priorities are listed, for a bucket of a burst may hold many thousand names.
    """

    def __init__(self, context: SpoolContext) -> None:
        self._context = context
        self._window: deque[Candidate] = deque()
        self._rest: deque[Candidate] = deque()
        self._priority = layout.PRIORITIES[0]
        self._listed_s = self._looked_s = -math.inf
        self._losses = 0
        self._left_out: dict[str, float] = {}
        self.denied: Denied | None = None
        """Why a bucket was left out, until somebody was told."""

    def try_next(self, *, live_workers: int) -> Candidate | None:
        """Give the next job to try; ``None`` when none is waiting."""
        now_s = self._context.clock.monotonic()
        if not (self._window or self._rest) or now_s - self._listed_s > _LISTING_AGE_MAX_S:
            self._list(layout.PRIORITIES, live_workers)
        elif now_s - self._looked_s > self._context.settings.relist_interval_s:
            self._list(layout.PRIORITIES[: self._priority], live_workers)
        if not self._window:
            self._open_window(live_workers)
        return self._window.popleft() if self._window else None

    def note(self, *, was_taken: bool) -> None:
        """Take in whether the last candidate could be taken."""
        self._losses = 0 if was_taken else self._losses + 1
        if self._losses >= _LOSSES_MAX:
            self._losses = 0
            self._window.clear()  # others are at work on the same names

    def leave_out(self, path: str) -> None:
        """Do not look at this name again for a while, for we may not."""
        self._left_out[path] = self._context.clock.monotonic() + _LEFT_OUT_S

    def _list(self, priorities: Sequence[int], live_workers: int) -> None:
        check_home(self._context)  # an unmounted share must not look like a queue that is empty
        now_s = self._looked_s = self._context.clock.monotonic()
        self._left_out = {
            path: until_s for path, until_s in self._left_out.items() if until_s > now_s
        }
        for priority in priorities:
            found = self._list_priority(priority)
            if found or priority == layout.PRIORITIES[-1]:
                self._priority, self._listed_s = priority, now_s
                self._rest = deque(found)
                self._open_window(live_workers)
                return

    def _list_priority(self, priority: int) -> list[Candidate]:
        parent = f"{layout.PENDING}/{priority}"
        found: list[Candidate] = []
        for bucket in list_known(self._context, parent):
            if len(found) >= self._context.settings.claim_window:
                break
            if layout.BUCKET_PATTERN.fullmatch(bucket):
                found += self._list_bucket(f"{parent}/{bucket}")
        return found

    def _list_bucket(self, directory: str) -> list[Candidate]:
        if directory in self._left_out:
            return []
        try:
            names = list_known(self._context, directory)
        except Denied as error:
            self.leave_out(directory)
            self.denied = error
            return []
        candidates = (
            Candidate(directory, stem)
            for stem in map(layout.parse_job_file, names)
            if stem is not None and stem.version <= layout.FORMAT
        )
        return [candidate for candidate in candidates if candidate.path not in self._left_out]

    def _open_window(self, live_workers: int) -> None:
        count = min(self._context.settings.claim_window, len(self._rest))
        window = [self._rest.popleft() for _ in range(count)]
        # Workers that start at different names do not race for the same ones.
        head = window[: max(1, live_workers)]
        random.shuffle(head)
        self._window = deque(head + window[len(head) :])


def try_take(context: SpoolContext, candidate: Candidate, worker_id: str) -> bool:
    """Make a waiting job ours; ``False`` when another worker has it.

    On disk: pending/P/B/S becomes claims/W/S.
    Crash: before the rename nothing happened; after it the claim is reaped with its worker.
    """
    target = f"{layout.claims_directory(worker_id)}/{candidate.stem.file_name}"
    try:
        return try_move(context, candidate.path, target)
    except Missing:
        return False  # the worker looks whether its claims directory is gone


def open_claim(context: SpoolContext, stem: Stem, worker_id: str) -> Claim | RecordError:
    """Read a job that is ours; what is wrong with it when it cannot be run.

    Raises:
        Missing: It is not ours.
        NotRegular: It is no plain file.
        FileSystemError: It cannot be read now.
    """
    directory = layout.claims_directory(worker_id)
    context.fs.refresh(directory)  # P4: after a rename of unknown end NFS may answer from its cache
    try:
        data = context.fs.read(f"{directory}/{stem.file_name}", max_bytes=JOB_BYTES_MAX)
        job = decode_job(data, job_id=stem.job_id, digest=stem.digest)
    except RecordError as error:
        return error
    except Denied as error:
        return RecordError(f"this worker may not read it: {error}")
    except TooLarge as error:
        return RecordError(str(error))
    return Claim(job, stem.attempt, stem.failures, stem, worker_id)
