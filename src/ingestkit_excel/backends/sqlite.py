"""One SQLite file with tables, chunks, vectors and a full-text index: the store of one host."""

import array
import json
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from ingestkit_excel.backends.search import QueryResult, SearchHit, split_words
from ingestkit_excel.backends.sql import (
    backend_errors,
    clean_text,
    disk_errors,
    fill_table,
    quote_identifier,
    run_query,
)
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ProcessingError
from ingestkit_excel.models import ChunkPayload, TableData
from ingestkit_excel.mounts import filesystem_of, is_network_filesystem, read_mountinfo

__all__ = ["SQLiteStore"]

_FORMAT: Final = 1
_BUSY_TIMEOUT_S: Final = 30.0  # as long as a backend gets by default to answer
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ingestkit_info (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ingestkit_sources (
    source_uri TEXT PRIMARY KEY, ingest_key TEXT NOT NULL, origin TEXT);
CREATE TABLE IF NOT EXISTS ingestkit_tables (
    table_name TEXT PRIMARY KEY COLLATE NOCASE, owner TEXT, schema TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ingestkit_tables_owner ON ingestkit_tables (owner);
CREATE TABLE IF NOT EXISTS ingestkit_collections (
    name TEXT PRIMARY KEY, vector_size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ingestkit_chunks (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,
    text TEXT NOT NULL, metadata TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (collection, id));
CREATE INDEX IF NOT EXISTS ingestkit_chunks_owner ON ingestkit_chunks (owner);
CREATE VIRTUAL TABLE IF NOT EXISTS ingestkit_chunks_fts USING fts5(
    text, content='ingestkit_chunks', content_rowid='number');
CREATE TRIGGER IF NOT EXISTS ingestkit_chunks_added AFTER INSERT ON ingestkit_chunks BEGIN
    INSERT INTO ingestkit_chunks_fts (rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER IF NOT EXISTS ingestkit_chunks_removed AFTER DELETE ON ingestkit_chunks BEGIN
    INSERT INTO ingestkit_chunks_fts (ingestkit_chunks_fts, rowid, text)
        VALUES ('delete', old.number, old.text);
END;
"""


class SQLiteStore:
    """Keeps chunks and tables in one SQLite file, opened at first use.

    Several processes of one host may use the file; one writes at a time and the others wait.
    Threads may share a store; a session holds the others off until it ends. Do not use a store
    that was opened before a fork in the child; a copy, as a spawned process gets it, is unopened.

    Args:
        mountinfo: Text of ``/proc/self/mountinfo``; None reads this host's.
        busy_timeout_s: How long a write waits for another process's session.

    Raises:
        ConfigurationError: At first use: the file lies on a network file system, or was written
            by a newer release.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        mountinfo: str | None = None,
        busy_timeout_s: float = _BUSY_TIMEOUT_S,
    ) -> None:
        # Absolute from the start: the process may change its directory later.
        self._path = Path(path).absolute()
        self._busy_timeout_s = busy_timeout_s
        self._mountinfo = mountinfo
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._owner: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process gets the place and opens the file itself.
        again = partial(SQLiteStore, mountinfo=self._mountinfo, busy_timeout_s=self._busy_timeout_s)
        return again, (self._path,)

    @contextmanager
    def ingest_session(self, ingest_key: str, source_uri: str) -> Iterator[None]:
        """Write one workbook in one transaction, in place of what its source had."""
        owner = clean_text(source_uri)
        with self._transaction(f"store {source_uri}") as connection:
            if self._owner is not None:
                raise RuntimeError("a session is already open")
            self._owner = owner
            try:
                self._forget(connection, owner)
                yield
                connection.execute(
                    "INSERT INTO ingestkit_sources (source_uri, ingest_key) VALUES (?, ?)",
                    (owner, ingest_key),
                )
            finally:
                self._owner = None

    def _forget(self, connection: sqlite3.Connection, owner: str) -> None:
        names = connection.execute(
            "SELECT table_name FROM ingestkit_tables WHERE owner = ?", (owner,)
        ).fetchall()
        for (name,) in names:
            connection.execute(f"DROP TABLE IF EXISTS {quote_identifier(name)}")
        connection.execute("DELETE FROM ingestkit_tables WHERE owner = ?", (owner,))
        connection.execute("DELETE FROM ingestkit_chunks WHERE owner = ?", (owner,))
        connection.execute("DELETE FROM ingestkit_sources WHERE source_uri = ?", (owner,))

    def upsert_chunks(self, collection: str, chunks: Sequence[ChunkPayload]) -> int:
        """Insert or replace chunks by id; give how many were written.

        Raises:
            ValueError: A vector has not the collection's length.
        """
        if not chunks:
            return 0
        with self._transaction(f"write chunks of {collection!r}", family="VECTOR") as connection:
            size = _collection_size(connection, collection, len(chunks[0].vector))
            for chunk in chunks:
                if len(chunk.vector) != size:
                    raise ValueError(f"vector of {len(chunk.vector)} values, expected {size}")
            # Not REPLACE: it skips delete triggers, and the text index would keep the old words.
            connection.executemany(
                "DELETE FROM ingestkit_chunks WHERE collection = ? AND id = ?",
                ((collection, chunk.id) for chunk in chunks),
            )
            connection.executemany(
                "INSERT INTO ingestkit_chunks (collection, id, owner, text, metadata, vector)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (self._chunk_row(collection, chunk) for chunk in chunks),
            )
        return len(chunks)

    def _chunk_row(self, collection: str, chunk: ChunkPayload) -> tuple[object, ...]:
        owner = self._owner or clean_text(chunk.metadata.source_uri)
        # ASCII escapes keep lone surrogates of sheet names storable.
        metadata = json.dumps(chunk.metadata.model_dump(mode="json", exclude_none=True))
        vector = _pack(chunk.vector)
        return collection, chunk.id, owner, clean_text(chunk.text), metadata, vector

    def ensure_collection(self, collection: str, vector_size: int) -> None:
        """Create the collection unless it exists.

        Raises:
            ConfigurationError: It exists with vectors of another length.
        """
        with self._transaction(f"create collection {collection!r}", family="VECTOR") as connection:
            size = _collection_size(connection, collection, vector_size)
        if size != vector_size:
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot use collection {collection!r}: its vectors have {size} values, not "
                f"{vector_size}; use another collection for this embedder",
            )

    def create_payload_index(self, collection: str, field: str, field_type: str) -> None:
        """Do nothing: chunks are found by id, owner and words, and those are indexed."""

    def delete_by_ids(self, collection: str, ids: Sequence[str]) -> int:
        """Delete chunks; give how many were there."""
        with self._transaction(f"delete chunks of {collection!r}", family="VECTOR") as connection:
            cursor = connection.executemany(
                "DELETE FROM ingestkit_chunks WHERE collection = ? AND id = ?",
                ((collection, chunk_id) for chunk_id in ids),
            )
            return max(0, cursor.rowcount)

    def create_table(self, table_name: str, table: TableData) -> None:
        """Create the table with its rows, replacing one of that name.

        Raises:
            ProcessingError: The table cannot be held, or belongs to another workbook.
        """
        schema = {column.name: column.type.value for column in table.columns}
        with self._transaction(f"write table {table_name!r}") as connection:
            self._check_owner(connection, table_name)
            fill_table(connection, table_name, table)
            connection.execute(
                "INSERT OR REPLACE INTO ingestkit_tables VALUES (?, ?, ?)",
                (clean_text(table_name), self._owner, json.dumps(schema)),
            )

    def _check_owner(self, connection: sqlite3.Connection, table_name: str) -> None:
        row = connection.execute(
            "SELECT owner FROM ingestkit_tables WHERE table_name = ?", (clean_text(table_name),)
        ).fetchone()
        # A table that is not in the list was made by someone else in this file: never ours to drop.
        foreign = row is None and _has_table(connection, table_name)
        taken = row is not None and row[0] and self._owner not in {None, row[0]}
        if foreign or taken:
            raise ProcessingError(
                ErrorCode.E_PROCESS_SCHEMA_GEN,
                f"cannot create table {table_name!r}: another workbook has one of that name",
            )

    def drop_table(self, table_name: str) -> None:
        """Drop the table if it exists and was made here."""
        with self._transaction(f"drop table {table_name!r}") as connection:
            name = clean_text(table_name)
            cursor = connection.execute(
                "DELETE FROM ingestkit_tables WHERE table_name = ?", (name,)
            )
            if cursor.rowcount:
                connection.execute(f"DROP TABLE IF EXISTS {quote_identifier(name)}")

    def table_exists(self, table_name: str) -> bool:
        """Whether there is such a table."""
        with self._lock, backend_errors("look for a table"):
            return _has_table(self._open(), table_name)

    def get_table_schema(self, table_name: str) -> dict[str, Any]:
        """Give column names and their types.

        Raises:
            ValueError: There is no such table.
        """
        with self._lock, backend_errors("read a table's schema"):
            row = (
                self._open()
                .execute(
                    "SELECT schema FROM ingestkit_tables WHERE table_name = ?",
                    (clean_text(table_name),),
                )
                .fetchone()
            )
        if row is None:
            raise ValueError(f"no table {table_name!r}")
        schema: dict[str, Any] = json.loads(row[0])
        return schema

    def get_connection_uri(self) -> str:
        """Give ``sqlite:///`` and the absolute path."""
        return f"sqlite:///{self._path}"

    def table_names(self) -> list[str]:
        """Give the names of all tables made here, sorted."""
        with self._lock, backend_errors("list the tables"):
            rows = self._open().execute("SELECT table_name FROM ingestkit_tables").fetchall()
        return sorted(row[0] for row in rows)

    def sources(self) -> dict[str, str]:
        """Give the source URI of every workbook held, each with its ingest key."""
        with self._lock, backend_errors("list the sources"):
            rows = self._open().execute(
                "SELECT source_uri, ingest_key FROM ingestkit_sources ORDER BY source_uri"
            )
            return dict(rows.fetchall())

    def search(self, words: str, limit: int = 10) -> list[SearchHit]:
        """Give the chunks that hold any of the words, best first."""
        # Each word is quoted, so none is an operator of the full-text language.
        expression = " OR ".join(f'"{word}"' for word in split_words(words))
        if not expression:
            return []
        with self._lock, backend_errors("search", family="VECTOR"):
            rows = (
                self._open()
                .execute(
                    "SELECT c.id, -f.rank, snippet(ingestkit_chunks_fts, 0, '', '', '…', 40),"
                    " c.metadata FROM ingestkit_chunks_fts AS f"
                    " JOIN ingestkit_chunks AS c ON c.number = f.rowid"
                    " WHERE ingestkit_chunks_fts MATCH ? ORDER BY f.rank, c.id LIMIT ?",
                    (expression, limit),
                )
                .fetchall()
            )
        return [SearchHit(row[0], row[1], row[2], json.loads(row[3])) for row in rows]

    def query(self, sql: str, rows_max: int = 10_000) -> QueryResult:
        """Run one SELECT on a connection of its own that cannot write."""
        with self._lock, backend_errors("open the store"):
            self._open()
            connection = sqlite3.connect(_uri(self._path, "mode=ro"), uri=True)
        with closing(connection):
            return run_query(connection, sql, rows_max=rows_max)

    def origin_of(self, source_uri: str) -> str | None:
        """Give what `set_origin` noted for the present version of a source."""
        with self._lock, backend_errors("read a source"):
            row = (
                self._open()
                .execute(
                    "SELECT origin FROM ingestkit_sources WHERE source_uri = ?",
                    (clean_text(source_uri),),
                )
                .fetchone()
            )
        return None if row is None else row[0]

    def set_origin(self, source_uri: str, origin: str) -> None:
        """Note from where the present version of a source was copied."""
        with self._transaction("note an origin") as connection:
            connection.execute(
                "UPDATE ingestkit_sources SET origin = ? WHERE source_uri = ?",
                (origin, clean_text(source_uri)),
            )

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _transaction(self, action: str, *, family: str = "DB") -> Iterator[sqlite3.Connection]:
        with self._lock, backend_errors(action, family=family):
            connection = self._open()
            nested = connection.in_transaction
            connection.execute("SAVEPOINT step" if nested else "BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("RELEASE step" if nested else "COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already (lang_transaction, 3).
                if connection.in_transaction:
                    if nested:
                        connection.execute("ROLLBACK TO step")
                        connection.execute("RELEASE step")
                    else:
                        connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            path = self._path
            _refuse_network(path, self._mountinfo)
            with disk_errors(f"create {path.parent}"):
                path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
            weakref.finalize(self, connection.close)
            self._connection = connection
        return self._connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # A store that is there is only read, so that opening it never waits for another's session.
    if not _has_table(connection, "ingestkit_info"):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE;{_SCHEMA}"
            f"INSERT OR IGNORE INTO ingestkit_info VALUES ('format', '{_FORMAT}');COMMIT;"
        )
    row = connection.execute("SELECT value FROM ingestkit_info WHERE name = 'format'").fetchone()
    if int(row[0]) > _FORMAT:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot use store {path}: its format {row[0]} is newer than {_FORMAT}; "
            "update ingestkit-excel",
        )


def _refuse_network(path: Path, mountinfo: str | None) -> None:
    table = read_mountinfo() if mountinfo is None else mountinfo
    kind = filesystem_of(path.parent.resolve(), table)
    if kind is not None and is_network_filesystem(kind):
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot use store {path}: it lies on a network file system ({kind}), where SQLite "
            f"can lose or damage data; use a local file, or bundle://{path.parent}/ for a share",
            filesystem=kind,
        )


def _uri(path: Path, options: str) -> str:
    return f"{path.as_uri()}?{options}"


def _has_table(connection: sqlite3.Connection, table_name: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE",
        (clean_text(table_name),),
    ).fetchone()
    return found is not None


def _collection_size(connection: sqlite3.Connection, collection: str, vector_size: int) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO ingestkit_collections VALUES (?, ?)", (collection, vector_size)
    )
    row = connection.execute(
        "SELECT vector_size FROM ingestkit_collections WHERE name = ?", (collection,)
    ).fetchone()
    return int(row[0])


def _pack(vector: Sequence[float]) -> bytes:
    packed = array.array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
