"""The file operations of the spool, behind one small protocol.

Owns: every access to the disk, and every reading of ``errno``.
Promises: each method is one operation; it returns, or raises a `FileSystemError` of a known kind.
Never does: retry, guess whether a failed operation happened, or follow a symbolic link.
Needs of the disk: rename within the spool is atomic and consumes its source (P1); exclusive
create (P2); a synced file survives a crash (P3); opening a directory refreshes it (P4); renaming
a directory onto a non-empty one is refused (P5).
"""

import contextlib
import errno
import hashlib
import os
import stat as stat_module
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

__all__ = [
    "Denied",
    "Exists",
    "FileSystem",
    "FileSystemError",
    "HeldLock",
    "Missing",
    "NoSpace",
    "NotRegular",
    "ReadOnly",
    "RealFileSystem",
    "Stale",
    "Stamp",
    "TooLarge",
    "Unreachable",
    "boot_id",
]

_FILE_MODE = 0o660  # submitters and workers share a group, nobody else reads workbooks' names
_DIRECTORY_MODE = 0o770
_READ_BLOCK_BYTES = 1 << 20  # one round trip for nearly every record, few for a workbook


class FileSystemError(Exception):
    """An operation on the spool directory did not return; it may have happened all the same."""

    def __init__(self, path: str, cause: str = "") -> None:
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        path = self.path or "."  # the root of the tree
        return f"{path}: {self.cause}" if self.cause else path


class Missing(FileSystemError):
    """No such name, or none that this host can see yet."""


class Exists(FileSystemError):
    """The name is taken, or the directory is not empty."""


class Stale(FileSystemError):
    """The server no longer knows what was opened; opening by path again may help."""


class NoSpace(FileSystemError):
    """The disk or a quota is full."""


class Denied(FileSystemError):
    """The account may not do this."""


class ReadOnly(FileSystemError):
    """The file system is mounted read-only."""


class Unreachable(FileSystemError):
    """The server does not answer or answers with an error; whether it acted is unknown."""


class NotRegular(FileSystemError):
    """A link, a directory, a device or a file of several names, where a plain file must be."""


class TooLarge(FileSystemError):
    """The file is larger than the reader allows."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What identifies one state of a file; times are the server's."""

    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int


class HeldLock(Protocol):
    """An advisory lock of this process, until it is released or the process ends."""

    def release(self) -> None:
        """Give the lock up; doing it twice is harmless."""
        ...


class FileSystem(Protocol):
    """A directory tree; paths are relative, with ``/`` between names."""

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        """Make a new file and write all of ``data``; `Exists` when the name is taken."""
        ...

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a whole plain file; `NotRegular` or `TooLarge` when it is not fit to be read."""
        ...

    def copy_in(self, source: Path, path: str, *, max_bytes: int, durable: bool) -> str:
        """Copy a file of this host into a new file and give the SHA-256 of what was written.

        Raises:
            OSError: The source cannot be read.
            TooLarge: It is larger than ``max_bytes``; what was written so far stays.
        """
        ...

    def copy_out(self, path: str, target: Path, *, max_bytes: int) -> str:
        """Copy a plain file to a new file of this host and give the SHA-256 of what was read.

        Raises:
            OSError: The target cannot be written.
        """
        ...

    def rename(self, source: str, target: str) -> None:
        """Move a name; a file replaces a file, a directory only an empty directory."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file."""
        ...

    def make_directory(self, path: str) -> None:
        """Make one directory; `Exists` when the name is taken."""
        ...

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory; `Exists` when it is not empty."""
        ...

    def list_directory(self, path: str) -> list[str]:
        """Open the directory anew and give the names in it, in no order; not a snapshot."""
        ...

    def refresh(self, path: str) -> None:
        """Open the directory, so that later looks at names in it ask the server (P4)."""
        ...

    def stamp(self, path: str) -> Stamp:
        """Open the file or directory and give its stamp."""
        ...

    def touch(self, path: str) -> None:
        """Set the file's time to the server's now."""
        ...

    def rewrite(self, path: str, data: bytes) -> None:
        """Replace the content of an existing file in place."""
        ...

    def sync_directory(self, path: str) -> None:
        """Make the names in the directory survive a crash."""
        ...

    def free_space(self) -> int:
        """Bytes this account may still write."""
        ...

    def try_lock(self, path: str) -> HeldLock | None:
        """Take the advisory lock file at once; ``None`` when it is held or locks do not work."""
        ...


def boot_id() -> str:
    """Tell this boot of this host from any other; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


_KINDS: dict[int, type[FileSystemError]] = {
    errno.ENOENT: Missing,
    errno.EEXIST: Exists,
    errno.ENOTEMPTY: Exists,
    errno.ESTALE: Stale,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EROFS: ReadOnly,
    errno.ELOOP: NotRegular,
    errno.EISDIR: NotRegular,
    errno.ENOTDIR: NotRegular,
    errno.ENXIO: NotRegular,  # a FIFO without reader, opened for writing
}


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, Unreachable)
        raise kind(path, error.strerror or type(error).__name__) from error


def _share(descriptor: int, mode: int) -> None:
    # The umask may have taken the group's part, without which workers of another account can
    # neither read a job nor move it. Where modes cannot be changed they mean little.
    present = os.fstat(descriptor).st_mode
    if present & mode != mode:
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat_module.S_IMODE(present) | mode)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _written(descriptor: int, *, durable: bool) -> Iterator[int]:
    try:
        yield descriptor
        if durable:
            os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)


class RealFileSystem:
    """The tree under a directory of this host."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path)

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        """Make a new file; write, sync and close are all checked, for quotas show up late."""
        with _translated(path), self._new_file(path, durable=durable) as descriptor:
            _write(descriptor, data)

    def _new_file(self, path: str, *, durable: bool) -> contextlib.AbstractContextManager[int]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path(path), flags, _FILE_MODE)
        _share(descriptor, _FILE_MODE)
        return _written(descriptor, durable=durable)

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a whole plain file without following a link or waiting on a FIFO."""
        return b"".join(self._read_blocks(path, max_bytes))

    def _read_blocks(self, path: str, max_bytes: int) -> Generator[bytes]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with _translated(path):
            descriptor = os.open(self._path(path), flags)
        try:
            with _translated(path):
                status = os.fstat(descriptor)
            if not stat_module.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise NotRegular(path, "it is no plain file of one name")
            if status.st_size > max_bytes:
                raise TooLarge(path, f"{status.st_size} bytes, at most {max_bytes} allowed")
            count = 0
            while True:  # ends at the end of the file or at the limit
                with _translated(path):
                    block = os.read(descriptor, _READ_BLOCK_BYTES)
                if not block:
                    return
                count += len(block)
                if count > max_bytes:
                    raise TooLarge(path, f"it grew past {max_bytes} bytes while being read")
                yield block
        finally:
            with contextlib.suppress(OSError):  # every byte that counts was read by now
                os.close(descriptor)

    def copy_in(self, source: Path, path: str, *, max_bytes: int, durable: bool) -> str:
        """Copy block by block; what is hashed is what was written."""
        digest, count = hashlib.sha256(), 0
        with open(source, "rb", buffering=0) as stream, contextlib.ExitStack() as closing:
            with _translated(path):
                descriptor = closing.enter_context(self._new_file(path, durable=durable))
            while block := stream.read(_READ_BLOCK_BYTES):
                count += len(block)
                if count > max_bytes:
                    raise TooLarge(path, f"the source has more than {max_bytes} bytes")
                digest.update(block)
                with _translated(path):
                    _write(descriptor, block)
            with _translated(path):
                closing.close()  # the sync and the close may be where a full disk shows
        return digest.hexdigest()

    def copy_out(self, path: str, target: Path, *, max_bytes: int) -> str:
        """Copy block by block; what is hashed is what was read."""
        digest = hashlib.sha256()
        blocks = self._read_blocks(path, max_bytes)
        with contextlib.closing(blocks), open(target, "xb", buffering=0) as stream:
            for block in blocks:
                digest.update(block)
                _write(stream.fileno(), block)
        return digest.hexdigest()

    def rename(self, source: str, target: str) -> None:
        """Move a name by rename(2)."""
        with _translated(source):
            os.rename(self._path(source), self._path(target))

    def remove(self, path: str) -> None:
        """Remove a file by unlink(2)."""
        with _translated(path):
            os.unlink(self._path(path))

    def make_directory(self, path: str) -> None:
        """Make one directory; a set-group bit comes from its parent."""
        with _translated(path):
            os.mkdir(self._path(path), _DIRECTORY_MODE)
            descriptor = self._open_directory(path)
            _share(descriptor, _DIRECTORY_MODE)
            os.close(descriptor)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory by rmdir(2)."""
        with _translated(path):
            os.rmdir(self._path(path))

    def list_directory(self, path: str) -> list[str]:
        """Give the names in the directory."""
        with _translated(path):
            return os.listdir(self._path(path))

    def _open_directory(self, path: str) -> int:
        return os.open(self._path(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def refresh(self, path: str) -> None:
        """Open and close the directory; on NFS this asks the server (P4)."""
        with _translated(path):
            os.close(self._open_directory(path))

    def stamp(self, path: str) -> Stamp:
        """Open, then ``fstat``: a bare ``stat`` may be a minute old on NFS."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with _translated(path):
            descriptor = os.open(self._path(path), flags)
            try:
                status = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        return Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)

    def touch(self, path: str) -> None:
        """Set the file's times to the server's now."""
        with _translated(path):
            os.utime(self._path(path), follow_symlinks=False)

    def rewrite(self, path: str, data: bytes) -> None:
        """Replace the content in place, for a rename over it may never be seen on SMB."""
        flags = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with (
            _translated(path),
            _written(os.open(self._path(path), flags), durable=True) as descriptor,
        ):
            _write(descriptor, data)

    def sync_directory(self, path: str) -> None:
        """Sync the directory; a file system that has no such operation needs none."""
        with _translated(path):
            descriptor = self._open_directory(path)
            try:
                os.fsync(descriptor)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise
            finally:
                os.close(descriptor)

    def free_space(self) -> int:
        """Bytes this account may still write, as statvfs(3) tells."""
        with _translated("."):
            status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def try_lock(self, path: str) -> HeldLock | None:
        """Take a `filelock.FileLock` at once, or give ``None``."""
        # It would make missing directories, and so something like a spool in an empty mount point.
        self.refresh(path.rpartition("/")[0])
        lock = FileLock(self._path(path), timeout=0, thread_local=False, mode=_FILE_MODE)
        with _translated(path):
            try:
                lock.acquire(blocking=False)
            except (Timeout, NotImplementedError):  # held, or this file system has no locks
                return None
        return lock
