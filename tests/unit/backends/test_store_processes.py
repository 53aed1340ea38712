"""Several processes write one store, and one of them may die at any time."""

import subprocess
import sys
from pathlib import Path

import pytest

from ingestkit_excel.backends import open_store

WRITER = """
import os, sys
from ingestkit_excel.backends import open_store
from ingestkit_excel.models import ColumnType, TableColumn, TableData

url, worker, fate = sys.argv[1:]
store = open_store(url)
columns = [TableColumn(name="v", header="V", type=ColumnType.TEXT)]
for number in range(3):
    with store.ingest_session(f"{worker}-{number}", f"{number}.xlsx"):
        rows = [(worker,)] * 5
        store.create_table(f"t{number}", TableData(columns, lambda: iter(rows)))
        if fate == "dies" and number == 1:
            os._exit(9)
store.close()
"""


def _start(url: str, worker: str, fate: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WRITER, url, worker, fate])


def _urls(tmp_path: Path) -> list[str]:
    return [f"sqlite:///{tmp_path}/s.db", f"bundle:///{tmp_path}/bundles"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [0, 1], ids=["sqlite", "bundle"])
def test_processes_never_mix_their_workbooks(tmp_path: Path, kind: int) -> None:
    """Each source shows the rows of exactly one of its writers."""
    url = _urls(tmp_path)[kind]
    children = [_start(url, worker, "lives") for worker in "abc"]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    store = open_store(url)
    for number in range(3):
        rows = store.query(f"SELECT v, COUNT(*) FROM t{number} GROUP BY v").rows
        assert len(rows) == 1
        assert rows[0][1] == 5
        assert store.sources()[f"{number}.xlsx"] == f"{rows[0][0]}-{number}"
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [0, 1], ids=["sqlite", "bundle"])
def test_a_writer_that_dies_leaves_nothing_half_visible(tmp_path: Path, kind: int) -> None:
    """What it had committed stays, what it was writing is not seen, and others go on."""
    url = _urls(tmp_path)[kind]
    assert _start(url, "a", "dies").wait(timeout=60) == 9
    store = open_store(url)
    assert store.table_names() == ["t0"]
    assert store.sources() == {"0.xlsx": "a-0"}
    store.close()
    assert _start(url, "b", "lives").wait(timeout=60) == 0
    store = open_store(url)
    assert store.table_names() == ["t0", "t1", "t2"]
    store.close()
