"""One worker's side of the spool: claim, renew, complete, retry, release, reap.

Owns: the claims of one worker incarnation, and which name each of them has now.
Promises: each method is one transition; after an error the caller may call again.
Never does: run a job, sleep, or decide by a clock who owns what.
Needs of the disk: P1, P2, P3.
"""

import contextlib
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import Candidates, Claim, open_claim, try_take
from ingestkit_excel.spool.failures import translated
from ingestkit_excel.spool.fs import (
    Denied,
    FileSystemError,
    HeldLock,
    Missing,
    NotRegular,
    Stale,
    Unreachable,
)
from ingestkit_excel.spool.history import read_history, record_attempt
from ingestkit_excel.spool.holdings import Holding, Holdings
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.ids import new_nonce, new_worker_id
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.outcomes import (
    cancelled_outcome,
    dead_outcome,
    encode_fitting,
    rejected_outcome,
)
from ingestkit_excel.spool.publish import (
    reveal,
    server_time_s,
    try_enqueue,
    try_fence,
    try_move,
    try_prepare,
)
from ingestkit_excel.spool.reaper import Reaper
from ingestkit_excel.spool.records import AttemptRecord, Outcome, RecordError, digest_of
from ingestkit_excel.spool.retention import collect_in_steps
from ingestkit_excel.spool.settings import SpoolContext

__all__ = ["Completion", "SpoolWorker", "WorkerPlace"]

_LOG = logging.getLogger(__name__)
_CLAIM_TRIES: Final = 64  # lost races and unusable jobs per call; the caller's loop has more to do
_PREPARE_TRIES: Final = 4  # each further one needs another torn file of ours
_READ_ATTEMPTS_MAX: Final = 50  # hours of backoff; what cannot be read by then never will be
_RECONCILE_INTERVAL_S: Final = 10.0  # so a job stays unnoticed in our claims not much longer
_COLLECT_SHARE_S: Final = 0.5  # of a round, so that the main loop goes on
_COLLECT_INTERVAL_S: Final = 3600.0  # retention is days; a full listing an hour is no load
_BACKOFF_DOUBLINGS_MAX: Final = 20  # keeps the number finite; the cap applies far earlier


class Completion(StrEnum):
    """How giving up a claim ended."""

    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    """Another worker has the job or has finished it; throw the work away."""
    REQUEUED = "requeued"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Where a worker runs: the spool's directory, the host's name and its digest."""

    directory: Path
    host: str
    host_hash: str


class SpoolWorker:
    """A worker incarnation; made by `Spool.enlist`. Its methods may be called from any thread."""

    def __init__(self, context: SpoolContext, place: WorkerPlace) -> None:
        self._context = context
        self._place = place
        self._held = Holdings()
        self._candidates = Candidates(context)
        self._lock: HeldLock | None = None
        self._unadmitted: Stem | None = None
        self._unadmitted_twice: Stem | None = None
        self._is_fenced = False
        self._reaper = Reaper(context, place.host_hash)
        self._collection: Iterator[int] = iter(())
        self._collected_at = self._reconciled_at = context.clock.monotonic()
        self.worker_id = ""
        self._enlist()

    def _enlist(self) -> None:
        check_home(self._context)
        # The lock comes first and the claims directory last: whoever sees the worker finds its
        # lock held and its lease there.
        if self._lock is not None:
            self._lock.release()
        self.worker_id = new_worker_id(self._place.host_hash)
        self._lock = self._context.fs.try_lock(layout.lock_path(self.worker_id))
        lease = layout.lease_path(self.worker_id)
        self._context.fs.create(lease, self._place.host.encode(), durable=False)
        self._context.fs.make_directory(layout.claims_directory(self.worker_id))
        self._is_fenced = False
        _LOG.info("worker_enlisted", extra={"worker_id": self.worker_id})

    def _enlist_anew(self) -> None:
        # Others have our claims, or will take those they have not found yet: nothing is ours.
        self._held.clear()
        self._unadmitted = None
        self._enlist()

    @property
    def is_fenced(self) -> bool:
        """Whether this worker was taken for dead: its claims are others', so stop their jobs."""
        return self._is_fenced

    def try_claim(self) -> Claim | None:
        """Take the next waiting job; ``None`` when there is none to be had now.

        Jobs that are damaged, cancelled or failed too often are ended on the way, and one that
        cannot be read now is put off.

        Raises:
            SpoolError: The spool cannot be reached, or what waits may not be taken.

        On disk: pending/P/B/S becomes claims/W/S.
        Crash: the claim returns to pending when this worker is found dead.
        """
        with self._reaching("claim a job from"):
            denied: Denied | None = None
            for _ in range(_CLAIM_TRIES):
                if self._is_fenced:
                    self._enlist_anew()
                try:
                    if self._unadmitted is None and not self._try_take_next():
                        break
                except Denied as error:
                    denied = error  # told only when there is nothing else to do
                    continue
                claim = self._admit_taken()
                if claim is not None:
                    return claim
            denied = denied or self._candidates.denied
            if denied is not None:
                self._candidates.denied = None
                raise denied
        return None

    def _try_take_next(self) -> bool:
        candidate = self._candidates.try_next(live_workers=self._reaper.live_workers)
        if candidate is None:
            return False
        # Noted before the rename: an error in it, or after it, may leave the job with us, and
        # while we live nobody else would take it back.
        self._unadmitted = candidate.stem
        try:
            is_ours = try_take(self._context, candidate, self.worker_id)
        except Denied:
            self._candidates.leave_out(candidate.path)
            self._unadmitted = None
            raise
        self._candidates.note(was_taken=is_ours)
        if not is_ours:
            self._unadmitted = None
            self._look_whether_fenced()
        return True

    def _look_whether_fenced(self) -> None:
        # A janitor removes the claims directory first, and may have died before the lease went:
        # then renewing succeeds and nothing can be claimed. A new id costs nothing if we err.
        try:
            self._context.fs.refresh(layout.claims_directory(self.worker_id))
        except Missing:
            self._note_fenced()

    def _note_fenced(self) -> None:
        check_home(self._context)  # where the whole spool is missing nobody took us for dead
        self._is_fenced = True
        _LOG.warning("lease_lost", extra={"worker_id": self.worker_id})

    def _admit_taken(self) -> Claim | None:
        if self._unadmitted is None:
            return None
        # Its name may have grown in a call that failed half way.
        held = self._held.take(self._unadmitted)
        claim: Claim | None = None
        try:
            claim = self._admit(held)
        except FileSystemError as error:
            # One failure may be the share's. After a second one the job stands in the way of
            # those behind it, so it goes back, if the share takes it back.
            if self._unadmitted != self._unadmitted_twice:
                self._unadmitted_twice = self._unadmitted
                raise
            self._put_off(held, error)
        if claim is None:
            self._held.forget(held.claimed)
        self._unadmitted = self._unadmitted_twice = None
        return claim

    def _put_off(self, held: Holding, error: FileSystemError) -> None:
        delay_s = max(1.0, self._backoff_s(held.stem.attempt - 1))
        self._give_back(held, 0, is_charged=False, delay_s=delay_s)
        facts = {"job_id": held.claimed.job_id, "reason": str(error), "delay_s": delay_s}
        _LOG.warning("job_put_off", extra=facts)

    def _read(self, stem: Stem) -> Claim | RecordError | None:
        try:
            return open_claim(self._context, stem, self.worker_id)
        except Missing:
            check_home(self._context)  # a claim does not end because its share is away
            return None
        except NotRegular:
            target = f"{layout.QUARANTINE}/{stem.file_name}.{new_nonce()}"
            try_move(self._context, self._path(stem), target)
            _LOG.warning("job_quarantined", extra={"job_id": stem.job_id})
            return None
        except FileSystemError as error:
            if stem.attempt < _READ_ATTEMPTS_MAX:
                raise
            return RecordError(f"it cannot be read: {error}")

    def _admit(self, held: Holding) -> Claim | None:
        stem = held.stem
        claim = self._read(stem)
        if claim is None:
            return None
        if isinstance(claim, RecordError):
            outcome = rejected_outcome(stem, self.worker_id, self._place.host, str(claim))
        elif claim.charged_failures >= claim.job.max_attempts:
            history = read_history(self._context, stem.job_id)
            outcome = dead_outcome(claim, self._place.host, history)
        elif self.is_cancelled(claim):
            outcome = cancelled_outcome(claim, self._place.host)
        else:
            _LOG.info("job_claimed", extra={"job_id": stem.job_id, "attempt": stem.attempt})
            self._held.forget(held.claimed)  # it may have grown a new name since
            self._held.take(stem)
            return claim
        self._publish(held, outcome)
        return None

    def _path(self, stem: Stem) -> str:
        return f"{layout.claims_directory(self.worker_id)}/{stem.file_name}"

    def renew(self) -> bool:
        """Show that this worker lives; call it as often as six times in a lease duration.

        ``False``: it was taken for dead. Its claims are superseded, and its next `try_claim`
        enlists it under a new id.

        Raises:
            SpoolError: The spool cannot be reached.
        """
        with self._reaching("renew the lease in"):
            try:
                self._context.fs.touch(layout.lease_path(self.worker_id))
            except Missing:
                self._note_fenced()
        return not self._is_fenced

    @contextlib.contextmanager
    def _reaching(self, verb: str) -> Iterator[None]:
        with translated(verb, self._place.directory):
            try:
                yield
            except (Stale, Unreachable):
                self._reaper.doubt()
                raise

    def is_cancelled(self, claim: Claim) -> bool:
        """Whether the submitter asked for the job to be given up."""
        with translated("look for cancelled jobs in", self._place.directory):
            return claim.job.job_id in self._context.fs.list_directory(layout.CANCEL)

    def complete(self, claim: Claim, outcome: Outcome) -> Completion:
        """Publish the outcome of a claimed job and give the claim up.

        The outcome becomes visible whole or not at all. A worker whose claim was reaped gets
        ``Completion.SUPERSEDED`` and must throw its work away.

        Raises:
            SpoolError: The spool cannot be reached. The claim still stands; call again.

        On disk: prep/S.out is written; claims/W/S becomes done/xx/S (the commit); prep/S.out
        becomes results/xx/J.
        Crash: before done/xx/S exists the job is reclaimed and retried; after, anyone reveals.
        """
        with translated("publish the outcome to", self._place.directory):
            if claim.attempt > 1 and not outcome.attempts:
                history = read_history(self._context, claim.job.job_id)
                outcome = outcome.model_copy(update={"attempts": history})
            return self._publish(self._find_held(claim), outcome)

    def _find_held(self, claim: Claim) -> Holding | None:
        # A claim made under an earlier id is nobody's, whatever it is called.
        return self._held.find(claim.stem) if claim.worker_id == self.worker_id else None

    def _publish(self, held: Holding | None, outcome: Outcome) -> Completion:
        if held is None:
            return Completion.SUPERSEDED
        if not self._try_prepare(held, outcome):
            return self._forget(held, Completion.SUPERSEDED)
        is_dead = outcome.status == "dead"
        if not try_fence(self._context, self.worker_id, held.stem, is_dead=is_dead):
            return self._forget(held, Completion.SUPERSEDED)
        is_ours = reveal(self._context, held.stem)
        return self._forget(held, Completion.PUBLISHED if is_ours else Completion.SUPERSEDED)

    def _try_prepare(self, held: Holding, outcome: Outcome) -> bool:
        for _ in range(_PREPARE_TRIES):
            outcome = outcome.model_copy(update={"attempt": held.stem.attempt})
            data = encode_fitting(outcome)
            digest = digest_of(data)
            if held.prepared == digest:
                return True  # by a call that failed later
            # What was prepared may be committed by now, so its name is not written to again.
            if not held.prepared and try_prepare(self._context, held.stem, data):
                held.prepared = digest
                return True
            # The name is taken, perhaps by something torn, and none is used twice: take the next.
            bumped = held.stem.next_attempt(charged=False)
            if not try_move(self._context, self._path(held.stem), self._path(bumped)):
                return False
            held.stem, held.prepared = bumped, ""
        raise Missing(layout.PREP, "each attempt to write the outcome was torn")

    def _forget(self, held: Holding, completion: Completion) -> Completion:
        if completion is Completion.SUPERSEDED:
            check_home(self._context)  # in another spool nothing of ours can be found
        self._held.forget(held.claimed)
        facts = {"worker_id": self.worker_id, "completion": completion.value}
        _LOG.info("claim_given_up", extra={"job_id": held.claimed.job_id, **facts})
        return completion

    def retry(self, claim: Claim, *, code: ErrorCode, message: str) -> Completion:
        """Give a failed job back, to be tried later; the failure counts.

        The last allowed failure publishes a ``dead`` outcome instead, which carries the error.

        Raises:
            SpoolError: The spool cannot be reached. The claim still stands; call again.

        On disk: claims/W/S becomes delayed/tT.S+ or, without backoff, pending/P/B/S+.
        Crash: before the rename the claim is reaped and the failure counts once, as it would.
        """
        with translated("requeue the job in", self._place.directory):
            held = self._find_held(claim)
            if held is None:
                return Completion.SUPERSEDED
            stem = held.stem
            record = AttemptRecord(
                attempt=stem.attempt,
                worker_id=self.worker_id,
                host=self._place.host,
                code=code,
                message=message,
            )
            if stem.failures + 1 >= claim.job.max_attempts:
                history = (*read_history(self._context, stem.job_id), record)
                outcome = dead_outcome(claim, self._place.host, history)
                done = self._publish(held, outcome)
                return Completion.DEAD if done is Completion.PUBLISHED else done
            record_attempt(self._context, stem.job_id, record)
            delay_s = self._backoff_s(stem.failures)
            return self._give_back(held, claim.job.priority, is_charged=True, delay_s=delay_s)

    def _backoff_s(self, failures: int) -> float:
        settings = self._context.settings
        doubled = settings.retry_backoff_s * 2.0 ** min(failures, _BACKOFF_DOUBLINGS_MAX)
        # Jobs that failed together, when a store went away, must not come back together.
        return min(doubled, settings.retry_backoff_max_s) * random.uniform(0.75, 1.0)

    def _give_back(
        self, held: Holding, priority: int, *, is_charged: bool, delay_s: float
    ) -> Completion:
        stem = held.stem.next_attempt(charged=is_charged)
        source = self._path(held.stem)
        if delay_s > 0:
            due_s = int(server_time_s(self._context) + delay_s) + 1
            is_moved = try_move(self._context, source, layout.delayed_path(due_s, stem))
        else:
            directory = layout.pending_directory(priority, stem.job_id)
            is_moved = try_enqueue(self._context, source, directory, stem.file_name)
        return self._forget(held, Completion.REQUEUED if is_moved else Completion.SUPERSEDED)

    def release(self, claim: Claim, *, delay_s: float = 0.0) -> Completion:
        """Give a job back unfinished and uncharged, for another worker to take after a delay.

        Raises:
            SpoolError: The spool cannot be reached. The claim still stands; call again.

        On disk: claims/W/S becomes pending/P/B/S+ or, with a delay, delayed/tT.S+.
        Crash: before the rename the claim is reaped instead, and then the failure counts.
        """
        with translated("release the job in", self._place.directory):
            held = self._find_held(claim)
            if held is None:
                return Completion.SUPERSEDED
            priority = claim.job.priority
            return self._give_back(held, priority, is_charged=False, delay_s=delay_s)

    def reap(self) -> None:
        """Do a janitor's round: reveal, take back from the dead, move what is due, sweep.

        Claims that a late answer of the server gave this worker go back, uncharged. Once an hour
        it also begins to remove what is older than the retention, a little in each round.

        Raises:
            SpoolError: The spool cannot be reached; the next round goes on.
        """
        with translated("reap", self._place.directory):
            now_s = self._context.clock.monotonic()
            work = self._reaper.new_round()
            if now_s - self._reconciled_at >= _RECONCILE_INTERVAL_S:
                self._reconciled_at = now_s
                work.do(self._give_back_strays)
            work.do(lambda: self._reaper.run(self.worker_id))
            if now_s - self._collected_at >= _COLLECT_INTERVAL_S:
                self._collected_at = now_s
                self._collection = collect_in_steps(self._context)
            work.do(self._collect_some)
            work.end()

    def _collect_some(self) -> None:
        ends_s = self._context.clock.monotonic() + _COLLECT_SHARE_S
        try:
            for _ in self._collection:
                if self._context.clock.monotonic() >= ends_s:
                    return
        except FileSystemError:
            self._collection = iter(())  # the next one begins anew
            raise

    def _give_back_strays(self) -> None:
        """Give back what is among our claims without our having taken it.

        A server may act on a request long after its client gave up waiting, and the claim that it
        makes is nobody's: we do not run the job, and while we live nobody takes it from us.
        """
        try:
            names = self._context.fs.list_directory(layout.claims_directory(self.worker_id))
        except Missing:
            self._note_fenced()
            return
        for stem in filter(None, map(layout.parse_job_file, sorted(names))):
            if stem != self._unadmitted and not self._held.holds(stem):
                self._reaper.take_back(self.worker_id, stem, is_charged=False)

    def retire(self) -> None:
        """Leave. Claims still held are found and retried by others.

        Raises:
            SpoolError: The spool cannot be reached; others find this worker dead.
        """
        with translated("retire from", self._place.directory):
            self._reaper.dismiss(self.worker_id, is_charged=False)
            if self._lock is not None:
                self._lock.release()
