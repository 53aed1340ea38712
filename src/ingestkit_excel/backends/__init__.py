"""Embedded stores and the offline embedder; `open_store` names a store by URL or path."""

import os
from pathlib import Path

from ingestkit_excel.backends.bundle import BundleStore
from ingestkit_excel.backends.embedding import HashingEmbedder
from ingestkit_excel.backends.export import ExportReport, export_bundles
from ingestkit_excel.backends.memory import MemoryStore
from ingestkit_excel.backends.search import QueryResult, SearchHit
from ingestkit_excel.backends.sqlite import SQLiteStore
from ingestkit_excel.errors import ConfigurationError, ErrorCode

__all__ = [
    "BundleStore",
    "EmbeddedStore",
    "ExportReport",
    "HashingEmbedder",
    "MemoryStore",
    "QueryResult",
    "SQLiteStore",
    "SearchHit",
    "export_bundles",
    "open_store",
]

EmbeddedStore = SQLiteStore | BundleStore | MemoryStore


def open_store(url: str | os.PathLike[str]) -> EmbeddedStore:
    """Make the store a URL or a path names; nothing is touched before its first use.

    ``sqlite:///f.db`` and ``bundle:///dir`` take a path after the third slash when it is
    relative (``sqlite:///f.db`` is ``f.db``) and keep the fourth slash when it is absolute
    (``sqlite:////data/f.db``); ``sqlite:///data/f.db`` is taken as absolute when ``/data`` is a
    directory. A plain path is bundles when it ends in a slash or is a directory, else SQLite.

    Raises:
        ConfigurationError: The scheme is unknown or the path is missing.
    """
    text = os.fspath(url)
    scheme, separator, rest = text.partition("://")
    if not separator:
        is_bundles = text.endswith(("/", os.sep)) or Path(text).is_dir()
        scheme, rest = ("bundle" if is_bundles else "sqlite"), text
    elif scheme in {"sqlite", "bundle"}:
        rest = _path_of(rest)
    if scheme == "memory":
        return MemoryStore()
    if scheme not in {"sqlite", "bundle"}:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot open store {scheme}://…: unknown scheme; use sqlite:///file.db, "
            "bundle:///directory or memory://",
        )
    if not rest:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot open store {text!r}: it names no path; use {scheme}:///path",
        )
    return SQLiteStore(rest) if scheme == "sqlite" else BundleStore(rest)


def _path_of(rest: str) -> str:
    if not rest.startswith("/"):
        return rest
    relative = rest.removeprefix("/")
    if relative.startswith("/"):
        return relative
    # Both readings of three slashes are in use; the one whose first directory exists is meant.
    top, slash, _ = relative.partition("/")
    return rest if slash and Path(f"/{top}").is_dir() else relative
