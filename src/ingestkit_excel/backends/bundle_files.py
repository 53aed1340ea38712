"""What bundles do to the disk: private directories, synced files, one rename.

Needs of the disk: a rename of a directory onto a name that holds files fails, and one that
succeeds is seen whole. NFS gives both, but may succeed and report failure, so the outcome of a
rename is looked up whenever it reports one.
"""

import errno
import hashlib
import os
import shutil
import uuid
from pathlib import Path

__all__ = [
    "age_s",
    "file_sha256",
    "make_private",
    "make_shared",
    "publish_directory",
    "remove_tree",
    "sync",
    "write_synced",
]

_BLOCK_BYTES = 1 << 20


def make_private(parent: Path, prefix: str) -> Path:
    """Make a directory under a name nobody else has."""
    parent.mkdir(parents=True, exist_ok=True)
    path = parent / f"{prefix}{uuid.uuid4().hex}"
    path.mkdir()
    return path


def make_shared(path: Path) -> bool:
    """Make a directory that several writers use; False when it was there."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def sync(path: Path) -> None:
    """Have the disk keep a file or directory through a power cut.

    Where the file system has no such operation for directories, nothing is done.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet."""
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def file_sha256(path: Path) -> str:
    """Give the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def publish_directory(private: Path, final: Path) -> bool:
    """Rename ``private`` to ``final``; False when that name was taken by someone else.

    Raises:
        OSError: It cannot be renamed; ``private`` is still there.
    """
    # Synced before the rename: a power cut must not leave the name with half of the files.
    sync(private)
    try:
        os.rename(private, final)
    except OSError:
        if private.is_dir():
            if final.is_dir():
                return False
            raise
        # The private name is gone and nobody else knows it: the rename happened after all.
        if not final.is_dir():
            raise
    sync(final.parent)
    return True


def remove_tree(path: Path) -> None:
    """Remove a directory; one that is already gone is fine."""
    shutil.rmtree(path, ignore_errors=True)


def age_s(path: Path, probe: Path) -> float:
    """Give how much older ``path`` is than ``probe``, both by the clock of the file server."""
    return probe.stat().st_mtime - path.stat().st_mtime
