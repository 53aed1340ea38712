"""What a job does to its process stays in its process."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the child imports its function by name

import child_functions

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.execution.child import WarmChild

pytestmark = pytest.mark.slow

CLOCK = SystemClock()


@pytest.fixture
def child() -> Iterator[WarmChild]:
    """Give a child that is ended afterwards."""
    with WarmChild(child_functions.behave) as opened:
        yield opened


def test_a_child_serves_several_jobs(child: WarmChild) -> None:
    """Starting a process is paid once."""
    first = child.call("pid", timeout_s=30)
    assert child.call("text", timeout_s=30).text == "TEXT"
    assert child.call("pid", timeout_s=30).text == first.text


@pytest.mark.parametrize(("act", "cause"), [("segfault", "SIGSEGV"), ("exit", "exit code 7")])
def test_a_crash_is_a_coded_reply_and_the_next_job_runs(
    child: WarmChild, act: str, cause: str
) -> None:
    """A job that ends its process does not end the caller."""
    reply = child.call(act, timeout_s=30)
    assert reply.code is ErrorCode.E_EXECUTION_CRASHED
    assert cause in reply.message
    assert child.call("text", timeout_s=30).text == "TEXT"


def test_a_job_past_its_deadline_is_killed(child: WarmChild) -> None:
    """The child is gone when the timeout is reported."""
    pid = int(child.call("pid", timeout_s=30).text or "0")
    reply = child.call("hang", timeout_s=0.2)
    assert reply.code is ErrorCode.E_EXECUTION_TIMEOUT
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert child.call("text", timeout_s=30).text == "TEXT"


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_until_gone(pid: int) -> None:
    deadline = CLOCK.monotonic() + 5
    while _is_running(pid):
        assert CLOCK.monotonic() < deadline, "it runs on"
        CLOCK.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="process groups are looked at in /proc")
@pytest.mark.parametrize("end", ["kill", "close", "kill_at_once"])
def test_what_a_job_started_ends_with_the_child(child: WarmChild, tmp_path: Path, end: str) -> None:
    """A program that a reader calls would hold memory and locks for ever."""
    started = int(child.call(f"start {tmp_path / 'up'}", timeout_s=30).text or "0")
    assert _is_running(started)
    getattr(child, end)()
    _wait_until_gone(started)
    assert not child.is_stuck


@pytest.mark.skipif(sys.platform != "linux", reason="process groups are looked at in /proc")
def test_what_a_crashed_job_left_ends_too(child: WarmChild, tmp_path: Path) -> None:
    """The child is gone, its group is not."""
    started = int(child.call(f"start {tmp_path / 'up'}", timeout_s=30).text or "0")
    assert child.call("segfault", timeout_s=30).code is ErrorCode.E_EXECUTION_CRASHED
    _wait_until_gone(started)


def test_a_child_that_ignores_the_request_to_end_is_killed(child: WarmChild) -> None:
    """It has a second; nothing it could finish is wanted."""
    started = CLOCK.monotonic()
    assert child.call("stubborn", timeout_s=0.5).code is ErrorCode.E_EXECUTION_TIMEOUT
    assert CLOCK.monotonic() - started < 3
    assert not child.is_stuck


class HangingPool:
    """Cannot end its process, as when that waits for a mount that does not answer."""

    def __init__(self) -> None:
        self.answer = threading.Event()

    def stop(self) -> None:
        """Do nothing yet."""

    def join(self) -> None:
        """Wait for the mount."""
        self.answer.wait()


def test_a_child_that_cannot_be_killed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is not held up, and can see that it should leave."""
    monkeypatch.setattr("ingestkit_excel.execution.child._TERM_WAIT_S", 0.0)
    monkeypatch.setattr("ingestkit_excel.execution.child._KILL_WAIT_S", 0.01)
    child, pool = WarmChild(child_functions.behave), HangingPool()
    child._pool = pool  # type: ignore[assignment]
    child.close()
    assert child.is_stuck
    pool.answer.set()


def test_an_idle_child_that_was_killed_is_replaced(child: WarmChild) -> None:
    """The job after it is not charged."""
    pid = int(child.call("pid", timeout_s=30).text or "0")
    os.kill(pid, signal.SIGKILL)
    assert child.call("text", timeout_s=30).text == "TEXT"


def test_an_exception_in_the_job_is_told_by_its_type_only(child: WarmChild) -> None:
    """The text of an exception may hold cell content."""
    reply = child.call("raise", timeout_s=30)
    assert reply.code is ErrorCode.E_EXECUTION_CRASHED
    assert "ValueError" in reply.message
    assert "cell" not in reply.message


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="sessions are a POSIX notion")
def test_a_child_leads_its_own_session(child: WarmChild) -> None:
    """A Ctrl-C at the terminal reaches the parent alone."""
    pid = child.call("pid", timeout_s=30)
    assert child.call("session", timeout_s=30).text == pid.text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may not limit address space")
def test_a_job_cannot_take_more_memory_than_allowed() -> None:
    """It fails, and the child goes on."""
    with WarmChild(child_functions.behave, memory_bytes_max=4 << 30) as limited:
        reply = limited.call("allocate", timeout_s=30)
        assert reply.code is ErrorCode.E_EXECUTION_CRASHED
        assert "MemoryError" in reply.message
        assert limited.call("text", timeout_s=30).text == "TEXT"
