"""Embed the chunks of one workbook and write them and its tables: all of it or nothing."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from ingestkit_excel.clock import Clock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import BackendError, ConfigurationError, ErrorCode
from ingestkit_excel.models import ChunkPayload, EmbedStageResult, TableData, WrittenArtifacts
from ingestkit_excel.protocols import (
    EmbeddingBackend,
    IngestSessions,
    StructuredDBBackend,
    VectorStoreBackend,
)

__all__ = ["Stored", "WorkbookWriter"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stored:
    """What was embedded and what was written."""

    embed_result: EmbedStageResult
    written: WrittenArtifacts


class WorkbookWriter:
    """Writes workbooks into a vector store and a structured DB, which may be one object.

    Where both offer `IngestSessions`, a workbook becomes visible whole. Where one does not, what
    was written is taken back on failure; a crash in between leaves rows that the next run of the
    same workbook writes again under the same ids.
    """

    def __init__(
        self,
        vector_store: VectorStoreBackend,
        structured_db: StructuredDBBackend,
        embedder: EmbeddingBackend,
        config: ExcelProcessorConfig,
        clock: Clock,
    ) -> None:
        self._vector_store = vector_store
        self._structured_db = structured_db
        self._embedder = embedder
        self._config = config
        self._clock = clock

    def write(
        self,
        *,
        ingest_key: str,
        source_uri: str,
        tables: Sequence[tuple[str, TableData]],
        chunks: Sequence[ChunkPayload],
    ) -> Stored:
        """Embed, then write everything; retried as a whole when a backend fails.

        Raises:
            BackendError: A backend failed or did not answer, also when asked again.
            ConfigurationError: The embedder's vectors do not fit, or pandas is needed and missing.
            ProcessingError: A table cannot be held.
        """
        started = self._clock.monotonic()
        embedded = self._embed(chunks)
        duration_s = self._clock.monotonic() - started
        written = WrittenArtifacts(
            vector_point_ids=[chunk.id for chunk in embedded],
            vector_collection=self._config.default_collection if embedded else None,
            db_table_names=[name for name, _ in tables],
        )
        owner = self._owner(source_uri)
        self._retry(lambda: self._write_once(ingest_key, owner, tables=tables, chunks=embedded))
        result = EmbedStageResult(
            texts_embedded=len(embedded),
            embedding_dimension=self._embedder.dimension(),
            embed_duration_seconds=duration_s,
        )
        return Stored(result, written)

    def _owner(self, source_uri: str) -> str:
        # Two tenants may ingest the same path, and neither may replace what the other has.
        tenant = self._config.tenant_id
        return source_uri if tenant is None else f"{source_uri}#tenant={tenant}"

    def _embed(self, chunks: Sequence[ChunkPayload]) -> list[ChunkPayload]:
        size = self._config.embedding_batch_size
        embedded: list[ChunkPayload] = []
        for start in range(0, len(chunks), size):
            batch = chunks[start : start + size]
            vectors = self._vectors([chunk.text for chunk in batch])
            embedded.extend(
                chunk.model_copy(update={"vector": vector})
                for chunk, vector in zip(batch, vectors, strict=True)
            )
        return embedded

    def _vectors(self, texts: Sequence[str]) -> list[list[float]]:
        def ask() -> list[list[float]]:
            with _coded("EMBED", "embed texts"):
                return self._embedder.embed(texts, timeout=self._config.backend_timeout_seconds)

        vectors = self._retry(ask)
        expected = self._embedder.dimension()
        if len(vectors) != len(texts) or any(len(vector) != expected for vector in vectors):
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot use the embedder: it gave {len(vectors)} vectors for {len(texts)} texts, "
                f"or not {expected} values in each; check its model and dimension",
            )
        return vectors

    def _retry(self, call: Callable[[], _T]) -> _T:
        for attempt in range(self._config.backend_max_retries):
            try:
                return call()
            except BackendError:
                self._clock.sleep(self._config.backend_backoff_base * 2**attempt)
        return call()

    def _write_once(
        self,
        ingest_key: str,
        owner: str,
        *,
        tables: Sequence[tuple[str, TableData]],
        chunks: Sequence[ChunkPayload],
    ) -> None:
        undo: list[Callable[[], object]] = []
        try:
            with ExitStack() as sessions:
                for store in self._session_stores():
                    sessions.enter_context(store.ingest_session(ingest_key, owner))
                for name, table in tables:
                    self._write_table(name, table, undo)
                self._write_chunks(chunks, undo)
        except BaseException as error:
            # Outside of the sessions, because their commit may be what failed.
            _take_back(undo, error)
            raise

    def _session_stores(self) -> list[IngestSessions]:
        tables: Any = self._structured_db
        chunks: Any = self._vector_store
        # One object for both gets one session.
        stores = [tables] if tables is chunks else [tables, chunks]
        return [store for store in stores if isinstance(store, IngestSessions)]

    def _write_table(self, name: str, table: TableData, undo: list[Callable[[], object]]) -> None:
        store = self._structured_db
        if not isinstance(store, IngestSessions):
            undo.append(lambda: store.drop_table(name))
        with _coded("DB", f"write table {name!r}"):
            if hasattr(store, "create_table"):
                store.create_table(name, table)
            else:
                _create_from_dataframe(store, name, table)

    def _write_chunks(
        self, chunks: Sequence[ChunkPayload], undo: list[Callable[[], object]]
    ) -> None:
        store, collection = self._vector_store, self._config.default_collection
        if not chunks:
            return
        with _coded("VECTOR", f"write chunks of {collection!r}"):
            store.ensure_collection(collection, self._embedder.dimension())
            size = self._config.embedding_batch_size
            for start in range(0, len(chunks), size):
                batch = chunks[start : start + size]
                ids = [chunk.id for chunk in batch]
                if not isinstance(store, IngestSessions):
                    undo.append(lambda ids=ids: store.delete_by_ids(collection, ids))  # type: ignore[misc]
                store.upsert_chunks(collection, batch)


@contextmanager
def _coded(family: str, action: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise BackendError(
            f"E_BACKEND_{family}_TIMEOUT", f"cannot {action}: no answer in time; try again"
        ) from error
    except (ConnectionError, sqlite3.Error) as error:
        raise BackendError(
            f"E_BACKEND_{family}_CONNECT",
            f"cannot {action}: {type(error).__name__}; check that the backend runs",
        ) from error


def _take_back(undo: Sequence[Callable[[], object]], cause: BaseException) -> None:
    for step in reversed(undo):
        try:
            step()
        except (BackendError, OSError, sqlite3.Error) as error:
            # The first failure is what the caller must see; the rest stays with it as a note.
            cause.add_note(f"taking back failed too: {type(error).__name__}")


def _create_from_dataframe(store: object, name: str, table: TableData) -> None:
    create = getattr(store, "create_table_from_dataframe", None)
    if create is None:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot write tables with {type(store).__name__}: it has neither create_table nor "
            "create_table_from_dataframe; give it one of them",
        )
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot write tables with {type(store).__name__}: it takes data frames; "
            "pip install pandas",
        ) from error
    columns = [column.name for column in table.columns]
    create(name, pandas.DataFrame.from_records(list(table.read_rows()), columns=columns))
