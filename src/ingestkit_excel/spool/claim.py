"""Choosing a waiting job and making it ours by one rename.

Owns: the order in which jobs are taken.
Promises: a job file is held by at most one worker, for its rename has one winner (P1).
Never does: read a job before it is ours, or take a name it does not understand.
"""

import random
from collections import deque
from dataclasses import dataclass

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.fs import Denied, Missing, NotRegular, TooLarge
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.publish import try_move
from ingestkit_excel.spool.records import JOB_BYTES_MAX, Job, RecordError, decode_job
from ingestkit_excel.spool.settings import SpoolContext

__all__ = ["Candidate", "Candidates", "Claim", "list_known", "open_claim", "try_take"]


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
    """A window on the oldest jobs of the most urgent priority, so a claim costs no listing."""

    def __init__(self, context: SpoolContext) -> None:
        self._context = context
        self._window: deque[Candidate] = deque()
        self._listed_at = context.clock.monotonic()

    def try_next(self, *, live_workers: int) -> Candidate | None:
        """Give the next job to try; ``None`` when none is waiting."""
        age_s = self._context.clock.monotonic() - self._listed_at
        if not self._window or age_s > self._context.settings.relist_interval_s:
            self._window = deque(self._list(live_workers))
            self._listed_at = self._context.clock.monotonic()
        return self._window.popleft() if self._window else None

    def _list(self, live_workers: int) -> list[Candidate]:
        check_home(self._context)  # an unmounted share must not look like a queue that is empty
        size = self._context.settings.claim_window
        for priority in layout.PRIORITIES:
            found: list[Candidate] = []
            for bucket in list_known(self._context, f"{layout.PENDING}/{priority}"):
                if len(found) >= size:
                    break
                if layout.BUCKET_PATTERN.fullmatch(bucket):
                    found += self._list_bucket(f"{layout.PENDING}/{priority}/{bucket}")
            if found:
                found = found[:size]
                # Workers that start at different names do not race for the same ones.
                head = found[: max(1, live_workers)]
                random.shuffle(head)
                return head + found[len(head) :]
        return []

    def _list_bucket(self, directory: str) -> list[Candidate]:
        stems = map(layout.parse_job_file, list_known(self._context, directory))
        return [
            Candidate(directory, stem)
            for stem in stems
            if stem is not None and stem.version <= layout.FORMAT
        ]


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
