"""Waiting for an outcome ends with it, with the time, or with a failure that lasts."""

import contextlib

import pytest

from ingestkit_excel.errors import ErrorCode, ExecutionError, IngestKitError, SpoolError
from ingestkit_excel.spool import Outcome
from ingestkit_excel.spool.watch import wait_for
from ingestkit_excel.testing.clock import FakeClock

OUTCOME = Outcome(job_id="j" + "0" * 32, status="done", worker_id="w", attempt=1)
AWAY = SpoolError(ErrorCode.E_SPOOL_UNREACHABLE, "cannot look: no answer; try again")
TORN = ExecutionError(ErrorCode.E_EXECUTION_RESULT_LOST, "cannot read it: torn; submit again")


class Script:
    """Looks that give what they are told to, the last for ever."""

    def __init__(self, *answers: Outcome | IngestKitError | None) -> None:
        self._answers = list(answers)
        self.allowed: list[float | None] = []

    def __call__(self, allowed_s: float | None) -> Outcome | None:
        """Look once."""
        self.allowed.append(allowed_s)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, IngestKitError):
            raise answer
        return answer


def test_outcome_that_comes_is_given() -> None:
    """However many looks it takes; the pace slows down to one in two seconds."""
    clock, look = FakeClock(), Script(*[None] * 30, OUTCOME)
    assert wait_for(look, clock, None) is OUTCOME
    assert 30 < clock.monotonic() < 60
    assert set(look.allowed) == {None}


def test_wait_ends_with_its_time() -> None:
    """The last look is at the very end."""
    clock, look = FakeClock(), Script(None)
    assert wait_for(look, clock, 10.0) is None
    assert clock.monotonic() == pytest.approx(10.0)


def test_look_may_take_what_is_left_but_never_nothing() -> None:
    """A wait of no time still sees what a share answers at once."""
    look = Script(None)
    wait_for(look, FakeClock(), 10.0)
    allowed = [s for s in look.allowed if s is not None]
    assert (allowed[0], allowed[-1]) == (10.0, 0.5)
    assert allowed == sorted(allowed, reverse=True)


@pytest.mark.parametrize("failure", [AWAY, TORN])
def test_failure_that_passes_is_waited_out(failure: IngestKitError) -> None:
    """A look that failed says nothing about the job."""
    assert wait_for(Script(failure, failure, None, failure, OUTCOME), FakeClock(), 60.0) is OUTCOME


@pytest.mark.parametrize("failure", [AWAY, TORN])
@pytest.mark.parametrize("timeout_s", [None, 0.0, 10.0, 1000.0])
def test_failure_that_lasts_is_raised(failure: IngestKitError, timeout_s: float | None) -> None:
    """After a minute, or when the time is over."""
    clock = FakeClock()
    with pytest.raises(type(failure)):
        wait_for(Script(failure), clock, timeout_s)
    limit_s = 60.0 if timeout_s is None else min(60.0, timeout_s)
    assert limit_s <= clock.monotonic() <= limit_s + 2.0


class RecordingHint:
    """A hint that passes the time of its clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.waits: list[float] = []
        self.is_closed = False

    def wait(self, seconds: float) -> None:
        """Let it pass."""
        self.waits.append(seconds)
        self._clock.sleep(seconds)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


@pytest.mark.parametrize("last", [OUTCOME, None, AWAY])
def test_hint_is_opened_once_for_a_long_wait_and_closed(
    last: Outcome | SpoolError | None,
) -> None:
    """Whatever the wait ends with."""
    clock = FakeClock()
    opened: list[RecordingHint] = []

    def open_hint() -> RecordingHint:
        opened.append(RecordingHint(clock))
        return opened[-1]

    with contextlib.suppress(SpoolError):
        wait_for(Script(*[None] * 20, last), clock, 60.0, open_hint=open_hint)
    assert len(opened) == 1
    assert opened[0].waits
    assert opened[0].is_closed


def test_short_wait_opens_no_hint() -> None:
    """Looking often is cheaper."""

    def open_hint() -> None:
        raise AssertionError

    assert wait_for(Script(*[None] * 5, OUTCOME), FakeClock(), 1.0, open_hint=open_hint) is OUTCOME


def test_wait_without_a_hint_goes_on_looking() -> None:
    """Where the kernel tells nothing, the pace alone decides."""
    clock = FakeClock()
    assert wait_for(Script(*[None] * 30, OUTCOME), clock, None, open_hint=lambda: None) is OUTCOME
