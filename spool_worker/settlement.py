"""Telling the spool what became of claims, until it has taken it.

A share may be away when a job ends. What could not be told is kept and told again, so that no
claim of a living worker is left without anybody who looks after it.
"""

import logging
from dataclasses import dataclass
from typing import Final

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import SpoolError
from ingestkit_excel.spool import Claim, SpoolWorker
from spool_worker.isolation import Verdict

__all__ = ["Settler", "fields_of", "report"]

_LOG = logging.getLogger(__name__)
_DELAY_DOUBLINGS_MAX: Final = 6  # from half a minute to half an hour
_UNCHARGED_MAX: Final = 100  # two days at these delays; a root may be empty for good


@dataclass(frozen=True, slots=True)
class _Open:
    claim: Claim
    verdict: Verdict | None
    """``None`` when the claim is to be given back."""
    since_s: float


class Settler:
    """Ends claims; what the spool does not take now is kept for the next `retry`.

    Args:
        deadline_s: How long a verdict may fail to be told while the spool takes other changes;
            then its claim is given back uncharged.
        delay_s: How long a job given back so is held back, the first time.
    """

    def __init__(
        self,
        worker: SpoolWorker,
        *,
        clock: Clock,
        deadline_s: float = 60.0,
        delay_s: float = 30.0,
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._deadline_s = deadline_s
        self._delay_s = delay_s
        self._open: list[_Open] = []
        self._resume_s = clock.monotonic()
        self._misses = 0
        self.completed = 0
        self.told_s = clock.monotonic()
        """When a verdict was last told that was one on the job, not on this host."""

    @property
    def has_open(self) -> bool:
        """Whether something could not be told yet."""
        return bool(self._open)

    @property
    def is_backing_off(self) -> bool:
        """Whether no job should be claimed, for its outcome would not be taken."""
        return self.has_open or self._clock.monotonic() < self._resume_s

    def settle(self, verdict: Verdict) -> None:
        """Publish an outcome, or give the job back, charged or put off."""
        self._try(_Open(verdict.claim, verdict, self._clock.monotonic()))

    def give_back(self, claim: Claim) -> None:
        """Give a job back uncharged."""
        self._try(_Open(claim, None, self._clock.monotonic()))

    def retry(self) -> None:
        """Tell again what could not be told."""
        waiting, self._open = self._open, []
        for item in waiting:
            self._try(item)

    def give_up(self) -> None:
        """Give back what is left, once; what the spool does not take others find."""
        waiting, self._open = self._open, []
        for item in waiting:
            self._try(_Open(item.claim, None, item.since_s))
        self._open = []

    def _try(self, item: _Open) -> None:
        try:
            if item.verdict is None:
                self._release(item.claim)
            else:
                self._tell(item.verdict)
        except SpoolError as error:
            # The claim still stands, so nothing is lost: the next round tries again.
            report(error)
            if not self._is_let_go(item):
                self._open.append(item)

    def _tell(self, verdict: Verdict) -> None:
        claim = verdict.claim
        if not verdict.is_charged and self._is_put_off(verdict):
            return
        self._misses = 0
        self.told_s = self._clock.monotonic()
        if verdict.outcome is None:
            self._worker.retry(claim, code=verdict.code, message=verdict.message)
            _LOG.warning("job_retried", extra={**fields_of(claim), "code": verdict.code.value})
            return
        completion = self._worker.complete(claim, verdict.outcome)
        self.completed += 1
        facts = {"status": verdict.outcome.status, "completion": str(completion)}
        seconds = {"run_s": round(verdict.outcome.run_s, 3)}
        _LOG.info("job_completed", extra={**fields_of(claim), **facts, **seconds})

    def _is_put_off(self, verdict: Verdict) -> bool:
        claim = verdict.claim
        if _uncharged(claim) >= _UNCHARGED_MAX:
            return False
        _LOG.error("job_put_off", extra={**fields_of(claim), "reason": verdict.message})
        self._release(claim, delay_s=self._growing_delay_s(claim))
        # The next job may well fail for the same reason, and each is kept from other hosts for
        # a while, so the queue is not run through.
        pause_s = min(self._delay_s, 2.0**self._misses)
        self._misses += 1
        self._resume_s = self._clock.monotonic() + pause_s
        return True

    def _growing_delay_s(self, claim: Claim) -> float:
        return self._delay_s * 2.0 ** min(_uncharged(claim), _DELAY_DOUBLINGS_MAX)

    def _release(self, claim: Claim, *, delay_s: float = 0.0) -> None:
        self._worker.release(claim, delay_s=delay_s)
        _LOG.info("job_released", extra={**fields_of(claim), "delay_s": delay_s})

    def _is_let_go(self, item: _Open) -> bool:
        # Reached only after the spool refused the verdict again. Does it take the claim back,
        # then it is this outcome it does not take, which must not keep the worker from others.
        now = self._clock.monotonic()
        if item.verdict is None or now - item.since_s < self._deadline_s:
            return False
        try:
            self._release(item.claim, delay_s=self._growing_delay_s(item.claim))
        except SpoolError:
            return self._is_let_go_at_once(item.claim)
        return True

    def _is_let_go_at_once(self, claim: Claim) -> bool:
        # Holding a job back takes a new file, for which a full disk has no room.
        try:
            self._release(claim)
        except SpoolError:
            return False
        self._resume_s = self._clock.monotonic() + self._delay_s
        return True


def _uncharged(claim: Claim) -> int:
    return claim.attempt - claim.charged_failures - 1


def fields_of(claim: Claim) -> dict[str, object]:
    """Give what each log line about a claim says."""
    return {"job_id": claim.job.job_id, "attempt": claim.attempt}


def report(error: SpoolError) -> None:
    """Log that the spool could not do something."""
    extra = {"code": error.code.value, "reason": error.message}
    _LOG.error("spool_failed", extra=extra)
