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

_LONG_ROWS = 60_000  # seconds of work; the signals take none
_COPIES = 300  # far more than are done between the first line and the signal


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    """What was ingested is in the summary; SIGTERM does the same; there is no traceback."""
    first = tmp_path / "in" / "000.xlsx"
    first.parent.mkdir()
    book = Workbook()
    book.worksheets[0].append(("Name", "Age"))
    for index in range(8):
        book.worksheets[0].append((f"Person {index}", index))
    book.save(first)
    for copy in range(1, _COPIES):
        shutil.copy(first, first.with_name(f"{copy:03d}.xlsx"))
    command = [sys.executable, "-m", "ingestkit_excel", "ingest", "in", "--store", "out.db"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        begun = process.stderr.readline()
        process.send_signal(number)
        printed, told = process.communicate(timeout=60)
    assert begun.startswith("[1/300] ok")
    assert process.returncode == ExitCode.INTERRUPTED
    assert re.search(r"^300 workbooks: \d+ ok, 0 failed, \d+ open", printed, re.MULTILINE)
    assert "run the same command again" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_a_second_ctrl_c_stops_what_is_being_read(tmp_path: Path) -> None:
    """A workbook that takes long is given up, and that is no failure of it."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for index in range(_LONG_ROWS):
        sheet.append((f"Person {index}", index, index / 7))
    book.save(tmp_path / "long.xlsx")
    book = Workbook()
    book.worksheets[0].append(("A word",))
    book.save(tmp_path / "short.xlsx")
    command = [sys.executable, "-m", "ingestkit_excel", "ingest", "."]
    with subprocess.Popen(
        [*command, "--store", "out.db", "--workers", "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().endswith("short.xlsx\n")
        process.send_signal(signal.SIGINT)
        assert "Ctrl-C again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert re.search(r"^2 workbooks: [12] ok, 0 failed", printed, re.MULTILINE)
