"""A workbook goes in, one typed result comes out, whatever happens."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingestkit_excel.backends import HashingEmbedder, open_store
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.execution import LocalExecutionBackend
from ingestkit_excel.models import FileType, ProcessingResult
from ingestkit_excel.processors import SheetOutput
from ingestkit_excel.router import ExcelRouter, create_default_router


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    """Give a workbook with one plain table of twenty people."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Roster"
    sheet.append(["Id", "Name", "Hours"])
    for number in range(20):
        sheet.append([f"{number:04}", f"Person {number}", number * 1.5])
    path = tmp_path / "roster.xlsx"
    book.save(path)
    return path


def test_a_roster_becomes_a_table_and_chunks(roster: Path) -> None:
    """The rows stand in SQL, and the result names the table."""
    store = open_store("memory://")
    router = ExcelRouter(store, store, None, HashingEmbedder(64), ExcelProcessorConfig())
    result = router.process(str(roster))
    assert result.errors == []
    assert result.classification is not None
    assert result.classification.file_type is FileType.TABULAR_DATA
    assert result.tables_created == 1
    assert store.table_exists(result.tables[0])
    assert result.chunks_created == len(result.written.vector_point_ids) > 0


def test_running_twice_writes_the_same_ids(roster: Path, tmp_path: Path) -> None:
    """A second run leaves the store as the first one did."""
    router = create_default_router(f"sqlite:///{tmp_path / 's.db'}")
    first, second = (router.process(str(roster)) for _ in range(2))
    assert first.errors == second.errors == []
    assert first.written == second.written
    assert first.ingest_key == second.ingest_key


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (None, {"E_SOURCE_NOT_FOUND"}),
        (b"", {"E_PARSE_EMPTY", "E_PARSE_CORRUPT"}),
        (b"just text", {"E_PARSE_CORRUPT", "E_PARSE_UNSUPPORTED"}),
        (b"PK\x03\x04 torn", {"E_PARSE_CORRUPT"}),
    ],
)
def test_bad_input_is_a_coded_error(tmp_path: Path, content: bytes | None, codes: set[str]) -> None:
    """What cannot be read is told by a code and nothing is written."""
    path = tmp_path / "bad.xlsx"
    if content is not None:
        path.write_bytes(content)
    result = create_default_router("memory://").process(str(path))
    assert set(result.errors) <= codes
    assert len(result.errors) == 1
    assert result.tables == []


def test_a_defect_in_a_store_is_a_coded_error(roster: Path) -> None:
    """Even an exception nobody expects ends in a result."""

    class Broken(HashingEmbedder):
        def embed(self, texts: Sequence[str], timeout: float | None = None) -> list[list[float]]:
            raise RuntimeError(f"secret cell text {len(texts)} {timeout}")

    store = open_store("memory://")
    result = ExcelRouter(store, store, None, Broken(8)).process(str(roster))
    assert result.errors == ["E_INTERNAL"]
    assert "secret" not in result.error_details[0].message


@pytest.mark.parametrize("name", [b"r\xff.xlsx", b"nul\x00.xlsx", b"circle.xlsx"])
def test_a_path_that_cannot_be_used_is_a_coded_error(tmp_path: Path, name: bytes) -> None:
    """Undecodable names, NUL bytes and links in a circle end in a result that JSON can hold."""
    (tmp_path / "circle.xlsx").symlink_to(tmp_path / "circle.xlsx")
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    result = create_default_router("memory://").process(path)
    assert result.errors == ["E_SOURCE_UNREADABLE"]
    assert "rename" in result.error_details[0].message
    result.model_dump_json()


def test_a_batch_keeps_order_and_isolates_failures(roster: Path, tmp_path: Path) -> None:
    """The second of three paths fails; the others are unaffected."""
    router = create_default_router("memory://")
    paths = [str(roster), str(tmp_path / "none.xlsx"), str(roster)]
    results = router.process_batch(paths)
    assert [r.file_path for r in results] == paths
    assert [bool(r.errors) for r in results] == [False, True, False]


def test_a_processor_that_loses_a_sheet_is_a_coded_error(
    roster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success without any output is impossible where a sheet has cells; nothing is written."""
    monkeypatch.setattr("ingestkit_excel.router.process_sheet", lambda *_: SheetOutput())
    store = open_store("memory://")
    result = ExcelRouter(store, store, None, HashingEmbedder(8)).process(str(roster))
    assert result.errors == ["E_PROCESS_SERIALIZE"]
    assert result.error_details[0].sheet_name == "Roster"
    assert (result.tables, result.chunks_created) == ([], 0)


def test_a_closed_router_has_ended_its_children(roster: Path, tmp_path: Path) -> None:
    """The pool that a batch started is gone, and the router makes another when asked again."""
    config = ExcelProcessorConfig(execution_max_workers=2)
    url = f"sqlite:///{tmp_path / 's.db'}"
    with create_default_router(url, config=config) as router:
        pool = router._execution_backend()
        assert isinstance(pool, LocalExecutionBackend)
        assert router._execution_backend() is pool
        assert router.process(str(roster)).errors == []
    with pytest.raises(RuntimeError):
        pool.submit(str(roster), config)
    assert router.process(str(roster)).errors == []
    assert router._execution_backend() is not pool
    router.close()


def test_what_was_handed_in_stays_open(roster: Path) -> None:
    """A backend belongs to who made it."""

    class Watched(LocalExecutionBackend):
        is_closed = False

        def close(self) -> None:
            self.is_closed = True
            super().close()

    given = Watched(_never_called)
    router = create_default_router("memory://", execution=given)
    router.close()
    assert router._execution_backend() is given
    assert not given.is_closed
    assert router.process(str(roster)).errors == []


def _never_called(
    file_path: str, config: ExcelProcessorConfig, source_uri: str | None
) -> ProcessingResult:
    raise AssertionError((file_path, config, source_uri))
