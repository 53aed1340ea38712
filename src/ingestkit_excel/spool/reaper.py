"""The janitor: finish reveals, take jobs back from dead workers, move due ones, sweep.

Owns: everything no living worker or submitter will do any more.
Promises: each action is one idempotent transition, so any number of janitors may work at once.
Never does: touch the claims of a worker that has not been found dead, or delete a job.
Needs of the disk: P1, P4.
"""

import contextlib
import logging
import random
from dataclasses import dataclass
from functools import partial
from typing import Final

from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import (
    Denied,
    Exists,
    FileSystemError,
    HeldLock,
    Missing,
    NotRegular,
    Stamp,
)
from ingestkit_excel.spool.history import record_attempt
from ingestkit_excel.spool.home import check_home
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.lease import LeaseObserver
from ingestkit_excel.spool.publish import is_present, reveal, server_time_s, try_enqueue
from ingestkit_excel.spool.records import JOB_BYTES_MAX, AttemptRecord, RecordError, decode_job
from ingestkit_excel.spool.rounds import Round
from ingestkit_excel.spool.settings import SpoolContext
from ingestkit_excel.spool.sweeping import Sweeper

__all__ = ["MoveDue", "Plan", "Reaper", "Snapshot", "plan_reap"]

_LOG = logging.getLogger(__name__)
_JANITOR_LOCK: Final = f"{layout.WORKERS}/janitor"
_ROUNDS_LEFT_OUT_MAX: Final = 2  # the lock saves work; it must never stop it
_BUCKET_AGE_MIN_S: Final = 64.0  # younger ones are still being filled
_BUCKET_SPAN_S: Final = 4.096  # what one number of a bucket stands for
_OLDEST_BUCKETS_TRIED: Final = 16  # a queue is served from there, so there the empty ones are
_OTHER_BUCKETS_TRIED: Final = 4  # behind a bucket that never empties; more than come in a round
_DEFAULT_PRIORITY: Final = 5  # of a job whose own record cannot be read


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one look at the spool gave; any of it may have changed since."""

    prepared: tuple[Stem, ...]
    delayed: tuple[str, ...]
    now_s: float
    """The server's time."""


@dataclass(frozen=True, slots=True)
class MoveDue:
    """A delayed job whose time has come."""

    name: str
    stem: Stem


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do."""

    reveals: tuple[Stem, ...]
    due: tuple[MoveDue, ...]


def plan_reap(snapshot: Snapshot) -> Plan:
    """Decide what to do about a snapshot. Pure."""
    parsed = ((name, layout.parse_delayed(name)) for name in snapshot.delayed)
    due = tuple(
        MoveDue(name, delayed[1])
        for name, delayed in parsed
        if delayed is not None and delayed[0] <= snapshot.now_s
    )
    return Plan(snapshot.prepared, due)


class Reaper:
    """A janitor on one host; remembers heartbeats between rounds."""

    def __init__(self, context: SpoolContext, host_hash: str) -> None:
        self._context = context
        self._host_hash = host_hash
        self._observer = LeaseObserver(context.settings.lease_duration_s)
        self._sweeper = Sweeper(context)
        self._rounds_left_out = 0
        self.live_workers = 1

    def run(self, own_id: str) -> None:
        """Do one round, or leave it to another janitor of this host, but not for ever.

        Where locks do not work, or one hangs, the round is done after a few were left out.
        """
        check_home(self._context)  # another spool has other settings, and janitors of its own
        lock = self._context.fs.try_lock(f"{_JANITOR_LOCK}-{self._host_hash}.lock")
        if lock is None and self._rounds_left_out < _ROUNDS_LEFT_OUT_MAX:
            self._rounds_left_out += 1
            self._observer.note_round(self._context.clock.monotonic())
            return
        self._rounds_left_out = 0
        try:
            self._run(own_id)
        finally:
            if lock is not None:
                lock.release()

    def doubt(self) -> None:
        """Take in that the share did not answer, which may have stopped all heartbeats."""
        self._observer.forget_all()

    def _run(self, own_id: str) -> None:
        # Somebody waits for the first, and the last waits for nobody.
        work = self.new_round()
        work.do(lambda: self._finish_waiting(work))
        work.do(lambda: self._dismiss_dead(own_id, work))
        work.do(self._remove_empty_buckets)
        work.do(self._sweeper.run)
        work.end()

    def new_round(self) -> Round:
        """Give what a round's steps are done by; it ends early when each takes long and fails."""
        patience_s = self._context.settings.lease_duration_s / 4
        return Round(self._context.clock, patience_s=patience_s)

    def _finish_waiting(self, work: Round) -> None:
        plan = plan_reap(self._look())
        for stem in plan.reveals:
            work.do(partial(self._reveal_committed, stem))
        for move in plan.due:
            path = f"{layout.DELAYED}/{move.name}"
            work.do(partial(self._requeue, path, move.stem, move.stem))

    def _dismiss_dead(self, own_id: str, work: Round) -> None:
        for worker_id in self._find_dead(own_id):
            work.do(partial(self.dismiss, worker_id, is_charged=True))

    def _look(self) -> Snapshot:
        stems = map(layout.parse_prepared, list_known(self._context, layout.PREP))
        delayed = tuple(list_known(self._context, layout.DELAYED))
        now_s = server_time_s(self._context) if delayed else 0.0
        return Snapshot(tuple(stem for stem in stems if stem is not None), delayed, now_s)

    def _find_dead(self, own_id: str) -> list[str]:
        started_s = self._context.clock.monotonic()
        names = list_known(self._context, layout.CLAIMS)
        leases = [
            name.removesuffix(".lease")
            for name in list_known(self._context, layout.WORKERS)
            if name.endswith(".lease")
        ]
        known = {
            name
            for name in {*names, *leases} - {own_id}
            if layout.WORKER_ID_PATTERN.fullmatch(name)
        }
        dead = {worker_id for worker_id in known if self._is_dead_here(worker_id)}
        try:
            stamps = self._lease_stamps(known - dead)
        except FileSystemError:
            self._observer.forget_all()  # what stops our look may stop their heartbeats
            raise
        expired = self._observer.look(
            stamps, started_s=started_s, finished_s=self._context.clock.monotonic()
        )
        self.live_workers = 1 + len(known - dead - expired)
        return sorted(dead | expired)

    def _is_dead_here(self, worker_id: str) -> bool:
        # Only on the same boot of the same host is a lock that can be taken a sign of death.
        if not worker_id.endswith(f"-{self._host_hash}"):
            return False
        lock: HeldLock | None = None
        with contextlib.suppress(Denied, NotRegular):
            lock = self._context.fs.try_lock(layout.lock_path(worker_id))
        if lock is None:
            return False
        lock.release()
        return True

    def _lease_stamps(self, worker_ids: set[str]) -> dict[str, Stamp | None]:
        stamps: dict[str, Stamp | None] = {}
        for worker_id in worker_ids:
            try:
                stamps[worker_id] = self._context.fs.stamp(layout.lease_path(worker_id))
            except (Missing, NotRegular):
                stamps[worker_id] = None
            except Denied:
                continue  # its heartbeat may beat where we cannot see it
        return stamps

    def dismiss(self, worker_id: str, *, is_charged: bool) -> None:
        """Give back all claims of a worker and remove its traces.

        On disk: each claims/W/S becomes pending/P/B/S+; then claims/W, its lease and its lock go.
        Crash: the next janitor goes on where this one stopped.
        """
        directory = layout.claims_directory(worker_id)
        work = self.new_round()
        for name in list_known(self._context, directory):
            stem = layout.parse_job_file(name)
            if stem is not None:
                work.do(partial(self.take_back, worker_id, stem, is_charged=is_charged))
        work.end()
        try:
            # Before the lease goes: a paused worker that wakes up can then claim nothing more.
            self._context.fs.remove_directory(directory)
        except Exists:
            return  # a claim arrived meanwhile; the next round takes it
        except Missing:
            pass
        for path in (layout.lease_path(worker_id), layout.lock_path(worker_id)):
            with contextlib.suppress(Missing):
                self._context.fs.remove(path)
        _LOG.info("worker_dismissed", extra={"worker_id": worker_id})

    def take_back(self, worker_id: str, stem: Stem, *, is_charged: bool) -> None:
        """Put one claim of a worker back to where it waited, under the next attempt.

        On disk: claims/W/S becomes pending/P/B/S+.
        """
        if is_charged:
            message = f"cannot finish attempt {stem.attempt}: its worker {worker_id} died"
            record = AttemptRecord(
                attempt=stem.attempt,
                worker_id=worker_id,
                code=ErrorCode.E_EXECUTION_CRASHED,
                message=message,
            )
            record_attempt(self._context, stem.job_id, record)
        path = f"{layout.claims_directory(worker_id)}/{stem.file_name}"
        if self._requeue(path, stem, stem.next_attempt(charged=is_charged)):
            facts = {"job_id": stem.job_id, "attempt": stem.attempt, "worker_id": worker_id}
            _LOG.warning("claim_reaped", extra=facts)

    def _requeue(self, path: str, stem: Stem, requeued: Stem) -> bool:
        priority = self._priority(path, stem)
        if priority is None:
            return False
        directory = layout.pending_directory(priority, stem.job_id)
        return try_enqueue(self._context, path, directory, requeued.file_name)

    def _priority(self, path: str, stem: Stem) -> int | None:
        try:
            data = self._context.fs.read(path, max_bytes=JOB_BYTES_MAX)
            return decode_job(data, job_id=stem.job_id, digest=stem.digest).priority
        except Missing:
            return None
        except (FileSystemError, RecordError):
            return _DEFAULT_PRIORITY  # whoever claims it says what is wrong with it

    def _reveal_committed(self, stem: Stem) -> None:
        for is_dead in (False, True):
            if is_present(self._context, layout.done_path(stem, is_dead=is_dead)):
                reveal(self._context, stem)
                return

    def _remove_empty_buckets(self) -> None:
        # By this host's clock, to save looks at young ones; what decides is the server's.
        newest = int((self._context.clock.wall() - _BUCKET_AGE_MIN_S) / _BUCKET_SPAN_S)
        limit_s: float | None = None
        for priority in layout.PRIORITIES:
            parent = f"{layout.PENDING}/{priority}"
            old = [
                f"{parent}/{name}"
                for name in list_known(self._context, parent)
                if layout.BUCKET_PATTERN.fullmatch(name) and int(name, 16) < newest
            ]
            if not old:
                continue
            if limit_s is None:
                limit_s = server_time_s(self._context) - _BUCKET_AGE_MIN_S
            for path in old[:_OLDEST_BUCKETS_TRIED]:
                if not self._try_remove_bucket(path, limit_s):
                    break
            for path in random.sample(old, min(_OTHER_BUCKETS_TRIED, len(old))):
                self._try_remove_bucket(path, limit_s)

    def _try_remove_bucket(self, path: str, limit_s: float) -> bool:
        """Remove a bucket that is old and empty; ``False`` when it holds something."""
        try:
            # Its time is that of the last job that came or went, or of its making: a submitter
            # whose clock is behind makes buckets that are old by their names.
            if self._context.fs.stamp(path).mtime_ns / 1e9 < limit_s:
                self._context.fs.remove_directory(path)
        except Missing:
            return True
        except (Exists, Denied):
            return False
        return True
