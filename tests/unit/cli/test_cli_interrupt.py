"""Ctrl-C during a real run of the command."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingestkit_excel.cli import ExitCode

_COPIES = 300  # far more than are done between the first line and the signal


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    """What was ingested is in the summary; there is no traceback."""
    first = tmp_path / "in" / "000.xlsx"
    first.parent.mkdir()
    book = Workbook()
    book.worksheets[0].append(("Name", "Age"))
    for index in range(8):
        book.worksheets[0].append((f"Person {index}", index))
    book.save(first)
    for number in range(1, _COPIES):
        shutil.copy(first, first.with_name(f"{number:03d}.xlsx"))
    command = [sys.executable, "-m", "ingestkit_excel", "ingest", "in", "--store", "out.db"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        begun = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=60)
    assert begun.startswith("[1/300] ok")
    assert process.returncode == ExitCode.INTERRUPTED
    assert re.search(r"^300 workbooks: \d+ ok, 0 failed, \d+ open", printed, re.MULTILINE)
    assert "run the same command again" in told
    assert "Traceback" not in told
