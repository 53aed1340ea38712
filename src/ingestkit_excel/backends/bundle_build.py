"""One bundle while it is written, and the manifest that describes it."""

import hashlib
import json
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ingestkit_excel.backends.bundle_files import file_sha256, sync, write_synced
from ingestkit_excel.backends.sql import backend_errors, fill_table, quote_identifier
from ingestkit_excel.errors import BackendError, ConfigurationError, ErrorCode
from ingestkit_excel.models import ChunkPayload, TableData, TableValue

__all__ = ["FORMAT", "Build", "read_manifest"]

FORMAT: Final = 1


class Build:
    """Collects chunks and tables below a private directory, then writes the manifest.

    ``content`` is known after `finish`: a digest of everything but run ids and this host's path
    of the store, so that two runs over the same workbook are seen to be equal on any host.
    """

    def __init__(self, path: Path, ingest_key: str, source_uri: str) -> None:
        self.path = path
        self.ingest_key = ingest_key
        self.source_uri = source_uri
        self.tables: dict[str, dict[str, str]] = {}
        self.content = ""
        self._chunks: dict[tuple[str, str], ChunkPayload] = {}
        self._rows: dict[str, tuple[int, str]] = {}
        # nolock: the name is private, and locks on a share are slow or missing. The disk is asked
        # to sync once, in finish.
        uri = f"{(path / 'tables.sqlite').as_uri()}?nolock=1"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        try:
            for pragma in (
                "journal_mode = MEMORY",
                "synchronous = OFF",
                f"user_version = {FORMAT}",
            ):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute("BEGIN")
        except BaseException:
            self.close()
            raise

    def upsert_chunks(self, collection: str, chunks: Sequence[ChunkPayload]) -> None:
        """Insert or replace chunks by id."""
        present = next((c for (name, _), c in self._chunks.items() if name == collection), None)
        for chunk in chunks:
            present = present or chunk
            if len(chunk.vector) != len(present.vector):
                raise ValueError(
                    f"vector of {len(chunk.vector)} values, expected {len(present.vector)}"
                )
        self._chunks.update({(collection, chunk.id): chunk for chunk in chunks})

    def delete_chunks(self, collection: str, ids: Sequence[str]) -> int:
        """Take chunks out; give how many were there."""
        return sum(self._chunks.pop((collection, i), None) is not None for i in ids)

    def create_table(self, table_name: str, table: TableData) -> None:
        """Add a table with its rows, replacing one of that name."""
        digest = hashlib.sha256()

        def read_rows() -> Iterator[tuple[TableValue, ...]]:
            for row in table.read_rows():
                digest.update(json.dumps(row).encode())
                yield row

        self.drop_table(table_name)
        try:
            with backend_errors(f"write table {table_name!r}"):
                count = fill_table(
                    self._connection, table_name, replace(table, read_rows=read_rows)
                )
        except BaseException:
            self.drop_table(table_name)
            raise
        self.tables[table_name] = {column.name: column.type.value for column in table.columns}
        self._rows[table_name] = count, digest.hexdigest()

    def drop_table(self, table_name: str) -> None:
        """Take a table out."""
        if self.tables.pop(table_name, None) is not None:
            with backend_errors(f"drop table {table_name!r}"):
                self._connection.execute(f"DROP TABLE IF EXISTS {quote_identifier(table_name)}")

    def finish(self) -> None:
        """Write and sync all files; the directory is ready to be renamed."""
        with backend_errors("finish the tables"):
            self._connection.execute("COMMIT")
        self.close()
        sync(self.path / "tables.sqlite")
        lines = [_chunk_line(name, chunk) for (name, _), chunk in sorted(self._chunks.items())]
        write_synced(self.path / "chunks.jsonl", b"".join(lines))
        self.content = self._digest()
        # Keys stay as they come: the order of a table's columns is the order of its values.
        manifest = json.dumps(self._manifest(), indent=1)
        write_synced(self.path / "manifest.json", manifest.encode())

    def close(self) -> None:
        """Close the tables' file."""
        self._connection.close()

    def _manifest(self) -> dict[str, Any]:
        files = ("chunks.jsonl", "tables.sqlite")
        return {
            "format": FORMAT,
            "ingest_key": self.ingest_key,
            "source_uri": self.source_uri,
            "content": self.content,
            "chunks": len(self._chunks),
            "tables": self.tables,
            "rows": {name: count for name, (count, _) in self._rows.items() if name in self.tables},
            "files": {name: file_sha256(self.path / name) for name in files},
        }

    def _digest(self) -> str:
        digest = hashlib.sha256(self.ingest_key.encode())
        for (collection, _), chunk in sorted(self._chunks.items()):
            metadata = chunk.metadata.model_copy(update={"ingest_run_id": "", "db_uri": None})
            known = [collection, chunk.id, chunk.text, metadata.model_dump(mode="json")]
            digest.update(json.dumps(known).encode())
            digest.update(struct.pack(f"<{len(chunk.vector)}d", *chunk.vector))
        for name in sorted(self.tables):
            digest.update(json.dumps([name, self.tables[name], self._rows[name]]).encode())
        return digest.hexdigest()


def _chunk_line(collection: str, chunk: ChunkPayload) -> bytes:
    record = {
        "collection": collection,
        "id": chunk.id,
        "text": chunk.text,
        "metadata": chunk.metadata.model_dump(mode="json", exclude_none=True),
        "vector": chunk.vector,
    }
    return json.dumps(record).encode() + b"\n"


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Read what a bundle says of itself.

    Raises:
        BackendError: It cannot be read or is no manifest.
        ConfigurationError: A newer release has written it.
    """
    path = bundle / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        version = int(manifest["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(
            ErrorCode.E_BACKEND_DB_CONNECT,
            f"cannot read bundle {bundle}: {type(error).__name__} in its manifest; "
            "remove the directory and ingest its workbook again",
        ) from error
    if version > FORMAT:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot read bundle {bundle}: its format {version} is newer than {FORMAT}; "
            "update ingestkit-excel",
        )
    return manifest
