"""Copy present bundles into another store, only those it does not have yet."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from ingestkit_excel.backends.bundle import BundleStore
from ingestkit_excel.backends.bundle_build import read_manifest
from ingestkit_excel.backends.bundle_files import file_sha256
from ingestkit_excel.backends.sql import disk_errors, quote_identifier
from ingestkit_excel.errors import BackendError, ErrorCode
from ingestkit_excel.models import ChunkPayload, ColumnType, TableColumn, TableData, TableValue
from ingestkit_excel.protocols import IngestSessions, StructuredDBBackend, VectorStoreBackend

__all__ = ["ExportReport", "ExportTarget", "export_bundles"]

_BATCH: Final = 256  # chunks in memory at once


class ExportTarget(VectorStoreBackend, StructuredDBBackend, IngestSessions, Protocol):
    """A store that remembers from which bundle a source was copied."""

    def origin_of(self, source_uri: str) -> str | None:
        """Give what was noted for the present version of a source."""
        ...

    def set_origin(self, source_uri: str, origin: str) -> None:
        """Note from where the present version of a source was copied."""
        ...


@dataclass(frozen=True, slots=True)
class ExportReport:
    """How many workbooks were copied, and how many the target had already."""

    exported: int
    unchanged: int


def export_bundles(
    bundle_dir: str | os.PathLike[str],
    target_store: ExportTarget,
    *,
    on_bundle: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Copy every present bundle that the target does not hold; each in one session.

    ``on_bundle`` is told, before each bundle, how many are behind and how many there are.

    Raises:
        BackendError: A bundle's files do not fit their digests; what came before is kept.
    """
    exported = unchanged = 0
    bundles = BundleStore(bundle_dir).bundles()
    for number, bundle in enumerate(bundles):
        if on_bundle is not None:
            on_bundle(number, len(bundles))
        manifest = read_manifest(bundle)
        if target_store.origin_of(manifest["source_uri"]) == manifest["content"]:
            unchanged += 1
            continue
        with disk_errors(f"read bundle {bundle}"):
            _copy(bundle, manifest, target_store)
        exported += 1
    return ExportReport(exported, unchanged)


def _copy(bundle: Path, manifest: dict[str, Any], target: ExportTarget) -> None:
    for name, digest in manifest["files"].items():
        if file_sha256(bundle / name) != digest:
            raise BackendError(
                ErrorCode.E_BACKEND_DB_CONNECT,
                f"cannot export bundle {bundle}: {name} does not fit its digest; "
                "remove the directory and ingest its workbook again",
            )
    with target.ingest_session(manifest["ingest_key"], manifest["source_uri"]):
        for name, schema in manifest["tables"].items():
            columns = [TableColumn(name=c, header=c, type=ColumnType(t)) for c, t in schema.items()]
            read_rows = partial(_rows, bundle / "tables.sqlite", name, tuple(schema))
            target.create_table(name, TableData(columns, read_rows))
        chunks = _chunks(bundle / "chunks.jsonl", target.get_connection_uri())
        while batch := list(islice(chunks, _BATCH)):
            _upsert(target, batch)
    # Noted after the commit: lost in between, the bundle is merely copied once more.
    target.set_origin(manifest["source_uri"], manifest["content"])


def _upsert(target: ExportTarget, batch: list[tuple[str, ChunkPayload]]) -> None:
    for collection in dict.fromkeys(name for name, _ in batch):
        chunks = [chunk for name, chunk in batch if name == collection]
        target.ensure_collection(collection, len(chunks[0].vector))
        target.upsert_chunks(collection, chunks)


def _chunks(path: Path, db_uri: str) -> Iterator[tuple[str, ChunkPayload]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if "db_uri" in record["metadata"]:
                # The tables are in the target now, and that is where a reader must look.
                record["metadata"]["db_uri"] = db_uri
            yield record.pop("collection"), ChunkPayload.model_validate(record)


def _rows(
    path: Path, table_name: str, columns: tuple[str, ...]
) -> Iterator[tuple[TableValue, ...]]:
    # By name, because the order of keys in a manifest is no promise.
    names = ", ".join(map(quote_identifier, columns))
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        yield from connection.execute(f"SELECT {names} FROM {quote_identifier(table_name)}")
