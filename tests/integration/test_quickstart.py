"""The quick start, run as a newcomer runs it."""

import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_VENV_PYTHON = _ROOT / ".venv" / "bin" / "python"


def _shape(output: str) -> list[str]:
    """Give the lines without what differs from run to run or by the width of a column."""
    steady = re.sub(r"j[0-9a-f]{32}", "JOB", output)
    return [" ".join(re.sub(r"\d+(\.\d+)?", "N", line).split()) for line in steady.splitlines()]


def _readme_output() -> list[str]:
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("```\n")[2].partition("```")[0]
    return [line for line in _shape(block) if line != "..."]


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
    printed = _shape(ended.stdout + ended.stderr)
    missing = [line for line in _readme_output() if line not in printed]
    assert not missing, "the README shows output that is not printed"
    assert (_ROOT / "quickstart-run" / "ingestkit.db").exists()
