"""System calls that the spool never makes bare, made on purpose: they are what is probed.

Owns: every access to the disk of this package that does not go through a `FileSystem`.
Promises: what the system says comes back as a value, an error as its name (``EEXIST``).
Never does: write, except for one hard link where the caller asks for it.
"""

import errno
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.polling import PollingObserver

__all__ = ["Disk", "Modes", "RawDisk", "Watch"]

# Closing an observer while an event arrives makes it log an error that means nothing.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Modes:
    """Who may do what with a file or directory."""

    mode: int
    owner: int
    group: int
    device: int


class Watch(Protocol):
    """Events of one directory, as the kernel tells them."""

    def has_told(self, name: str, seconds: float) -> bool:
        """Whether an event of that name has come, after waiting so long at most."""
        ...

    def close(self) -> None:
        """Watch no longer."""
        ...


class Disk(Protocol):
    """A directory by bare system calls; paths are relative."""

    def has_name(self, path: str) -> bool:
        """Whether a bare stat(2) finds the name."""
        ...

    def can_open(self, path: str) -> bool:
        """Whether a bare open(2) finds the name."""
        ...

    def link(self, source: str, target: str) -> str:
        """Make a hard link; give the name of the error, or nothing."""
        ...

    def sync_directory(self, path: str) -> str:
        """Sync a directory; give the name of the error, or nothing."""
        ...

    def modes(self, path: str) -> Modes:
        """Give owner, group and mode bits."""
        ...

    def free_names(self) -> int | None:
        """How many more files fit; ``None`` where the file system has no such limit."""
        ...

    def watch(self, path: str) -> Watch | None:
        """Watch a directory; ``None`` where the kernel has no events."""
        ...


class RawDisk:
    """A directory of this host."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, path: str) -> str:
        return os.path.join(self._root, path)

    def has_name(self, path: str) -> bool:
        """Look by stat(2), without opening anything first."""
        try:
            os.stat(self._path(path), follow_symlinks=False)
        except OSError:
            return False
        return True

    def can_open(self, path: str) -> bool:
        """Look by open(2), without opening the directory first."""
        try:
            os.close(os.open(self._path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def link(self, source: str, target: str) -> str:
        """Make a hard link by link(2)."""
        return _error_of(lambda: os.link(self._path(source), self._path(target)))

    def sync_directory(self, path: str) -> str:
        """Open the directory and fsync(2) it."""

        def sync() -> None:
            descriptor = os.open(self._path(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

        return _error_of(sync)

    def modes(self, path: str) -> Modes:
        """Ask by stat(2)."""
        status = os.stat(self._path(path))
        return Modes(status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_dev)

    def free_names(self) -> int | None:
        """Ask by statvfs(3); file systems that make inodes as needed report none at all."""
        status = os.statvfs(self._root)
        return status.f_favail if status.f_files else None

    def watch(self, path: str) -> Watch | None:
        """Watch by inotify(7)."""
        try:
            return _KernelWatch(self._path(path))
        except OSError:  # no handle or no watch left for this user, or none on this file system
            return None


def _error_of(call: Callable[[], None]) -> str:
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return ""


class _KernelWatch(FileSystemEventHandler):
    def __init__(self, path: str) -> None:
        self._changed = threading.Condition()
        self._names: set[str] = set()
        self._observer = Observer()
        if isinstance(self._observer, PollingObserver):
            raise OSError(errno.ENOSYS, "this system has no file events")
        self._observer.schedule(self, path, recursive=False)
        try:
            self._observer.start()
        except OSError:
            self._observer.stop()  # parts of it may run already
            raise

    def dispatch(self, event: FileSystemEvent) -> None:
        with self._changed:
            for path in (str(event.src_path), str(event.dest_path)):
                self._names.add(path.rpartition("/")[2])
            self._changed.notify_all()

    def has_told(self, name: str, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: name in self._names, seconds)

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()
