"""What every embedded store promises, run over all of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestkit_excel.backends import EmbeddedStore, open_store
from ingestkit_excel.errors import BackendError, ProcessingError
from ingestkit_excel.models import (
    ChunkMetadata,
    ChunkPayload,
    ColumnType,
    IngestionMethod,
    ParserUsed,
    TableColumn,
    TableData,
    TableValue,
)
from ingestkit_excel.protocols import IngestSessions, StructuredDBBackend, VectorStoreBackend


@pytest.fixture(params=["memory", "sqlite", "bundle"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedStore]:
    """Give each kind of store, empty."""
    urls = {
        "memory": "memory://",
        "sqlite": f"sqlite:///{tmp_path}/s.db",
        "bundle": f"bundle:///{tmp_path}/bundles",
    }
    opened = open_store(urls[request.param])
    yield opened
    opened.close()


def _chunk(text: str, *, number: int = 0, uri: str = "a.xlsx") -> ChunkPayload:
    metadata = ChunkMetadata(
        source_uri=uri,
        sheet_name="S",
        ingestion_method=IngestionMethod.TEXT_SERIALIZATION,
        parser_used=ParserUsed.OPENPYXL,
        parser_version="1",
        chunk_index=number,
        chunk_hash="h",
        ingest_key="k",
        ingest_run_id="r",
    )
    return ChunkPayload(id=f"{uri}-{number}", text=text, vector=[0.5, 0.5], metadata=metadata)


def _table(*rows: tuple[TableValue, ...]) -> TableData:
    columns = [
        TableColumn(name="id", header="Id", type=ColumnType.TEXT),
        TableColumn(name='odd "name"', header="Odd", type=ColumnType.INTEGER),
    ]
    return TableData(columns, lambda: iter(rows))


def _put(store: EmbeddedStore, key: str, uri: str, text: str, table: str) -> None:
    with store.ingest_session(key, uri):
        store.create_table(table, _table(("007", 1), (text, None)))
        store.ensure_collection("c", 2)
        store.upsert_chunks("c", [_chunk(text, uri=uri)])


def test_a_store_offers_all_three_protocols(store: EmbeddedStore) -> None:
    """The router may use one object for everything."""
    assert isinstance(store, VectorStoreBackend)
    assert isinstance(store, StructuredDBBackend)
    assert isinstance(store, IngestSessions)


def test_a_committed_session_is_found_by_words_and_by_sql(store: EmbeddedStore) -> None:
    """Chunks are searched, tables are queried, values come back as they were."""
    _put(store, "k1", "a.xlsx", "The quick fox", "people")
    hits = store.search("FOX!")
    assert [hit.chunk_id for hit in hits] == ["a.xlsx-0"]
    assert "quick" in hits[0].snippet
    assert hits[0].metadata["source_uri"] == "a.xlsx"
    result = store.query("SELECT * FROM people")
    assert result.columns == ("id", 'odd "name"')
    assert result.rows == [("007", 1), ("The quick fox", None)]
    assert store.get_table_schema("people") == {"id": "text", 'odd "name"': "integer"}


def test_a_failed_session_leaves_no_trace(store: EmbeddedStore) -> None:
    """What was there before the session is there after it."""
    _put(store, "k1", "a.xlsx", "first words", "people")

    def fail_halfway() -> None:
        with store.ingest_session("k2", "a.xlsx"):
            store.create_table("other", _table(("x", 1)))
            store.upsert_chunks("c", [_chunk("second words")])
            raise KeyError("k2")

    with pytest.raises(KeyError):
        fail_halfway()
    assert store.table_names() == ["people"]
    assert store.search("second") == []
    assert len(store.search("first")) == 1


def test_a_newer_version_replaces_the_older_one(store: EmbeddedStore) -> None:
    """Chunks and tables of the older version are gone; other sources stay."""
    _put(store, "k1", "a.xlsx", "old words", "old_table")
    _put(store, "k9", "b.xlsx", "other words", "b_table")
    _put(store, "k2", "a.xlsx", "new words", "new_table")
    assert store.table_names() == ["b_table", "new_table"]
    assert not store.table_exists("old_table")
    assert store.search("old") == []
    assert len(store.search("words")) == 2


def test_an_older_content_may_come_back(store: EmbeddedStore) -> None:
    """A workbook that is changed and changed back shows its first content again."""
    for key, text in (("k1", "one"), ("k2", "two"), ("k1", "one")):
        _put(store, key, "a.xlsx", text, "t")
    assert [len(store.search(word)) for word in ("one", "two")] == [1, 0]


def test_running_twice_gives_the_same(store: EmbeddedStore) -> None:
    """The second run of a workbook leaves what the first one left."""
    seen = []
    for _ in range(2):
        _put(store, "k1", "a.xlsx", "same words", "t")
        seen.append((store.search("same"), store.query("SELECT * FROM t"), store.table_names()))
    assert seen[0] == seen[1]


def test_an_upsert_replaces_by_id(store: EmbeddedStore) -> None:
    """The later text of an id counts, and its old words are not found."""
    with store.ingest_session("k", "a.xlsx"):
        assert store.upsert_chunks("c", [_chunk("apples")]) == 1
        assert store.upsert_chunks("c", [_chunk("pears")]) == 1
    assert store.search("apples") == []
    assert len(store.search("pears")) == 1


def test_deleted_chunks_and_dropped_tables_are_gone(store: EmbeddedStore) -> None:
    """Deleting tells how many were there; dropping what is missing is no error."""
    with store.ingest_session("k", "a.xlsx"):
        store.upsert_chunks("c", [_chunk("apples"), _chunk("pears", number=1)])
        store.create_table("t", _table(("x", 1)))
        assert store.delete_by_ids("c", ["a.xlsx-0", "none"]) == 1
        store.drop_table("t")
        store.drop_table("none")
    assert store.search("apples") == []
    assert store.table_names() == []


def test_vectors_of_another_length_are_refused(store: EmbeddedStore) -> None:
    """A collection holds vectors of one length."""
    longer = _chunk("x", number=1).model_copy(update={"vector": [0.0] * 3})
    with pytest.raises(ValueError, match="expected 2"), store.ingest_session("k", "a.xlsx"):
        store.upsert_chunks("c", [_chunk("x"), longer])


@pytest.mark.parametrize("name", ["", "sqlite_x", "ingestkit_chunks", "a\0b"])
def test_unusable_table_names_are_refused(store: EmbeddedStore, name: str) -> None:
    """Names that would hurt the store are a coded error."""
    with pytest.raises(ProcessingError), store.ingest_session("k", "a.xlsx"):
        store.create_table(name, _table())


@pytest.mark.parametrize("name", ["drop table x; --", 'a"b', "año 2024", "select"])
def test_any_other_table_name_is_only_a_name(store: EmbeddedStore, name: str) -> None:
    """Identifiers are quoted, so their text does nothing."""
    with store.ingest_session("k", "a.xlsx"):
        store.create_table(name, _table(("x", 1)))
    assert store.table_names() == [name]
    quoted = name.replace('"', '""')
    assert store.query(f'SELECT * FROM "{quoted}"').rows == [("x", 1)]


def test_odd_values_can_be_held(store: EmbeddedStore) -> None:
    """Integers beyond 64 bits and lone surrogates do not break a workbook."""
    with store.ingest_session("k", "a.xlsx"):
        store.create_table("t", _table(("\ud800x", 10**20), ("'; DROP TABLE t; --", -1)))
        store.upsert_chunks("c", [_chunk("word \ud800")])
    assert store.query("SELECT * FROM t").rows == [("?x", 1e20), ("'; DROP TABLE t; --", -1)]
    assert len(store.search("word")) == 1


@pytest.mark.parametrize(
    "sql",
    ["DROP TABLE t", "DELETE FROM t", "ATTACH 'x.db' AS x", "SELECT 1; SELECT 2", "nonsense", ""],
)
def test_a_query_only_reads(store: EmbeddedStore, sql: str) -> None:
    """Anything but one SELECT is refused or does nothing, and the table is still there."""
    _put(store, "k1", "a.xlsx", "x", "t")
    with contextlib.suppress(BackendError):
        assert store.query(sql).rows == []
    assert len(store.query("SELECT * FROM t").rows) == 2


def test_a_query_is_bounded(store: EmbeddedStore) -> None:
    """More rows than asked for are cut, and the result says so."""
    _put(store, "k1", "a.xlsx", "x", "t")
    result = store.query("SELECT * FROM t", rows_max=1)
    assert (len(result.rows), result.truncated) == (1, True)


@pytest.mark.parametrize("words", ["", "!!!", '"', "AND OR NOT", "a* NEAR(b)", "x:y"])
def test_any_words_can_be_searched(store: EmbeddedStore, words: str) -> None:
    """Words are never operators."""
    _put(store, "k1", "a.xlsx", "plain", "t")
    assert store.search(words) == []


def test_the_connection_uri_opens_the_same_store(store: EmbeddedStore) -> None:
    """The URI in the chunks' metadata leads back here."""
    assert type(open_store(store.get_connection_uri())) is type(store)


def test_an_unknown_table_is_a_value_error(store: EmbeddedStore) -> None:
    """A schema is asked for tables that exist."""
    with pytest.raises(ValueError, match="no table"):
        store.get_table_schema("none")


def test_a_table_of_another_workbook_is_not_overwritten(store: EmbeddedStore) -> None:
    """The first workbook's rows stay what the name gives."""
    _put(store, "k1", "a.xlsx", "mine", "t")
    expected = store.query("SELECT * FROM t").rows
    with contextlib.suppress(ProcessingError):
        _put(store, "k2", "b.xlsx", "yours", "t")
    assert store.query("SELECT * FROM t").rows == expected
