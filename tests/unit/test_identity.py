"""The same content under the same name is the same workbook, chunk and id."""

import hashlib
from pathlib import Path

import pytest

from ingestkit_excel.identity import chunk_id, compute_ingest_key


def test_the_key_is_the_digest_of_its_parts(tmp_path: Path) -> None:
    """Content hash, source and parser version are joined by a bar and hashed."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"bytes")
    key = compute_ingest_key(path, "p:1", source_uri="s")
    parts = f"{hashlib.sha256(b'bytes').hexdigest()}|s|p:1"
    assert key.key == hashlib.sha256(parts.encode()).hexdigest()


def test_the_tenant_takes_part_in_the_key(tmp_path: Path) -> None:
    """Two tenants never share a key."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"bytes")
    keys = {compute_ingest_key(path, "p:1", tenant_id=t).key for t in (None, "a", "b")}
    assert len(keys) == 3


def test_the_source_defaults_to_the_canonical_path(tmp_path: Path) -> None:
    """A relative detour gives the same source name."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"")
    detour = tmp_path / "sub" / ".." / "a.xlsx"
    (tmp_path / "sub").mkdir()
    assert compute_ingest_key(detour, "p:1").source_uri == str(path.resolve())


def test_a_missing_workbook_has_no_key(tmp_path: Path) -> None:
    """FileNotFoundError reaches the caller as documented."""
    with pytest.raises(FileNotFoundError):
        compute_ingest_key(tmp_path / "none.xlsx", "p:1")


def test_chunk_ids_depend_on_content_and_place() -> None:
    """Equal input, equal id; another place, another id."""
    assert chunk_id("k", "h", 0) == chunk_id("k", "h", 0)
    assert chunk_id("k", "h", 0) != chunk_id("k", "h", 1)
