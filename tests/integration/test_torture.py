"""Real processes at a spool, killed, paused and cheated, for twenty seconds."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_killed_and_paused_processes_break_no_promise() -> None:
    """Whatever the timing, no job is lost, run past its end, or has two outcomes."""
    command = [sys.executable, "-m", "ingestkit_excel.testing.torture", "--minutes", "0.33"]
    ended = subprocess.run(
        [*command, "--jobs", "500"], capture_output=True, text=True, timeout=390, check=False
    )
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
