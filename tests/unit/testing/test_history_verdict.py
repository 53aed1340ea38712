"""The check of histories: a good one passes, and each broken promise is found."""

from dataclasses import replace

import pytest

from ingestkit_excel.testing.history import (
    Commit,
    Event,
    Kind,
    Phase,
    Remains,
    Shown,
    decode_history,
    encode_event,
)
from ingestkit_excel.testing.verdict import Flaw, check

JOB, OTHER = "j1", "j2"
OK, FAIL, INVOKE, UNKNOWN = Phase.OK, Phase.FAIL, Phase.INVOKE, Phase.UNKNOWN


def event(kind: Kind, phase: Phase, at_s: float, **facts: object) -> Event:
    """Give an event that took no time."""
    return replace(Event(kind, phase, at_s, at_s, process="p", failures_max=3), **facts)  # type: ignore[arg-type]


def submitted(job_id: str = JOB, ref: str = "a", at_s: float = 0.0) -> list[Event]:
    """Give a submission and its answer."""
    return [
        event(Kind.SUBMIT, INVOKE, at_s, ref=ref),
        event(Kind.SUBMIT, OK, at_s, ref=ref, job_id=job_id),
    ]


def read(at_s: float, digest: str = "d1") -> Event:
    """Give a look that found the outcome."""
    return event(Kind.READ, OK, at_s, job_id=JOB, digest=digest)


def at(kind: Kind, at_s: float, phase: Phase = OK, **facts: object) -> Event:
    """Give an event of the first attempt at the job."""
    return event(kind, phase, at_s, **{"job_id": JOB, "attempt": 1, **facts})


ENDED = Remains((Commit(JOB, 1, "x", "a"),), (Shown(JOB, 1, "x", "r1", "d1"),), {})
EMPTY = Remains((), (), {})
GOOD = [
    *submitted(),
    at(Kind.READ, 0.5, FAIL),
    at(Kind.CLAIM, 1.0),
    at(Kind.RUN, 1.1, INVOKE, run_id="r1"),
    at(Kind.RUN, 1.2, run_id="r1"),
    at(Kind.FENCE, 1.3),
    at(Kind.COMPLETE, 1.4, run_id="r1"),
    read(1.5),
]


def flaws(events: list[Event], remains: Remains) -> set[Flaw]:
    """Give the kinds of violations."""
    return {violation.flaw for violation in check(events, remains).violations}


def test_a_job_that_runs_once_and_is_read_is_right() -> None:
    """The plain way has no flaw."""
    verdict = check(GOOD, ENDED)
    assert verdict.violations == ()
    assert (verdict.figures.accepted, verdict.figures.ended, verdict.figures.reads) == (1, 1, 2)


def test_a_job_taken_back_and_run_again_is_right() -> None:
    """The first worker is told that the job is not its own; that its runs overlap is counted."""
    remains = Remains((Commit(JOB, 2, "x", "a"),), (Shown(JOB, 2, "x", "r2", "d1"),), {})
    events = [
        *submitted(),
        at(Kind.CLAIM, 1.0),
        at(Kind.RUN, 1.1, INVOKE, run_id="r1"),
        at(Kind.TAKE_BACK, 2.0, process="q"),
        at(Kind.CLAIM, 2.1, attempt=2, process="q"),
        at(Kind.RUN, 2.2, INVOKE, run_id="r2", attempt=2, failures=1, process="q"),
        at(Kind.RUN, 2.3, run_id="r2", attempt=2, process="q"),
        at(Kind.FENCE, 2.4, attempt=2, process="q"),
        at(Kind.COMPLETE, 2.5, attempt=2, run_id="r2", process="q"),
        at(Kind.RUN, 3.0, run_id="r1"),
        at(Kind.COMPLETE, 3.1, FAIL, run_id="r1"),
        read(3.2),
    ]
    verdict = check(events, remains)
    assert verdict.violations == ()
    assert (verdict.figures.executions, verdict.figures.overlaps) == (2, 1)
    assert verdict.figures.superseded == 1
    assert verdict.figures.overlap_rate == 0.5


def test_an_execution_ends_with_its_process() -> None:
    """A killed worker does not run its job for ever."""
    events = [
        at(Kind.RUN, 1.0, INVOKE, run_id="r1"),
        event(Kind.END, OK, 2.0, note="p"),
        at(Kind.RUN, 3.0, INVOKE, run_id="r2", process="q"),
    ]
    assert check(events, EMPTY).figures.overlaps == 0


@pytest.mark.parametrize("last", [[], [event(Kind.SUBMIT, UNKNOWN, 0.1, ref="a")]])
def test_an_unanswered_submission_may_or_may_not_have_happened(last: list[Event]) -> None:
    """Both are right, and the one that happened is counted as recovered."""
    events = [event(Kind.SUBMIT, INVOKE, 0.0, ref="a"), *last]
    here, gone = check(events, ENDED), check(events, EMPTY)
    assert here.violations == gone.violations == ()
    assert (here.figures.unanswered, here.figures.recovered) == (1, 1)
    assert (gone.figures.unanswered, gone.figures.recovered) == (1, 0)


def test_a_refused_submission_that_left_nothing_is_right() -> None:
    """No job, no outcome."""
    events = [event(Kind.SUBMIT, INVOKE, 0.0, ref="a"), event(Kind.SUBMIT, FAIL, 0.1, ref="a")]
    verdict = check(events, EMPTY)
    assert (verdict.violations, verdict.figures.refused) == ((), 1)


def test_a_submission_repeated_under_its_key_may_give_the_same_id() -> None:
    """Its first submitter died before it was answered."""
    events = [event(Kind.SUBMIT, INVOKE, 0.0, ref="a", process="q"), *submitted(at_s=0.1)]
    assert check([*events, *GOOD[2:]], ENDED).violations == ()


REFUSED = [event(Kind.SUBMIT, INVOKE, 0.0, ref="a"), event(Kind.SUBMIT, FAIL, 0.1, ref="a")]
HIDDEN = Remains(ENDED.commits, (), {})
TWICE = Remains((*ENDED.commits, Commit(JOB, 2, "x", "a")), ENDED.shown, {})
NEWER = Remains(ENDED.commits, (Shown(JOB, 2, "x", "r1", "d1"),), {})
FORGED = Remains(ENDED.commits, (Shown(JOB, 1, "y", "r1", "d1"),), {})

BAD = {
    "nowhere": (Flaw.LOST, submitted(), EMPTY),
    "still waiting": (Flaw.LOST, submitted(), Remains((), (), {JOB: "pending"})),
    "waiting unanswered": (Flaw.LOST, GOOD[:1], Remains((), (), {JOB: "pending"})),
    "never shown": (Flaw.LOST, GOOD[:1] + GOOD[1:2], HIDDEN),
    "nobody asked": (Flaw.UNEXPECTED, [], ENDED),
    "shown without commit": (Flaw.UNEXPECTED, GOOD, Remains((), ENDED.shown, {})),
    "refused and done": (Flaw.DENIED, REFUSED, ENDED),
    "two commits": (Flaw.DUPLICATED, GOOD, TWICE),
    "commit and still waiting": (
        Flaw.DUPLICATED,
        GOOD,
        Remains(ENDED.commits, ENDED.shown, {JOB: "pending"}),
    ),
    "two fences": (Flaw.DUPLICATED, [*GOOD, at(Kind.FENCE, 9.0, process="q")], ENDED),
    "two winners": (Flaw.DUPLICATED, [*GOOD, at(Kind.COMPLETE, 9.0, process="q")], ENDED),
    "two claims of one attempt": (
        Flaw.DUPLICATED,
        [*GOOD, at(Kind.CLAIM, 1.0, process="q")],
        ENDED,
    ),
    "two contents": (Flaw.DUPLICATED, [*GOOD, read(9.0, "d2")], ENDED),
    "changed after the last read": (
        Flaw.DUPLICATED,
        [*GOOD[:-1], read(1.5, "d0")],
        ENDED,
    ),
    "one key, two answers": (
        Flaw.DUPLICATED,
        [*GOOD, *submitted(OTHER)],
        Remains(
            (*ENDED.commits, Commit(OTHER, 1, "x", "a")),
            (*ENDED.shown, Shown(OTHER, 1, "x", "r9", "d9")),
            {},
        ),
    ),
    "one submission, two jobs": (
        Flaw.DUPLICATED,
        GOOD,
        Remains((*ENDED.commits, Commit(OTHER, 1, "x", "a")), ENDED.shown, {}),
    ),
    "committed though taken back": (Flaw.ZOMBIE, [*GOOD, at(Kind.TAKE_BACK, 1.2)], ENDED),
    "committed though claimed anew": (
        Flaw.ZOMBIE,
        [*GOOD, at(Kind.CLAIM, 1.2, attempt=2, process="q")],
        ENDED,
    ),
    "counts though disowned": (
        Flaw.ZOMBIE,
        [*GOOD[:6], at(Kind.COMPLETE, 1.4, FAIL, run_id="r1")],
        ENDED,
    ),
    "another attempt shown": (Flaw.MISMATCHED, GOOD, NEWER),
    "of another job file": (Flaw.MISMATCHED, GOOD, FORGED),
    "of another run": (Flaw.MISMATCHED, [*GOOD[:6], at(Kind.COMPLETE, 1.4, run_id="r0")], ENDED),
    "gone again": (Flaw.DISORDERED, [*GOOD, at(Kind.READ, 9.0, FAIL)], ENDED),
    "ids step back": (
        Flaw.DISORDERED,
        [*submitted(OTHER, "b", -1.0), *GOOD],
        Remains(
            (*ENDED.commits, Commit(OTHER, 1, "x", "b")),
            (*ENDED.shown, Shown(OTHER, 1, "x", "r9", "d9")),
            {},
        ),
    ),
    "run once too often": (
        Flaw.OVERRUN,
        [*GOOD, at(Kind.RUN, 1.1, INVOKE, failures=3, run_id="r1")],
        ENDED,
    ),
    "half an outcome": (Flaw.TORN, [*GOOD, at(Kind.TORN, 1.4, note="no digest")], ENDED),
}


@pytest.mark.parametrize("name", BAD)
def test_each_broken_promise_is_found(name: str) -> None:
    """And nothing else is said of it."""
    flaw, events, remains = BAD[name]
    assert flaws(events, remains) == {flaw}


def test_a_history_is_read_back_up_to_where_its_writer_died() -> None:
    """What is no whole line was never told to anybody."""
    lines = [encode_event(event) for event in GOOD]
    cut = b"".join(lines)[:-5]
    assert decode_history(cut, "p") == [replace(event, process="p") for event in GOOD[:-1]]
