"""Bundles are immutable, seen whole or not at all, and the newest counts on every host."""

import errno
import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from ingestkit_excel.backends import BundleStore, MemoryStore, SQLiteStore, export_bundles
from ingestkit_excel.backends.bundle_files import publish_directory
from ingestkit_excel.errors import BackendError, ConfigurationError
from ingestkit_excel.models import (
    ChunkMetadata,
    ChunkPayload,
    ColumnType,
    IngestionMethod,
    ParserUsed,
    TableColumn,
    TableData,
)


def _chunk(text: str, *, uri: str, run: str = "r", db_uri: str | None = None) -> ChunkPayload:
    metadata = ChunkMetadata(
        source_uri=uri,
        sheet_name="S",
        ingestion_method=IngestionMethod.TEXT_SERIALIZATION,
        parser_used=ParserUsed.OPENPYXL,
        parser_version="1",
        chunk_index=0,
        chunk_hash="h",
        ingest_key="k",
        ingest_run_id=run,
        db_uri=db_uri,
    )
    return ChunkPayload(id=f"{uri}-0", text=text, vector=[0.5, 0.5], metadata=metadata)


def _fill(store: BundleStore, chunk: ChunkPayload) -> None:
    columns = [TableColumn(name="id", header="Id", type=ColumnType.TEXT)]
    name = chunk.metadata.source_uri.replace(".", "_")
    store.create_table(name, TableData(columns, lambda: iter([("007",)])))
    store.upsert_chunks("c", [chunk])


def _put(store: BundleStore, key: str, chunk: ChunkPayload) -> None:
    with store.ingest_session(key, chunk.metadata.source_uri):
        _fill(store, chunk)


def _directories(root: Path) -> list[str]:
    return sorted(str(p.parent.relative_to(root)) for p in root.glob("*/*/manifest.json"))


def test_equal_runs_make_one_bundle(tmp_path: Path) -> None:
    """Run ids and this host's path of the store make no new version."""
    _put(BundleStore(tmp_path), "k", _chunk("x", uri="a.xlsx", run="1", db_uri="bundle:////a"))
    before = _directories(tmp_path)
    _put(BundleStore(tmp_path), "k", _chunk("x", uri="a.xlsx", run="2", db_uri="bundle:////b"))
    assert _directories(tmp_path) == before
    assert [name.split("/")[1] for name in before] == ["00000001-k"]
    assert not list(tmp_path.glob(".*"))


def test_other_content_under_the_same_key_is_a_new_version(tmp_path: Path) -> None:
    """A changed setting gives new chunks, and they count."""
    store = BundleStore(tmp_path)
    _put(store, "k", _chunk("one", uri="a.xlsx"))
    _put(store, "k", _chunk("two", uri="a.xlsx"))
    assert [path.name for path in store.bundles()] == ["00000002-k"]
    assert store.search("one") == []


def test_writers_at_the_same_time_end_in_one_order(tmp_path: Path) -> None:
    """Two hosts with an open session each: the one that publishes last has the higher version."""
    first, second = BundleStore(tmp_path), BundleStore(tmp_path)
    with ExitStack() as slow:
        slow.enter_context(first.ingest_session("k1", "a.xlsx"))
        _fill(first, _chunk("slow", uri="a.xlsx"))
        _put(second, "k2", _chunk("fast", uri="a.xlsx"))
    assert [path.name for path in second.bundles()] == ["00000002-k1"]
    assert second.sources() == first.sources() == {"a.xlsx": "k1"}


def test_the_same_job_run_by_two_hosts_at_once_makes_one_bundle(tmp_path: Path) -> None:
    """The later of two equal writers finds its work done."""
    first, second = BundleStore(tmp_path), BundleStore(tmp_path)
    with ExitStack() as slow:
        slow.enter_context(first.ingest_session("k", "a.xlsx"))
        _fill(first, _chunk("x", uri="a.xlsx"))
        _put(second, "k", _chunk("x", uri="a.xlsx"))
    assert len(_directories(tmp_path)) == 1


def test_equal_version_numbers_are_told_apart_by_key(tmp_path: Path) -> None:
    """Where two writers took the same number, every reader picks the same bundle."""
    store = BundleStore(tmp_path)
    _put(store, "k1", _chunk("one", uri="a.xlsx"))
    (low,) = store.bundles()
    _put(store, "k2", _chunk("two", uri="a.xlsx"))
    (high,) = store.bundles()
    high.rename(low.parent / "00000001-k2")
    assert [path.name for path in store.bundles()] == ["00000001-k2"]


def test_a_taken_name_is_not_overwritten(tmp_path: Path) -> None:
    """The rename onto a published bundle fails and says so."""
    private, final = tmp_path / "private", tmp_path / "final"
    for path in (private, final):
        path.mkdir()
        (path / "f").write_text(path.name)
    assert publish_directory(private, final) is False
    assert (final / "f").read_text() == "final"
    assert publish_directory(private, tmp_path / "free") is True


def test_a_rename_into_nowhere_is_an_error(tmp_path: Path) -> None:
    """What is not published is never taken for published."""
    private = tmp_path / "private"
    private.mkdir()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is checked below
        publish_directory(private, tmp_path / "none" / "final")
    assert caught.value.errno == errno.ENOENT


def test_published_bundles_cannot_be_changed(tmp_path: Path) -> None:
    """Writing outside of a session is refused with the way to do it."""
    with pytest.raises(ConfigurationError, match="ingest_session"):
        BundleStore(tmp_path).upsert_chunks("c", [])


def test_prune_removes_what_is_superseded_or_abandoned(tmp_path: Path) -> None:
    """The present bundles stay; a building directory stays as long as it may be alive."""
    store = BundleStore(tmp_path)
    for key, text in (("k1", "one"), ("k2", "two"), ("k3", "three")):
        _put(store, key, _chunk(text, uri="a.xlsx"))
    (tmp_path / ".building-dead").mkdir()
    assert store.prune() == 2
    assert (tmp_path / ".building-dead").is_dir()
    assert store.prune(abandoned_s=-1) == 1
    assert len(store.search("three")) == 1
    assert [path.name for path in tmp_path.glob("*/*")] == ["00000003-k3"]


def test_a_version_number_is_not_used_again_after_pruning(tmp_path: Path) -> None:
    """The next version goes on from the present one."""
    store = BundleStore(tmp_path)
    for key in ("k1", "k2"):
        _put(store, key, _chunk(key, uri="a.xlsx"))
    store.prune()
    _put(store, "k1", _chunk("k1", uri="a.xlsx"))
    assert [path.name for path in store.bundles()] == ["00000003-k1"]


def test_the_manifest_tells_counts_and_digests(tmp_path: Path) -> None:
    """A reader in another language finds everything by name."""
    store = BundleStore(tmp_path)
    _put(store, "k1", _chunk("one", uri="a.xlsx"))
    (bundle,) = store.bundles()
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["source_uri"] == "a.xlsx"
    assert manifest["ingest_key"] == "k1"
    assert manifest["chunks"] == 1
    assert manifest["rows"] == {"a_xlsx": 1}
    assert set(manifest["files"]) == {"chunks.jsonl", "tables.sqlite"}
    line = json.loads((bundle / "chunks.jsonl").read_text())
    assert line["vector"] == [0.5, 0.5]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "x"}'])
def test_a_broken_manifest_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    """The error names the directory and what to do."""
    store = BundleStore(tmp_path)
    _put(store, "k1", _chunk("one", uri="a.xlsx"))
    (store.bundles()[0] / "manifest.json").write_text(text)
    with pytest.raises(BackendError, match="ingest its workbook again"):
        store.table_names()


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    """A bundle of a later release is not guessed at."""
    store = BundleStore(tmp_path)
    _put(store, "k1", _chunk("one", uri="a.xlsx"))
    (store.bundles()[0] / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(ConfigurationError, match="update ingestkit-excel"):
        store.sources()


def test_broken_chunks_are_a_coded_error(tmp_path: Path) -> None:
    """A search never skips over damage."""
    store = BundleStore(tmp_path)
    _put(store, "k1", _chunk("one", uri="a.xlsx"))
    (store.bundles()[0] / "chunks.jsonl").write_text("{broken\n")
    with pytest.raises(BackendError, match=r"chunks\.jsonl"):
        store.search("one")


def test_an_empty_or_missing_root_holds_nothing(tmp_path: Path) -> None:
    """Reading makes no directory."""
    store = BundleStore(tmp_path / "none")
    assert (store.search("x"), store.table_names(), store.sources()) == ([], [], {})
    assert store.prune() == 0
    assert not (tmp_path / "none").exists()


def test_a_root_that_cannot_be_made_is_a_coded_error(tmp_path: Path) -> None:
    """A file in the way is told as a failure of the disk."""
    (tmp_path / "file").write_text("")
    store = BundleStore(tmp_path / "file" / "root")
    with pytest.raises(BackendError, match="E_BACKEND_DB_CONNECT"):
        _put(store, "k", _chunk("x", uri="a.xlsx"))


def test_export_copies_what_is_new_or_changed(tmp_path: Path) -> None:
    """A second export copies nothing, a third only the workbook that changed."""
    bundles, target = BundleStore(tmp_path / "b"), SQLiteStore(tmp_path / "s.db")
    for uri in ("a.xlsx", "b.xlsx"):
        _put(bundles, "k", _chunk("first words", uri=uri, db_uri="bundle:////x"))
    reports = [export_bundles(tmp_path / "b", target) for _ in range(2)]
    assert [(r.exported, r.unchanged) for r in reports] == [(2, 0), (0, 2)]
    _put(bundles, "k2", _chunk("second words", uri="a.xlsx", db_uri="bundle:////x"))
    report = export_bundles(tmp_path / "b", target)
    assert (report.exported, report.unchanged) == (1, 1)
    hits = target.search("words")
    assert sorted(hit.snippet for hit in hits) == ["first words", "second words"]
    assert {hit.metadata["db_uri"] for hit in hits} == {target.get_connection_uri()}
    assert target.query("SELECT * FROM a_xlsx").rows == [("007",)]
    assert target.get_table_schema("a_xlsx") == {"id": "text"}
    target.close()


def test_export_refuses_damaged_bundles(tmp_path: Path) -> None:
    """Files that do not fit their digests are not copied."""
    bundles, target = BundleStore(tmp_path), MemoryStore()
    _put(bundles, "k", _chunk("x", uri="a.xlsx"))
    with (bundles.bundles()[0] / "chunks.jsonl").open("a") as stream:
        stream.write("\n")
    with pytest.raises(BackendError, match="digest"):
        export_bundles(tmp_path, target)
    assert target.sources() == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("STRASSE", "straße"),
        ("Die Straße", "strasse"),
        ("300 \u212a", "k"),
        ('a "quoted" word', "QUOTED"),
        ("Überstunden", "überstunden"),
    ],
)
def test_words_are_found_in_any_case_and_script(tmp_path: Path, text: str, words: str) -> None:
    """Lines that are skipped unparsed never hold a match."""
    store, twin = BundleStore(tmp_path), MemoryStore()
    _put(store, "k", _chunk(text, uri="a.xlsx"))
    twin.upsert_chunks("c", [_chunk(text, uri="a.xlsx")])
    assert store.search(words) == twin.search(words)
    assert len(store.search(words)) == 1


def test_a_number_taken_by_another_key_is_passed_over(tmp_path: Path) -> None:
    """The next free number is taken, and the bundle in the way stays whole."""
    store = BundleStore(tmp_path)
    _put(store, "k1", _chunk("one", uri="a.xlsx"))
    (bundle,) = store.bundles()
    with store.ingest_session("k1", "a.xlsx"):
        _fill(store, _chunk("two", uri="a.xlsx"))
    assert [path.name for path in store.bundles()] == ["00000002-k1"]
    assert json.loads((bundle / "chunks.jsonl").read_text())["text"] == "one"
