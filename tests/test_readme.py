"""The examples of the README run as they stand, and what it points to exists."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestkit_excel.spool import Spool

_ROOT = Path(__file__).resolve().parents[1]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(r"^```python\n(.*?)^```", _README, re.DOTALL | re.MULTILINE)
_SHARE = "/mnt/share"  # stands in the README for wherever the share is mounted
_LINES_MAX = 15


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A share with the sample workbooks in it."""
    folder = tmp_path / "share" / "workbooks"
    script = _ROOT / "scripts" / "make_workbooks.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def worker(samples: Path, tmp_path: Path) -> Iterator[None]:
    """A worker process on a spool beside the samples."""
    spool = samples.parent / "spool"
    Spool.create(spool)
    with open(tmp_path / "worker.log", "wb") as log:
        command = [sys.executable, "-m", "spool_worker", "--spool", str(spool)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        yield
        process.terminate()
        assert process.wait(60) == 0


def _run(code: str, folder: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_examples_are_short() -> None:
    """One for each way to run."""
    assert len(_EXAMPLES) == 2
    assert all(len(code.splitlines()) <= _LINES_MAX for code in _EXAMPLES)


@pytest.mark.slow
def test_the_local_example_runs(samples: Path) -> None:
    """Both workbooks are ingested without an error."""
    lines = _run(_EXAMPLES[0], samples).splitlines()
    assert [line.split()[0] for line in lines] == ["roster.xlsx", "checklist.xlsx"]
    assert all(line.endswith("[]") for line in lines)


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_the_distributed_example_runs(samples: Path) -> None:
    """A worker process does what the local example does here."""
    printed = _run(_EXAMPLES[1].replace(_SHARE, str(samples.parent)), samples)
    assert "roster_roster" in printed
    assert printed.rstrip().endswith("[]")


def test_links_lead_somewhere() -> None:
    """Every relative link names a file of the checkout."""
    targets = re.findall(r"\]\(([^)#]+)\)", _README)
    assert targets
    assert [target for target in targets if not (_ROOT / target).exists()] == []
