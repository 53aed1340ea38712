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
import os
import stat as stat_module
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
_READ_BLOCK_BYTES = 1 << 20  # one round trip for nearly every record


class FileSystemError(Exception):
    """An operation on the spool directory did not return; it may have happened all the same."""

    def __init__(self, path: str, cause: str = "") -> None:
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.path}: {self.cause}" if self.cause else self.path


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


def _translated(error: OSError, path: str) -> FileSystemError:
    kind = _KINDS.get(error.errno or 0, Unreachable)
    return kind(path, error.strerror or type(error).__name__)


class RealFileSystem:
    """The tree under a directory of this host."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path)

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        """Make a new file; write, sync and close are all checked, for quotas show up late."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path(path), flags, _FILE_MODE)
            self._write_and_close(descriptor, data, durable)
        except OSError as error:
            raise _translated(error, path) from error

    @staticmethod
    def _write_and_close(descriptor: int, data: bytes, durable: bool) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if durable:
                os.fsync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            raise
        os.close(descriptor)

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a whole plain file without following a link or waiting on a FIFO."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path(path), flags)
            with open(descriptor, "rb", buffering=0) as stream:
                status = os.fstat(descriptor)
                if not stat_module.S_ISREG(status.st_mode) or status.st_nlink > 1:
                    raise NotRegular(path, "it is no plain file of one name")
                if status.st_size > max_bytes:
                    raise TooLarge(path, f"{status.st_size} bytes, at most {max_bytes} allowed")
                blocks = bytearray()
                while block := stream.read(_READ_BLOCK_BYTES):
                    blocks += block
                    if len(blocks) > max_bytes:
                        raise TooLarge(path, f"it grew past {max_bytes} bytes while being read")
                return bytes(blocks)
        except OSError as error:
            raise _translated(error, path) from error

    def rename(self, source: str, target: str) -> None:
        """Move a name by rename(2)."""
        try:
            os.rename(self._path(source), self._path(target))
        except OSError as error:
            raise _translated(error, source) from error

    def remove(self, path: str) -> None:
        """Remove a file by unlink(2)."""
        try:
            os.unlink(self._path(path))
        except OSError as error:
            raise _translated(error, path) from error

    def make_directory(self, path: str) -> None:
        """Make one directory; a set-group bit comes from its parent."""
        try:
            os.mkdir(self._path(path), _DIRECTORY_MODE)
        except OSError as error:
            raise _translated(error, path) from error

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory by rmdir(2)."""
        try:
            os.rmdir(self._path(path))
        except OSError as error:
            raise _translated(error, path) from error

    def list_directory(self, path: str) -> list[str]:
        """Give the names in the directory."""
        try:
            return os.listdir(self._path(path))
        except OSError as error:
            raise _translated(error, path) from error

    def _open_directory(self, path: str) -> int:
        return os.open(self._path(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def refresh(self, path: str) -> None:
        """Open and close the directory; on NFS this asks the server (P4)."""
        try:
            os.close(self._open_directory(path))
        except OSError as error:
            raise _translated(error, path) from error

    def stamp(self, path: str) -> Stamp:
        """Open, then ``fstat``: a bare ``stat`` may be a minute old on NFS."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path(path), flags)
            try:
                status = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _translated(error, path) from error
        return Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)

    def touch(self, path: str) -> None:
        """Set the file's times to the server's now."""
        try:
            os.utime(self._path(path), follow_symlinks=False)
        except OSError as error:
            raise _translated(error, path) from error

    def rewrite(self, path: str, data: bytes) -> None:
        """Replace the content in place, for a rename over it may never be seen on SMB."""
        flags = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._write_and_close(os.open(self._path(path), flags), data, durable=True)
        except OSError as error:
            raise _translated(error, path) from error

    def sync_directory(self, path: str) -> None:
        """Sync the directory; a file system that has no such operation needs none."""
        try:
            descriptor = self._open_directory(path)
            try:
                os.fsync(descriptor)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _translated(error, path) from error

    def free_space(self) -> int:
        """Bytes this account may still write, as statvfs(3) tells."""
        try:
            status = os.statvfs(self.root)
        except OSError as error:
            raise _translated(error, ".") from error
        return status.f_bavail * status.f_frsize

    def try_lock(self, path: str) -> HeldLock | None:
        """Take a `filelock.FileLock` at once, or give ``None``."""
        lock = FileLock(self._path(path), timeout=0, thread_local=False, mode=_FILE_MODE)
        try:
            lock.acquire(blocking=False)
        except (Timeout, NotImplementedError):  # held, or this file system has no locks
            return None
        except OSError as error:
            raise _translated(error, path) from error
        return lock
