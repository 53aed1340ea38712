"""Bundles: one immutable directory for each version of a workbook, the store of many hosts.

Layout::

    <root>/<digest of source_uri>/<version>-<ingest_key>/manifest.json
                                                         chunks.jsonl
                                                         tables.sqlite

Owns: everything below its root. Promises: a bundle is seen whole or not at all; of a source, the
bundle with the highest version number is the present one, ties go to the higher ingest key, so
every host sees the same. Never does: change a published bundle, or let two writers share a file.
"""

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from heapq import nsmallest
from pathlib import Path
from typing import Any, Final

from ingestkit_excel.backends.bundle_build import Build, read_manifest
from ingestkit_excel.backends.bundle_files import (
    age_s,
    make_private,
    make_shared,
    publish_directory,
    remove_tree,
    sync,
)
from ingestkit_excel.backends.search import (
    QueryResult,
    SearchHit,
    rank_text,
    snippet_of,
    split_words,
)
from ingestkit_excel.backends.sql import (
    backend_errors,
    disk_errors,
    quote_identifier,
    run_query,
)
from ingestkit_excel.errors import BackendError, ConfigurationError, ErrorCode
from ingestkit_excel.models import ChunkPayload, TableData

__all__ = ["BundleStore"]

_BUILDING: Final = ".building-"
_PUBLISH_ATTEMPTS: Final = 32  # each loss means another writer of the same workbook has won
_ABANDONED_S: Final = 86_400.0  # no workbook takes a day


class BundleStore:
    """Keeps each workbook's chunks and tables in a directory of its own.

    Writes happen inside `ingest_session` only. Search reads all present bundles one after the
    other: right for thousands of chunks; for more, `export_bundles` into SQLite.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).absolute()
        self._lock = threading.RLock()
        self._build: Build | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process gets the place and no open session.
        return BundleStore, (self._root,)

    @contextmanager
    def ingest_session(self, ingest_key: str, source_uri: str) -> Iterator[None]:
        """Build a bundle under a private name and publish it with one rename at the end.

        A bundle equal to the present one of its source, run ids apart, is not published again.
        """
        with self._lock:
            if self._build is not None:
                raise RuntimeError("a session is already open")
            with disk_errors(f"create a bundle in {self._root}"):
                private = make_private(self._root, _BUILDING)
            try:
                with backend_errors("create a bundle"):
                    self._build = build = Build(private, ingest_key, source_uri)
                yield
                with disk_errors("publish a bundle"):
                    self._publish(build)
            finally:
                if self._build is not None:
                    self._build.close()
                self._build = None
                remove_tree(private)

    def _publish(self, build: Build) -> None:
        build.finish()
        source = self._root / _source_name(build.source_uri)
        if make_shared(source):
            sync(self._root)
        version = 0
        for _ in range(_PUBLISH_ATTEMPTS):
            present = _newest(source)
            if present is not None and _holds(present, build.content):
                return
            # A listing on a share may be a minute old; a number found taken is never tried again.
            version = 1 + max(version, 0 if present is None else _version(present.name)[0])
            final = source / f"{version:08d}-{build.ingest_key}"
            if publish_directory(build.path, final) or _holds(final, build.content):
                return
        raise BackendError(
            ErrorCode.E_BACKEND_DB_TIMEOUT,
            f"cannot publish the bundle of {build.source_uri}: other writers won "
            f"{_PUBLISH_ATTEMPTS} times; try again",
        )

    def upsert_chunks(self, collection: str, chunks: Sequence[ChunkPayload]) -> int:
        """Add chunks to the open session; give how many were written."""
        self._session().upsert_chunks(collection, chunks)
        return len(chunks)

    def ensure_collection(self, collection: str, vector_size: int) -> None:
        """Do nothing: every bundle tells the length of its vectors."""

    def create_payload_index(self, collection: str, field: str, field_type: str) -> None:
        """Do nothing: bundles have no index."""

    def delete_by_ids(self, collection: str, ids: Sequence[str]) -> int:
        """Take chunks out of the open session; give how many were there."""
        return self._session().delete_chunks(collection, ids)

    def create_table(self, table_name: str, table: TableData) -> None:
        """Add a table to the open session, replacing one of that name in it."""
        self._session().create_table(table_name, table)

    def drop_table(self, table_name: str) -> None:
        """Take a table out of the open session."""
        self._session().drop_table(table_name)

    def _session(self) -> Build:
        if self._build is None:
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                "cannot change published bundles: they are immutable; write inside ingest_session",
            )
        return self._build

    def table_exists(self, table_name: str) -> bool:
        """Whether the open session or a present bundle has such a table."""
        return table_name in self._schemas()

    def get_table_schema(self, table_name: str) -> dict[str, Any]:
        """Give column names and their types.

        Raises:
            ValueError: There is no such table.
        """
        schemas = self._schemas()
        if table_name not in schemas:
            raise ValueError(f"no table {table_name!r}")
        return schemas[table_name]

    def _schemas(self) -> dict[str, dict[str, Any]]:
        schemas: dict[str, dict[str, Any]] = {}
        for path in self.bundles():
            manifest = read_manifest(path)
            if self._build is None or manifest["source_uri"] != self._build.source_uri:
                # The first of two tables of one name counts, as in query.
                schemas = manifest["tables"] | schemas
        if self._build is not None:
            schemas.update(self._build.tables)
        return schemas

    def get_connection_uri(self) -> str:
        """Give ``bundle:///`` and the absolute path."""
        return f"bundle:///{self._root}"

    def table_names(self) -> list[str]:
        """Give the names of all present tables, sorted."""
        return sorted(self._schemas())

    def bundles(self) -> list[Path]:
        """Give the present bundle of every source, in the order of their sources' digests."""
        with disk_errors(f"list the bundles in {self._root}"):
            if not self._root.is_dir():
                return []
            sources = sorted(p for p in self._root.iterdir() if not p.name.startswith("."))
            found = (_newest(source) for source in sources if source.is_dir())
            return [path for path in found if path is not None]

    def sources(self) -> dict[str, str]:
        """Give the source URI of every workbook held, each with its ingest key."""
        manifests = map(read_manifest, self.bundles())
        return dict(sorted((item["source_uri"], item["ingest_key"]) for item in manifests))

    def search(self, words: str, limit: int = 10) -> list[SearchHit]:
        """Give the chunks that hold any of the words, best first."""
        wanted = split_words(words)
        hits = (hit for path in self.bundles() for hit in _matches(path, wanted))
        with disk_errors("search the bundles"):
            return nsmallest(limit, hits, key=lambda hit: (-hit.score, hit.chunk_id))

    def query(self, sql: str, rows_max: int = 10_000) -> QueryResult:
        """Run one SELECT over copies of the tables whose names occur in it."""
        with backend_errors("run the query"), closing(_scratch()) as connection:
            for path in self.bundles():
                names = [name for name in read_manifest(path)["tables"] if _occurs(name, sql)]
                if names:
                    _copy_tables(connection, path / "tables.sqlite", names)
            return run_query(connection, sql, rows_max=rows_max)

    def prune(self, *, abandoned_s: float = _ABANDONED_S) -> int:
        """Remove superseded bundles and what crashed writers left; give how many directories.

        A reader that has such a bundle open may see it vanish; it reads the newer one then.
        """
        if not self._root.is_dir():
            return 0
        with disk_errors("prune the bundles"):
            doomed = [path for source in self._sources() for path in _versions(source)[:-1]]
            left = [*self._root.glob(f"{_BUILDING}*"), *self._root.glob(".probe-*")]
            probe = make_private(self._root, ".probe-")
            try:
                doomed += [path for path in left if age_s(path, probe) > abandoned_s]
            finally:
                remove_tree(probe)
        for path in doomed:
            remove_tree(path)
        return len(doomed)

    def _sources(self) -> list[Path]:
        return sorted(p for p in self._root.iterdir() if not p.name.startswith(".") and p.is_dir())

    def close(self) -> None:
        """Do nothing: no file stays open between calls."""


def _holds(bundle: Path, content: str) -> bool:
    return bool(read_manifest(bundle)["content"] == content)


def _source_name(source_uri: str) -> str:
    return hashlib.sha256(source_uri.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _version(name: str) -> tuple[int, str]:
    number, _, ingest_key = name.partition("-")
    return int(number), ingest_key


def _versions(source: Path) -> list[Path]:
    named = [p for p in source.iterdir() if p.name.partition("-")[0].isdecimal()]
    return sorted(named, key=lambda path: _version(path.name))


def _newest(source: Path) -> Path | None:
    return max(_versions(source), key=lambda path: _version(path.name), default=None)


def _matches(path: Path, words: Sequence[str]) -> Iterator[SearchHit]:
    with (path / "chunks.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if _is_without(line, words):
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise BackendError(
                    ErrorCode.E_BACKEND_VECTOR_CONNECT,
                    f"cannot search bundle {path}: a line of chunks.jsonl is no JSON; "
                    "remove the directory and ingest its workbook again",
                ) from error
            score = rank_text(record["text"], words)
            if score:
                snippet = snippet_of(record["text"], words)
                yield SearchHit(record["id"], score, snippet, record["metadata"])


def _is_without(line: str, words: Sequence[str]) -> bool:
    # Most lines hold none of the words, and parsing their vectors is what a search would spend
    # its time on. A line with escapes may hold letters that fold to others, so it is parsed.
    if "\\u" in line or not line.endswith("}\n"):
        return False
    lowered = line.lower()
    return not any(word in lowered for word in words)


def _scratch() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, uri=True)
    # The files come from a share; a schema in them may call no function with side effects.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _copy_tables(connection: sqlite3.Connection, path: Path, names: Sequence[str]) -> None:
    # immutable=1: no locks and no look for a journal, neither of which a share does well.
    connection.execute("ATTACH ? AS bundle", (f"{path.as_uri()}?mode=ro&immutable=1",))
    for name in map(quote_identifier, names):
        connection.execute(f"CREATE TABLE IF NOT EXISTS main.{name} AS SELECT * FROM bundle.{name}")
    connection.execute("DETACH bundle")


def _occurs(table_name: str, sql: str) -> bool:
    lowered = sql.lower()
    return table_name.lower() in lowered or quote_identifier(table_name).lower() in lowered
