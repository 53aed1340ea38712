"""A few real workbooks, here and through a spool with two workers."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_CORPUS = _ROOT.parent / "shared" / "corpus" / "files"


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.skipif(not _CORPUS.is_dir(), reason="the sample workbooks are not beside the checkout")
def test_both_ways_to_run_give_equal_results() -> None:
    """`scripts/corpus_run` without a limit holds all of them to it."""
    ended = subprocess.run(
        [sys.executable, str(_ROOT / "scripts" / "corpus_run"), "--limit", "10"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "results equal: 10 of 10" in ended.stdout
