"""A mount that hangs holds nobody longer than he wanted to wait."""

import threading
from collections.abc import Iterator

import pytest

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.spool.fs import Missing
from ingestkit_excel.spool.patience import NoAnswer, Patience
from ingestkit_excel.testing.filesystem import SimulatedCrash

GENEROUS_S = 30.0
SHORT_S = 0.01


@pytest.fixture
def mount() -> Iterator[threading.Event]:
    """Give an event that ends every hang, and see that it ended them."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "spool-look":
            thread.join(GENEROUS_S)
            assert not thread.is_alive()


def looks() -> int:
    """Count the threads that look."""
    return sum(thread.name == "spool-look" for thread in threading.enumerate())


@pytest.mark.parametrize("timeout_s", [None, GENEROUS_S])
def test_answer_and_error_come_through(timeout_s: float | None) -> None:
    """The caller cannot tell on which thread it was looked, and none is left."""
    patience = Patience()
    assert patience.call(lambda: 7, timeout_s) == 7

    def fail() -> None:
        raise Missing("a", "no such name")

    def crash() -> None:
        raise SimulatedCrash

    with pytest.raises(Missing):
        patience.call(fail, timeout_s)
    with pytest.raises(SimulatedCrash):
        patience.call(crash, timeout_s)
    assert looks() == 0


def test_hang_ends_for_its_caller_in_time(mount: threading.Event) -> None:
    """The call itself goes on, on a thread that keeps no process alive."""
    patience, clock = Patience(), SystemClock()
    started_s = clock.monotonic()
    with pytest.raises(NoAnswer, match="did not answer"):
        patience.call(mount.wait, SHORT_S)
    assert clock.monotonic() - started_s < GENEROUS_S
    assert all(t.daemon for t in threading.enumerate() if t.name == "spool-look")


def test_calls_behind_a_hang_start_no_thread(mount: threading.Event) -> None:
    """However often callers ask, a dead mount holds one thread.

    Broken on purpose: starting a thread for each call makes this fail.
    """
    patience = Patience()
    for _ in range(5):
        with pytest.raises(NoAnswer):
            patience.call(mount.wait, SHORT_S)
    assert looks() == 1


def test_answers_come_again_after_a_hang(mount: threading.Event) -> None:
    """A mount that is back is used at once."""
    patience = Patience()
    with pytest.raises(NoAnswer):
        patience.call(mount.wait, SHORT_S)
    mount.set()
    assert patience.call(lambda: 7, GENEROUS_S) == 7
