"""The quick start, run as a newcomer runs it."""

import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_VENV_PYTHON = _ROOT / ".venv" / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not _VENV_PYTHON.exists(), reason="needs the environment of scripts/test")
def test_the_quick_start_ends_with_tables_and_a_search_result() -> None:
    """A worker in another process ingests every sample, and the merged database answers."""
    ended = subprocess.run(
        [str(_ROOT / "scripts" / "quickstart")],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^(\d+) workbooks: \1 ok, 0 failed, 0 open", ended.stdout, re.MULTILINE)
    assert re.search(r"^Support +4 +\d+\.\d+$", ended.stdout, re.MULTILINE), ended.stdout
    assert "escalation policy" in ended.stdout
    assert (_ROOT / "quickstart-run" / "ingestkit.db").exists()
