"""A main loop that stands still ends its process before others run its jobs."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from spool_worker.watchdog import Watchdog


def _watchdog(calls: list[str]) -> Watchdog:
    def noting(name: str) -> Callable[[], None]:
        return lambda: calls.append(name)

    return Watchdog(kill=noting("kill"), abort=noting("abort"), interval_s=10, limit_s=30)


def test_a_loop_that_goes_round_is_left_alone() -> None:
    """However slowly, within the limit."""
    calls: list[str] = []
    watchdog = _watchdog(calls)
    for _ in range(20):
        watchdog.tick()
        assert all(watchdog.look() for _ in range(3))
    assert calls == []


def test_a_loop_that_stands_still_ends_the_process_after_its_children() -> None:
    """The children first, for ending the process may take a log that nobody reads."""
    calls: list[str] = []
    watchdog = _watchdog(calls)
    watchdog.tick()
    assert [watchdog.look() for _ in range(4)] == [True, True, True, False]
    assert calls == ["kill", "abort"]


def test_a_step_that_may_take_longer_is_given_its_time_once() -> None:
    """The next round is held to the usual limit again."""
    calls: list[str] = []
    watchdog = _watchdog(calls)
    watchdog.tick(allow_s=60)
    assert all(watchdog.look() for _ in range(9))
    watchdog.tick()
    assert [watchdog.look() for _ in range(4)] == [True, True, True, False]


def test_a_process_that_was_stopped_as_a_whole_is_left_alone() -> None:
    """Its loop gets its chance to go round when it goes on, however long it was stopped."""
    calls: list[str] = []
    watchdog = _watchdog(calls)
    watchdog.tick()
    watchdog.look()
    watchdog.look()  # the one look that was due for hours
    watchdog.tick()
    assert watchdog.look()
    assert calls == []


def test_the_thread_of_the_watchdog_ends_with_the_context() -> None:
    """No thread is left behind."""
    with _watchdog([]) as watchdog:
        watchdog.tick()


_BLOCKED = """
import os, signal
from spool_worker.watchdog import Watchdog
leave = lambda: os._exit(9)
with Watchdog(kill=lambda: print("killed", flush=True), abort=leave, interval_s=0.05, limit_s=0.1):
    signal.pause()
"""


@pytest.mark.slow
def test_a_process_whose_main_thread_is_blocked_ends() -> None:
    """With its exit code, and without waiting for the call that blocks."""
    ended = subprocess.run(
        [sys.executable, "-c", _BLOCKED], capture_output=True, text=True, check=False, timeout=30
    )
    assert (ended.returncode, ended.stdout) == (9, "killed\n")
    assert "main_loop_stalled" in ended.stderr
