"""A workbook is embedded and written whole, or not at all."""

import importlib.util
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from ingestkit_excel.backends import HashingEmbedder, MemoryStore
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import BackendError, ConfigurationError, ProcessingError
from ingestkit_excel.models import (
    ChunkMetadata,
    ChunkPayload,
    ColumnType,
    IngestionMethod,
    ParserUsed,
    TableColumn,
    TableData,
)
from ingestkit_excel.protocols import StructuredDBBackend, VectorStoreBackend
from ingestkit_excel.storing import Stored, WorkbookWriter

CONFIG = ExcelProcessorConfig(embedding_batch_size=2, backend_max_retries=2)
TABLE = TableData(
    [TableColumn(name="id", header="Id", type=ColumnType.TEXT)], lambda: iter([("1",), ("2",)])
)


class RecordingClock:
    """A clock whose sleeps are written down and pass at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Give the time slept so far."""
        return sum(self.slept)

    def wall(self) -> float:
        """Give the same."""
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Note the sleep."""
        self.slept.append(seconds)


class FlakyEmbedder(HashingEmbedder):
    """Fails with the given errors, then works; notes the sizes of its batches."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(8)
        self.errors = list(errors)
        self.batches: list[int] = []

    def embed(self, texts: Sequence[str], timeout: float | None = None) -> list[list[float]]:
        """Raise the next error, or embed."""
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(len(texts))
        return super().embed(texts, timeout)


class PlainVectors:
    """A vector store without sessions over a memory store; fails at the given upserts."""

    def __init__(self, inner: MemoryStore, *, fail_at: Sequence[int] = ()) -> None:
        self.inner = inner
        self.upserts = 0
        self.fail_at = fail_at

    def upsert_chunks(self, collection: str, chunks: Sequence[ChunkPayload]) -> int:
        """Write, or lose the connection."""
        self.upserts += 1
        if self.upserts in self.fail_at:
            raise ConnectionResetError
        return self.inner.upsert_chunks(collection, chunks)

    def ensure_collection(self, collection: str, vector_size: int) -> None:
        """Pass on."""
        self.inner.ensure_collection(collection, vector_size)

    def create_payload_index(self, collection: str, field: str, field_type: str) -> None:
        """Pass on."""
        self.inner.create_payload_index(collection, field, field_type)

    def delete_by_ids(self, collection: str, ids: Sequence[str]) -> int:
        """Pass on."""
        return self.inner.delete_by_ids(collection, ids)


class PlainTables:
    """A structured DB without sessions over a memory store."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner

    def create_table(self, table_name: str, table: TableData) -> None:
        """Pass on."""
        self.inner.create_table(table_name, table)

    def drop_table(self, table_name: str) -> None:
        """Pass on."""
        self.inner.drop_table(table_name)

    def table_exists(self, table_name: str) -> bool:
        """Pass on."""
        return self.inner.table_exists(table_name)

    def get_table_schema(self, table_name: str) -> dict[str, Any]:
        """Pass on."""
        return self.inner.get_table_schema(table_name)

    def get_connection_uri(self) -> str:
        """Pass on."""
        return self.inner.get_connection_uri()


class FrameTables:
    """A structured DB that only takes data frames."""

    def create_table_from_dataframe(self, table_name: str, frame: Any) -> None:
        """Never reached without pandas."""

    def drop_table(self, table_name: str) -> None:
        """Have nothing to drop."""


def _chunks(count: int) -> list[ChunkPayload]:
    return [
        ChunkPayload(
            id=f"c{number}",
            text=f"text {number}",
            vector=[],
            metadata=ChunkMetadata(
                source_uri="a.xlsx",
                sheet_name="S",
                ingestion_method=IngestionMethod.TEXT_SERIALIZATION,
                parser_used=ParserUsed.OPENPYXL,
                parser_version="1",
                chunk_index=number,
                chunk_hash="h",
                ingest_key="k",
                ingest_run_id="r",
            ),
        )
        for number in range(count)
    ]


def _write(
    vectors: VectorStoreBackend,
    tables: StructuredDBBackend,
    *,
    embedder: HashingEmbedder | None = None,
    clock: RecordingClock | None = None,
    config: ExcelProcessorConfig = CONFIG,
) -> Stored:
    writer = WorkbookWriter(
        vectors, tables, embedder or HashingEmbedder(8), config, clock or RecordingClock()
    )
    return writer.write(
        ingest_key="k", source_uri="a.xlsx", tables=[("people", TABLE)], chunks=_chunks(5)
    )


def test_chunks_are_embedded_in_batches() -> None:
    """Five chunks go out as two, two and one."""
    embedder, store = FlakyEmbedder(), MemoryStore()
    stored = _write(store, store, embedder=embedder)
    assert embedder.batches == [2, 2, 1]
    assert stored.embed_result.texts_embedded == 5
    assert stored.embed_result.embedding_dimension == 8
    assert stored.written.vector_point_ids == ["c0", "c1", "c2", "c3", "c4"]
    assert stored.written.db_table_names == ["people"]
    assert len(store.search("text")) == 5


def test_a_failing_embedder_is_asked_again_later() -> None:
    """Two failures are slept over, longer each time."""
    clock, store = RecordingClock(), MemoryStore()
    _write(store, store, embedder=FlakyEmbedder(TimeoutError(), ConnectionError()), clock=clock)
    assert clock.slept == [1.0, 2.0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError, "E_BACKEND_EMBED_TIMEOUT"),
        (ConnectionRefusedError, "E_BACKEND_EMBED_CONNECT"),
    ],
)
def test_an_embedder_that_keeps_failing_is_a_coded_error(error: type[OSError], code: str) -> None:
    """After the last retry the code tells what happened, and nothing was written."""
    store = MemoryStore()
    with pytest.raises(BackendError) as caught:
        _write(store, store, embedder=FlakyEmbedder(*(error() for _ in range(3))))
    assert caught.value.code == code
    assert store.table_names() == []


def test_a_store_without_sessions_is_cleaned_after_failure() -> None:
    """Chunks and tables written before the failure are taken back."""
    inner = MemoryStore()
    vectors = PlainVectors(inner, fail_at=[2, 4, 6])
    with pytest.raises(BackendError, match="E_BACKEND_VECTOR_CONNECT"):
        _write(vectors, PlainTables(inner))
    assert inner.table_names() == []
    assert inner.search("text") == []


def test_a_store_without_sessions_is_retried() -> None:
    """One lost connection does not fail the workbook."""
    inner = MemoryStore()
    _write(PlainVectors(inner, fail_at=[2]), PlainTables(inner))
    assert inner.table_names() == ["people"]
    assert len(inner.search("text")) == 5


def test_a_session_is_undone_when_the_other_store_fails() -> None:
    """Tables in a session vanish when the chunks cannot be written elsewhere."""
    tables, chunks = MemoryStore(), MemoryStore()
    with pytest.raises(BackendError):
        _write(PlainVectors(chunks, fail_at=[1, 2, 3]), tables)
    assert tables.table_names() == []


def test_tenants_do_not_replace_each_other() -> None:
    """The same path ingested for two tenants is two sources."""
    store = MemoryStore()
    first = CONFIG.model_copy(update={"tenant_id": "one"})
    _write(store, store, config=first)
    with pytest.raises(ProcessingError, match="another workbook"):
        _write(store, store, config=CONFIG.model_copy(update={"tenant_id": "two"}))
    assert store.table_names() == ["people"]


@pytest.mark.skipif(importlib.util.find_spec("pandas") is not None, reason="pandas is installed")
def test_a_data_frame_store_needs_pandas() -> None:
    """Without pandas the error says what to install."""
    frames: Any = FrameTables()
    with pytest.raises(ConfigurationError, match="pip install pandas"):
        _write(MemoryStore(), frames)


def test_vectors_of_the_wrong_length_are_refused() -> None:
    """An embedder that lies about its dimension is a configuration error."""

    class Liar(HashingEmbedder):
        def dimension(self) -> int:
            return 9

    store = MemoryStore()
    with pytest.raises(ConfigurationError, match="embedder"):
        _write(store, store, embedder=Liar(8))


def test_sessions_are_contexts() -> None:
    """What the writer enters is a context manager."""
    assert isinstance(MemoryStore().ingest_session("k", "a"), AbstractContextManager)
