"""The workers that do nothing for a job but end it, in all ways a job can end."""

import secrets
from collections.abc import Callable
from typing import Final, TypeVar

from ingestkit_excel.errors import ErrorCode, SpoolError
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool import Claim, Completion, Outcome, SpoolWorker
from ingestkit_excel.testing.history import Kind, Phase
from ingestkit_excel.testing.torture.actor import Actor

__all__ = ["run_worker"]

T = TypeVar("T")
_HOSTS: Final = 3  # on one's own host the dead are found by their locks, on others by leases
_HAND_MAX: Final = 3
_IDLE_S: Final = 0.02
_RETRY_S: Final = 0.05
_RUN_MAX_S: Final = 0.01
_WEDGED_SHARE: Final = 0.002
_PADDING_MAX: Final = 40
"""Table names in a result: most outcomes fit one page, and some need several writes' worth."""


def run_worker(actor: Actor) -> None:
    """Claim and end jobs until told to stop."""
    host = f"host{actor.number % _HOSTS}"
    worker = _insist(actor, lambda: actor.spool.enlist(host=host))
    if worker is None:
        return
    hand: list[tuple[Claim, str]] = []
    beat = _Beat(actor, worker)
    while actor.goes_on() or hand:
        beat.tick()
        if actor.goes_on() and len(hand) < _HAND_MAX:
            claim = _attempt(worker.try_claim)
            if claim is not None:
                hand.append((claim, _begin(actor, claim)))
                continue
        if hand:
            _settle(actor, worker, *hand.pop(actor.random.randrange(len(hand))))
        else:
            actor.pause(_IDLE_S)
    _attempt(worker.retire)


class _Beat:
    """Renews the lease and does the janitor's rounds between jobs, when they are due."""

    def __init__(self, actor: Actor, worker: SpoolWorker) -> None:
        self._actor = actor
        self._worker = worker
        self._renewed_s = self._reaped_s = 0.0

    def tick(self) -> None:
        """Do what is due."""
        now_s = self._actor.clock.monotonic()
        if now_s - self._renewed_s > self._actor.plan.lease_s / 6:
            self._renewed_s = now_s
            _attempt(self._worker.renew)
        if now_s - self._reaped_s > self._actor.plan.lease_s / 6:
            self._reaped_s = now_s
            _attempt(self._worker.reap)


def _attempt(call: Callable[[], T]) -> T | None:
    """Call once; a full disk is no reason to end."""
    try:
        return call()
    except SpoolError as error:
        print(error, flush=True)
        return None


def _insist(actor: Actor, call: Callable[[], T]) -> T | None:
    """Call until it is answered, or the run is over."""
    while True:  # ended by an answer, or by the end of the run
        answer = _attempt(call)
        if answer is not None or not actor.goes_on():
            return answer
        actor.pause(_RETRY_S)


def _begin(actor: Actor, claim: Claim) -> str:
    run_id = f"r{secrets.token_hex(8)}"
    actor.history.write(
        Kind.RUN,
        Phase.INVOKE,
        job_id=claim.job.job_id,
        attempt=claim.attempt,
        failures=claim.charged_failures,
        failures_max=claim.job.max_attempts,
        run_id=run_id,
    )
    return run_id


def _settle(actor: Actor, worker: SpoolWorker, claim: Claim, run_id: str) -> None:
    dice = actor.random
    is_wedged = dice.random() < _WEDGED_SHARE
    actor.pause(actor.plan.lease_s * 2 if is_wedged else dice.uniform(0.0, _RUN_MAX_S))
    actor.history.write(Kind.RUN, Phase.OK, job_id=claim.job.job_id, run_id=run_id)
    began_s = actor.history.now_s()
    completion = _insist(actor, _way_to_end(actor, worker, claim, run_id))
    facts: dict[str, str | int] = {"job_id": claim.job.job_id, "attempt": claim.attempt}
    if completion is Completion.PUBLISHED:
        facts["run_id"] = run_id
    elif completion is Completion.SUPERSEDED:
        actor.history.write(Kind.COMPLETE, Phase.FAIL, began_s=began_s, run_id=run_id, **facts)
        return
    elif completion is not Completion.DEAD:
        return
    actor.history.write(Kind.COMPLETE, Phase.OK, began_s=began_s, **facts)


def _way_to_end(
    actor: Actor, worker: SpoolWorker, claim: Claim, run_id: str
) -> Callable[[], Completion]:
    dice = actor.random.random()
    if dice < 0.05:
        return lambda: worker.retry(claim, code=ErrorCode.E_INTERNAL, message="it was meant to")
    if dice < 0.08:
        return lambda: worker.release(claim)
    if dice < 0.09:
        return lambda: worker.release(claim, delay_s=1.0)
    outcome = _outcome(actor, claim, run_id, status="failed" if dice < 0.12 else "done")
    return lambda: worker.complete(claim, outcome)


def _outcome(actor: Actor, claim: Claim, run_id: str, *, status: str) -> Outcome:
    names = [f"table_{run_id}_{n}" for n in range(actor.random.randrange(_PADDING_MAX))]
    result = ProcessingResult(
        file_path=claim.job.file_path, ingest_key="torture", ingest_run_id=run_id, tables=names
    )
    return Outcome(
        job_id=claim.job.job_id,
        status="done" if status == "done" else "failed",
        result=result,
        worker_id=claim.worker_id,
        host=actor.name,
        attempt=claim.attempt,
        job_digest=claim.stem.digest,
    )
