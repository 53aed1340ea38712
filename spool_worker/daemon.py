"""The loop of a worker: claim, run, complete, until told to stop.

Knows neither signals nor processes: it is told to stop by a `StopToken`, and jobs run in slots.
One thread does all of it, so the order of steps is the order of the lines.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final, Self

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.spool import Claim, SpoolWorker
from spool_worker.isolation import JobSlot, Verdict
from spool_worker.outages import Outages
from spool_worker.renewal import LeaseRenewer
from spool_worker.settlement import Settler, fields_of, report
from spool_worker.shutdown import StopToken

__all__ = ["Daemon", "DaemonSettings", "Until"]

_LOG = logging.getLogger(__name__)
_HOST_ERRORS: Final = (OSError, MemoryError, BrokenExecutor)
_STEPS_PER_LEASE: Final = 12  # twice as often as heartbeats are sent


class Until(StrEnum):
    """When a daemon ends by itself."""

    STOPPED = "stopped"
    DRAINED = "drained"
    """Nothing is left that this worker could claim, and nothing runs here."""
    ONE_LOOK = "one_look"
    """One job was run, or there was none."""


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """How the loop behaves; seconds throughout."""

    until: Until = Until.STOPPED
    jobs_max: int | None = None
    grace_s: float = 30.0
    idle_wait_s: float = 0.5
    busy_wait_s: float = 0.1
    """Also the longest time until a signal is noticed while jobs run."""
    reap_interval_s: float = 5.0
    reap_allowance_s: float = 60.0
    """How much longer than other steps a look after the spool may take."""
    cancel_interval_s: float = 1.0
    drain_patience_s: float = 30.0
    """How long a drain waits, idle, for jobs that are held back or that it cannot take."""
    drain_interval_s: float = 2.0
    """Counting what waits lists hundreds of directories."""

    def fitted_to(self, lease_duration_s: float) -> Self:
        """Give settings whose rounds are short beside the lease.

        A heartbeat needs a round, and a judgement on others needs four looks in a lease.
        """
        step_s = lease_duration_s / _STEPS_PER_LEASE
        return replace(
            self,
            idle_wait_s=min(self.idle_wait_s, step_s),
            busy_wait_s=min(self.busy_wait_s, step_s),
            reap_interval_s=min(self.reap_interval_s, step_s),
        )


class Daemon:
    """Runs jobs of one spool in the given slots.

    Args:
        renewer: Told of each round of the loop; when the lease is lost, running jobs are stopped.
        is_drained: Whether nothing waits in the spool, not even held back; asked when there was
            nothing to claim.
    """

    def __init__(
        self,
        worker: SpoolWorker,
        slots: Sequence[JobSlot],
        *,
        settings: DaemonSettings,
        renewer: LeaseRenewer,
        stop: StopToken,
        clock: Clock,
        is_drained: Callable[[], bool] = lambda: True,
    ) -> None:
        self._worker = worker
        self._slots = slots
        self._settings = settings
        self._renewer = renewer
        self._stop = stop
        self._clock = clock
        self._is_drained = is_drained
        self._claimed = 0
        self._found_nothing = False
        self._drain_due = clock.monotonic()
        self._reap_due = clock.monotonic()
        self._cancel_due = clock.monotonic()
        self._settler = Settler(worker, clock=clock)
        self._outages = Outages(clock)

    def run(self) -> int:
        """Work until stopped, drained or at the limit; give the number of jobs completed.

        When this returns or raises, no job runs and every claim was completed or given back, as
        far as the spool could be reached.

        Raises:
            ExecutionError: ``E_EXECUTION_TIMEOUT``: a child cannot be killed, so its job may still
                run; end the process without waiting for it.
        """
        try:
            # First, for the jobs of dead workers, and those that are due again, are to be had too.
            self._tidy()
            while not self._is_finished():
                self._renewer.tick()
                self._stop_lost_jobs()
                self._collect()
                self._fill()
                self._tidy()
                self._stop.wait(self._wait_s())
            self._finish()
        finally:
            self._release_all()
        if self._is_stuck():
            raise ExecutionError(
                ErrorCode.E_EXECUTION_TIMEOUT,
                "cannot end the process of a job: it does not die, as when it waits for a mount "
                "that does not answer; check the mounts, then start the worker again",
            )
        return self._settler.completed

    def _is_stuck(self) -> bool:
        return any(slot.is_stuck for slot in self._slots)

    def _is_finished(self) -> bool:
        if self._stop.is_stopping or self._is_stuck():
            return True
        if self._is_busy() or self._settler.has_open:
            return False
        if self._is_at_limit():
            return True
        if self._settings.until is Until.ONE_LOOK:
            return self._found_nothing
        return self._settings.until is Until.DRAINED and self._is_spool_drained()

    def _is_spool_drained(self) -> bool:
        if not self._found_nothing and not self._settler.is_backing_off:
            return False
        now = self._clock.monotonic()
        if now - self._settler.told_s >= self._settings.drain_patience_s:
            return True  # what still waits is not for this worker, or not for now
        if not self._found_nothing or now < self._drain_due:
            return False
        self._drain_due = now + self._settings.drain_interval_s
        try:
            return self._is_drained()
        except SpoolError as error:
            self._outages.note(error)
            return False

    def _is_at_limit(self) -> bool:
        limit = 1 if self._settings.until is Until.ONE_LOOK else self._settings.jobs_max
        return limit is not None and self._claimed >= limit

    def _is_busy(self) -> bool:
        return any(slot.claim is not None for slot in self._slots)

    def _wait_s(self) -> float:
        return self._settings.busy_wait_s if self._is_busy() else self._settings.idle_wait_s

    def _fill(self) -> None:
        self._found_nothing = False
        if self._settler.is_backing_off or self._renewer.is_lost or self._is_stuck():
            return  # a spool that takes no outcomes needs no more claims
        for slot in self._slots:
            if slot.claim is None and not self._is_at_limit() and not self._claim_for(slot):
                return

    def _claim_for(self, slot: JobSlot) -> bool:
        try:
            claim = self._worker.try_claim()
        except SpoolError as error:
            self._outages.note(error)
            return False
        self._outages.end()
        if claim is None:
            self._found_nothing = True
            return False
        self._claimed += 1
        _LOG.info("job_started", extra=fields_of(claim))
        verdict = self._guarded(slot, claim, partial(slot.start, claim))
        if verdict is not None:
            self._settler.settle(verdict)
        return True

    def _guarded(
        self, slot: JobSlot, claim: Claim, step: Callable[[], Verdict | None]
    ) -> Verdict | None:
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - one job must not end the worker of the others
            _LOG.exception("job_not_run", extra=fields_of(claim))
            slot.stop()
            message = f"cannot run the job: unexpected {type(error).__name__}; see the worker's log"
            # Charged, so that a job that does this to every worker ends dead, unless it is this
            # host that has no memory, processes or files left.
            is_charged = not isinstance(error, _HOST_ERRORS)
            code = ErrorCode.E_INTERNAL
            return Verdict(claim, code=code, message=message, is_charged=is_charged)

    def _collect(self) -> None:
        self._settler.retry()
        for slot in self._slots:
            claim = slot.claim
            verdict = None if claim is None else self._guarded(slot, claim, slot.poll)
            if verdict is not None:
                self._settler.settle(verdict)

    def _tidy(self) -> None:
        now = self._clock.monotonic()
        try:
            if now >= self._cancel_due:
                self._cancel_due = now + self._settings.cancel_interval_s
                self._stop_cancelled_jobs()
            if now >= self._reap_due:
                self._reap_due = now + self._settings.reap_interval_s
                # Once an hour this looks at every outcome that is kept, which is no standstill.
                self._renewer.tick(allow_s=self._settings.reap_allowance_s)
                self._worker.reap()
        except SpoolError as error:
            report(error)

    def _stop_cancelled_jobs(self) -> None:
        for slot in self._slots:
            claim = slot.claim
            if claim is not None and self._worker.is_cancelled(claim):
                slot.stop()
                self._settler.settle(Verdict(claim, slot.cancelled(claim)))

    def _stop_lost_jobs(self) -> None:
        # All are dead before the share is touched again, which may take long.
        lost = [slot.stop() for slot in self._slots if slot.claim and self._is_lost(slot.claim)]
        for claim in filter(None, lost):
            _LOG.error("lease_lost", extra=fields_of(claim))
            self._settler.give_back(claim)

    def _is_lost(self, claim: Claim) -> bool:
        is_reaped = self._worker.is_fenced or claim.worker_id != self._worker.worker_id
        return is_reaped or self._renewer.is_lost

    def _finish(self) -> None:
        deadline = self._clock.monotonic() + self._settings.grace_s
        while self._is_busy() or self._settler.has_open:
            if self._stop.is_immediate or self._clock.monotonic() >= deadline:
                return
            self._renewer.tick()
            self._stop_lost_jobs()
            self._collect()
            self._stop.wait(self._settings.busy_wait_s)

    def _release_all(self) -> None:
        for claim in [slot.stop() for slot in self._slots]:
            if claim is not None:
                self._settler.give_back(claim)
        self._settler.give_up()
