"""What a job does to its process stays in its process."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the child imports its function by name

import child_functions

from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.execution.child import WarmChild

pytestmark = pytest.mark.slow


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
