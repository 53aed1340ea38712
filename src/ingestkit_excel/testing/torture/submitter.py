"""The submitters: each goes through its list, and goes on where its predecessor was killed."""

from collections.abc import Iterator
from typing import Final

from ingestkit_excel.errors import ErrorCode, IngestKitError
from ingestkit_excel.testing.history import Event, Kind, Phase, decode_history
from ingestkit_excel.testing.torture.actor import Actor
from ingestkit_excel.testing.torture.plan import CREW, Plan, Role, draft_of

__all__ = ["read_histories", "run_submitter"]

_CANCELLED_SHARE: Final = 0.03
_DELAYED_SHARE: Final = 0.03
_URGENT_SHARE: Final = 0.2
_TRIES_UNDER_KEY: Final = 100  # a full disk is emptied after a few seconds
_RETRY_S: Final = 0.1
_DONE_BY: Final = 0.9  # of the run, so that the last jobs meet faults too


def read_histories(plan: Plan, pattern: str) -> Iterator[Event]:
    """Give all events of the processes whose names match."""
    for path in sorted(plan.histories.glob(f"{pattern}.jsonl")):
        yield from decode_history(path.read_bytes(), path.stem)


def run_submitter(actor: Actor) -> None:
    """Submit what is left of the list, at the pace of the plan."""
    plan = actor.plan
    before = read_histories(plan, f"{Role.SUBMITTER}-{actor.number}.*")
    phases = {event.ref: event.phase for event in before if event.kind is Kind.SUBMIT}
    jobs = plan.jobs // CREW[Role.SUBMITTER]
    interval_s = plan.duration_s * _DONE_BY / jobs
    left = [index for index in range(jobs) if _is_open(plan, actor.number, index, phases)]
    for index in left:
        # By what the whole run should have come to, so that whoever was killed catches up.
        actor.pause(plan.began_s + index * interval_s - actor.history.now_s())
        if not actor.goes_on():
            return
        _submit(actor, index)


def _is_open(plan: Plan, number: int, index: int, phases: dict[str, Phase]) -> bool:
    """Whether a submission is still to be made: never tried, or unanswered and under a key."""
    ref, key, _ = draft_of(plan, number, index)
    phase = phases.get(ref)
    return phase is None or (key is not None and phase is not Phase.OK)


def _submit(actor: Actor, index: int) -> None:
    ref, key, _ = draft_of(actor.plan, actor.number, index)
    for _ in range(_TRIES_UNDER_KEY):
        job_id = _try_submit(actor, index)
        if job_id is not None or key is None or not actor.goes_on():
            break
        actor.pause(_RETRY_S)
    if job_id is not None and actor.random.random() < _CANCELLED_SHARE and key is None:
        try:
            actor.spool.cancel(job_id)
        except IngestKitError as error:
            print(f"{ref} not cancelled: {error}", flush=True)


def _try_submit(actor: Actor, index: int) -> str | None:
    ref, key, draft = draft_of(actor.plan, actor.number, index)
    dice, history = actor.random, actor.history
    delay_s = 1.0 if dice.random() < _DELAYED_SHARE else None
    priority = 1 if dice.random() < _URGENT_SHARE else 5
    began_s = history.now_s()
    history.write(Kind.SUBMIT, Phase.INVOKE, ref=ref)
    try:
        job_id = actor.spool.submit(draft, priority=priority, not_before_s=delay_s, key=key)
    except IngestKitError as error:
        # A full disk is found out before the job is there; any other error may come after.
        phase = Phase.FAIL if error.code is ErrorCode.E_SPOOL_FULL else Phase.UNKNOWN
        history.write(Kind.SUBMIT, phase, began_s=began_s, ref=ref, note=error.code.value)
        print(f"{ref}: {error}", flush=True)
        return None
    note = "keyed" if key is not None else ""
    history.write(Kind.SUBMIT, Phase.OK, began_s=began_s, ref=ref, job_id=job_id, note=note)
    return job_id
