"""A complete store in memory: the twin of the others for tests and for trying things out."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any

from ingestkit_excel.backends.search import (
    QueryResult,
    SearchHit,
    rank_text,
    snippet_of,
    split_words,
)
from ingestkit_excel.backends.sql import check_table, fill_table, run_query, storable
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ProcessingError
from ingestkit_excel.models import ChunkPayload, TableData

__all__ = ["MemoryStore"]


@dataclass(frozen=True, slots=True)
class _Table:
    data: TableData
    owner: str | None


@dataclass(frozen=True, slots=True)
class _State:
    """Everything in the store; replaced as a whole, so a session is undone by keeping the old."""

    chunks: dict[tuple[str, str], ChunkPayload] = field(default_factory=dict)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    tables: dict[str, _Table] = field(default_factory=dict)
    collections: dict[str, int] = field(default_factory=dict)
    ingests: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def copy(self) -> "_State":
        return _State(
            chunks=dict(self.chunks),
            owners=dict(self.owners),
            tables=dict(self.tables),
            collections=dict(self.collections),
            ingests=dict(self.ingests),
        )


class MemoryStore:
    """Keeps chunks and tables in this process; gone when it ends."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._state = _State()
        self._owner: str | None = None

    @contextmanager
    def ingest_session(self, ingest_key: str, source_uri: str) -> Iterator[None]:
        """Make everything written inside visible at once, in place of what the source had."""
        with self._lock:
            if self._owner is not None:
                raise RuntimeError("a session is already open")
            before = self._state
            self._state = before.copy()
            self._owner = source_uri
            try:
                self._forget(source_uri)
                yield
                self._state.ingests[source_uri] = (ingest_key, None)
            except BaseException:
                self._state = before
                raise
            finally:
                self._owner = None

    def _forget(self, source_uri: str) -> None:
        state = self._state
        for key in [key for key, owner in state.owners.items() if owner == source_uri]:
            del state.chunks[key], state.owners[key]
        for name in [name for name, table in state.tables.items() if table.owner == source_uri]:
            del state.tables[name]
        state.ingests.pop(source_uri, None)

    def upsert_chunks(self, collection: str, chunks: Sequence[ChunkPayload]) -> int:
        """Insert or replace chunks by id; give how many were written."""
        with self._lock:
            size = self._state.collections.get(collection)
            for chunk in chunks:
                size = len(chunk.vector) if size is None else size
                if len(chunk.vector) != size:
                    raise ValueError(f"vector of {len(chunk.vector)} values, expected {size}")
            if size is not None:
                self._state.collections[collection] = size
            for chunk in chunks:
                key = (collection, chunk.id)
                self._state.chunks[key] = chunk
                self._state.owners[key] = self._owner or chunk.metadata.source_uri
            return len(chunks)

    def ensure_collection(self, collection: str, vector_size: int) -> None:
        """Create the collection unless it exists.

        Raises:
            ConfigurationError: It exists with vectors of another length.
        """
        with self._lock:
            size = self._state.collections.setdefault(collection, vector_size)
        if size != vector_size:
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot use collection {collection!r}: its vectors have {size} values, not "
                f"{vector_size}; use another collection for this embedder",
            )

    def create_payload_index(self, collection: str, field: str, field_type: str) -> None:
        """Do nothing: a scan of memory needs no index."""

    def delete_by_ids(self, collection: str, ids: Sequence[str]) -> int:
        """Delete chunks; give how many were there."""
        with self._lock:
            keys = [key for i in ids if (key := (collection, i)) in self._state.chunks]
            for key in dict.fromkeys(keys):
                del self._state.chunks[key], self._state.owners[key]
            return len(dict.fromkeys(keys))

    def create_table(self, table_name: str, table: TableData) -> None:
        """Create the table with its rows, replacing one of that name.

        Raises:
            ProcessingError: The table cannot be held, or belongs to another workbook.
        """
        check_table(table_name, list(table.columns))
        rows = [tuple(map(storable, row)) for row in table.read_rows()]
        kept = replace(table, read_rows=lambda: iter(rows))
        with self._lock:
            present = self._state.tables.get(table_name)
            if present and present.owner and self._owner not in {None, present.owner}:
                raise ProcessingError(
                    ErrorCode.E_PROCESS_SCHEMA_GEN,
                    f"cannot create table {table_name!r}: another workbook has one of that name",
                )
            self._state.tables[table_name] = _Table(kept, self._owner)

    def drop_table(self, table_name: str) -> None:
        """Drop the table if it exists."""
        with self._lock:
            self._state.tables.pop(table_name, None)

    def table_exists(self, table_name: str) -> bool:
        """Whether there is such a table."""
        return table_name in self._state.tables

    def get_table_schema(self, table_name: str) -> dict[str, Any]:
        """Give column names and their types.

        Raises:
            ValueError: There is no such table.
        """
        table = self._state.tables.get(table_name)
        if table is None:
            raise ValueError(f"no table {table_name!r}")
        return {column.name: column.type.value for column in table.data.columns}

    def get_connection_uri(self) -> str:
        """Give ``memory://``."""
        return "memory://"

    def table_names(self) -> list[str]:
        """Give the names of all tables, sorted."""
        return sorted(self._state.tables)

    def sources(self) -> dict[str, str]:
        """Give the source URI of every workbook held, each with its ingest key."""
        return {uri: key for uri, (key, _) in sorted(self._state.ingests.items())}

    def search(self, words: str, limit: int = 10) -> list[SearchHit]:
        """Give the chunks that hold any of the words, best first."""
        wanted = split_words(words)
        hits = [
            SearchHit(
                chunk.id,
                score,
                snippet_of(chunk.text, wanted),
                chunk.metadata.model_dump(mode="json", exclude_none=True),
            )
            for chunk in self._state.chunks.values()
            if (score := rank_text(chunk.text, wanted))
        ]
        return nsmallest(limit, hits, key=lambda hit: (-hit.score, hit.chunk_id))

    def query(self, sql: str, rows_max: int = 10_000) -> QueryResult:
        """Run one SELECT over all tables."""
        with closing(sqlite3.connect(":memory:")) as connection:
            for name, table in self._state.tables.items():
                fill_table(connection, name, table.data)
            connection.commit()
            return run_query(connection, sql, rows_max=rows_max)

    def origin_of(self, source_uri: str) -> str | None:
        """Give what `set_origin` noted for the present version of a source."""
        return self._state.ingests.get(source_uri, ("", None))[1]

    def set_origin(self, source_uri: str, origin: str) -> None:
        """Note from where the present version of a source was copied."""
        with self._lock:
            self._state.ingests[source_uri] = (self._state.ingests[source_uri][0], origin)

    def close(self) -> None:
        """Do nothing: the store lives as long as the object."""
