"""Who a workbook, a run, a chunk and a table are: pure functions from content to names."""

import hashlib
import os
import uuid
from pathlib import Path
from typing import BinaryIO

from ingestkit_excel.models import IngestKey

__all__ = [
    "canonical_source_uri",
    "chunk_id",
    "compute_ingest_key",
    "hash_file",
    "hash_stream",
    "text_hash",
]

_HASH_BLOCK_BYTES = 1 << 20  # large enough that the digest, not the loop, is the cost
_CHUNK_NAMESPACE = uuid.UUID("6f0b8c36-6ef1-5d0c-9d52-1d8f1b7f0a51")  # ours alone, never change


def hash_stream(stream: BinaryIO) -> str:
    """Give the SHA-256 of what is left in ``stream``, in hex."""
    digest = hashlib.sha256()
    while block := stream.read(_HASH_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def hash_file(path: str | os.PathLike[str]) -> str:
    """Give the SHA-256 of a file's bytes, in hex.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as stream:
        return hash_stream(stream)


def text_hash(text: str) -> str:
    """Give the SHA-256 of ``text`` in UTF-8, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def canonical_source_uri(file_path: str | os.PathLike[str]) -> str:
    """Give the absolute path with symbolic links resolved; the file need not exist."""
    return str(Path(file_path).resolve())


def compute_ingest_key(
    file_path: str | os.PathLike[str],
    parser_version: str,
    tenant_id: str | None = None,
    source_uri: str | None = None,
) -> IngestKey:
    """Identify the content of a workbook under a source name.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return IngestKey(
        content_hash=hash_file(file_path),
        source_uri=source_uri or canonical_source_uri(file_path),
        parser_version=parser_version,
        tenant_id=tenant_id,
    )


def chunk_id(ingest_key: str, chunk_hash: str, chunk_index: int) -> str:
    """Give the UUIDv5 (RFC 9562, 5.5) of a chunk: the same content at the same place, same id."""
    return str(uuid.uuid5(_CHUNK_NAMESPACE, f"{ingest_key}|{chunk_hash}|{chunk_index}"))
