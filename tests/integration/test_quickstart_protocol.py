"""A client that knows only the document, against a real worker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingestkit_excel.spool import Spool

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "submit_without_package.py"


@pytest.mark.slow
def test_a_client_that_follows_the_document_gets_its_outcome(tmp_path: Path) -> None:
    """Isolated mode keeps the package out of the client's reach."""
    book = Workbook()
    book.worksheets[0].append(("Name", "Age"))
    for index in range(8):
        book.worksheets[0].append((f"Person {index}", index))
    workbook = tmp_path / "people.xlsx"
    book.save(workbook)
    spool = tmp_path / "spool"
    Spool.create(spool)
    command = [sys.executable, "-m", "spool_worker", "--spool", str(spool)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", str(_EXAMPLE), str(spool), str(workbook)],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        worker.terminate()
        assert worker.wait(60) == 0
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["status"] == "done"
    assert outcome["result"]["tables_created"] == 1
    assert outcome["result"]["file_path"] == str(workbook)
