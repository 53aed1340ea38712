"""File systems for tests: one in memory, and one that fails on command.

`MemoryFileSystem` passes the contract suite of `RealFileSystem`. `FaultyFileSystem` wraps either
and spoils its k-th operation, so that a test can try every k. A process that crashed reaches
nothing any more: each later call crashes too, also those in ``finally`` blocks.
`HookedFileSystem` wraps either and lets a test act, or fail, around operations it chooses.
"""

import hashlib
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from ingestkit_excel.clock import Clock
from ingestkit_excel.spool.fs import (
    Exists,
    FileSystem,
    HeldLock,
    Missing,
    NotRegular,
    Stamp,
    TooLarge,
    Unreachable,
)
from ingestkit_excel.testing.clock import FakeClock

__all__ = [
    "Directory",
    "Fault",
    "FaultyFileSystem",
    "File",
    "Hook",
    "HookedFileSystem",
    "MemoryFileSystem",
    "SimulatedCrash",
]

T = TypeVar("T")
_FREE_BYTES = 1 << 40
_NEVER = 1_000_000_000  # more operations than any test takes


@dataclass(slots=True)
class File:
    """A file of a `MemoryFileSystem`."""

    inode: int
    mtime_ns: int
    ctime_ns: int
    data: bytes = b""


@dataclass(slots=True)
class Directory:
    """A directory of a `MemoryFileSystem`."""

    inode: int
    mtime_ns: int
    ctime_ns: int
    children: "dict[str, File | Directory]" = field(default_factory=dict)


class _MemoryLock:
    def __init__(self, held: set[str], path: str) -> None:
        self._held = held
        self._path: str | None = path

    def release(self) -> None:
        """Give the lock up once."""
        if self._path is not None:
            self._held.discard(self._path)
            self._path = None


class MemoryFileSystem:
    """A tree in memory, stamped by the clock it is given."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._inodes = itertools.count(1)
        self._mutex = threading.RLock()
        self._held: set[str] = set()
        now = self._now()
        self._root = Directory(next(self._inodes), now, now)

    def _now(self) -> int:
        return int(self._clock.wall() * 1e9)

    def _find(self, path: str) -> File | Directory:
        node: File | Directory = self._root
        for name in filter(None, path.split("/")):
            if not isinstance(node, Directory):
                raise NotRegular(path, "a part of the path is a file")
            if name not in node.children:
                raise Missing(path, "no such name")
            node = node.children[name]
        return node

    def _directory(self, path: str) -> Directory:
        node = self._find(path)
        if not isinstance(node, Directory):
            raise NotRegular(path, "it is a file")
        return node

    def _file(self, path: str) -> File:
        node = self._find(path)
        if not isinstance(node, File):
            raise NotRegular(path, "it is a directory")
        return node

    def _parent(self, path: str) -> tuple[Directory, str]:
        parent, _, name = path.rpartition("/")
        return self._directory(parent), name

    def _add(self, path: str, node: File | Directory) -> None:
        parent, name = self._parent(path)
        if not name or name in parent.children:
            raise Exists(path, "the name is taken")
        parent.children[name] = node
        parent.mtime_ns = self._now()

    def create(self, path: str, data: bytes, *, durable: bool) -> None:  # noqa: ARG002
        """Make a new file; memory is as durable as the test."""
        with self._mutex:
            now = self._now()
            self._add(path, File(next(self._inodes), now, now, bytes(data)))

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Read a whole file."""
        with self._mutex:
            data = self._file(path).data
        if len(data) > max_bytes:
            raise TooLarge(path, f"{len(data)} bytes, at most {max_bytes} allowed")
        return data

    def copy_in(self, source: Path, path: str, *, max_bytes: int, durable: bool) -> str:
        """Copy a file of this host into the tree."""
        data = source.read_bytes()
        self.create(path, data[:max_bytes], durable=durable)
        if len(data) > max_bytes:
            raise TooLarge(path, f"the source has more than {max_bytes} bytes")
        return hashlib.sha256(data).hexdigest()

    def copy_out(self, path: str, target: Path, *, max_bytes: int) -> str:
        """Copy a file of the tree to this host."""
        data = self.read(path, max_bytes=max_bytes)
        with open(target, "xb") as stream:
            stream.write(data)
        return hashlib.sha256(data).hexdigest()

    def rename(self, source: str, target: str) -> None:
        """Move a name under the rules of rename(2)."""
        with self._mutex:
            old_parent, old_name = self._parent(source)
            node = self._find(source)
            new_parent, new_name = self._parent(target)
            there = new_parent.children.get(new_name)
            if isinstance(there, Directory):
                if isinstance(node, File):
                    raise NotRegular(target, "it is a directory")
                if there.children:
                    raise Exists(target, "the directory is not empty")
            elif isinstance(there, File) and isinstance(node, Directory):
                raise NotRegular(target, "it is a file")
            node.ctime_ns = old_parent.mtime_ns = new_parent.mtime_ns = self._now()
            del old_parent.children[old_name]
            new_parent.children[new_name] = node

    def remove(self, path: str) -> None:
        """Remove a file."""
        with self._mutex:
            self._file(path)
            parent, name = self._parent(path)
            del parent.children[name]
            parent.mtime_ns = self._now()

    def make_directory(self, path: str) -> None:
        """Make one directory."""
        with self._mutex:
            now = self._now()
            self._add(path, Directory(next(self._inodes), now, now))

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        with self._mutex:
            if self._directory(path).children:
                raise Exists(path, "the directory is not empty")
            parent, name = self._parent(path)
            del parent.children[name]
            parent.mtime_ns = self._now()

    def list_directory(self, path: str) -> list[str]:
        """Give the names in the directory."""
        with self._mutex:
            return list(self._directory(path).children)

    def refresh(self, path: str) -> None:
        """Check that the directory is there; memory has no cache."""
        with self._mutex:
            self._directory(path)

    def stamp(self, path: str) -> Stamp:
        """Give the stamp of a file or directory."""
        with self._mutex:
            node = self._find(path)
            size = len(node.data) if isinstance(node, File) else 0
            return Stamp(node.mtime_ns, node.ctime_ns, node.inode, size)

    def touch(self, path: str) -> None:
        """Set the file's times to now."""
        with self._mutex:
            node = self._find(path)
            node.mtime_ns = node.ctime_ns = self._now()

    def rewrite(self, path: str, data: bytes) -> None:
        """Replace the content in place."""
        with self._mutex:
            node = self._file(path)
            node.data = bytes(data)
            node.mtime_ns = node.ctime_ns = self._now()

    def sync_directory(self, path: str) -> None:
        """Check that the directory is there."""
        self.refresh(path)

    def free_space(self) -> int:
        """More than any test needs."""
        return _FREE_BYTES

    def try_lock(self, path: str) -> HeldLock | None:
        """Take a lock of this tree, or give ``None``."""
        with self._mutex:
            parent, name = self._parent(path)
            if path in self._held:
                return None
            if name not in parent.children:
                self.create(path, b"", durable=False)
            self._held.add(path)
            return _MemoryLock(self._held, path)


class SimulatedCrash(BaseException):
    """The process is gone; nothing may catch this but the test."""


class Fault(StrEnum):
    """What happens to the chosen operation."""

    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"
    CRASH_TORN = "crash_torn"
    """A file is created with half its bytes; other operations are as in ``CRASH_BEFORE``."""
    REPORTED_FAILED = "reported_failed"
    """It is done, and `Unreachable` is raised, as when a server's reply is lost."""
    RETRIED = "retried"
    """It is done twice, and the second try's error is raised, as by a client that repeats."""
    FAILED = "failed"
    """It is not done, and `Unreachable` is raised."""


class FaultyFileSystem:
    """One process's view of a file system; its operation number ``fault_at`` (from 1) fails."""

    def __init__(self, inner: FileSystem, fault: Fault, fault_at: int) -> None:
        self._inner = inner
        self._fault = fault
        self.fault_at = fault_at
        self._locks: list[HeldLock] = []
        self.operations = 0
        self.is_crashed = False

    @property
    def was_hit(self) -> bool:
        """Whether the chosen operation was reached."""
        return self.operations >= self.fault_at

    def crash(self) -> None:
        """End the process now; its locks go with it."""
        self.is_crashed = True
        for lock in self._locks:
            lock.release()

    def _run(self, operation: Callable[[], T], path: str, torn: Callable[[], T] | None = None) -> T:
        if self.is_crashed:
            raise SimulatedCrash(path)
        self.operations += 1
        if self.operations != self.fault_at:
            return operation()
        if self._fault is Fault.FAILED:
            raise Unreachable(path, "made to fail")
        if self._fault is Fault.CRASH_TORN and torn is not None:
            torn()
        if self._fault in (Fault.CRASH_AFTER, Fault.REPORTED_FAILED, Fault.RETRIED):
            operation()
        if self._fault is Fault.RETRIED:
            return operation()
        if self._fault is Fault.REPORTED_FAILED:
            raise Unreachable(path, "done, but made to report failure")
        self.crash()
        raise SimulatedCrash(path)

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(
            lambda: self._inner.create(path, data, durable=durable),
            path,
            lambda: self._inner.create(path, data[: len(data) // 2], durable=durable),
        )

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """As the wrapped one, unless it is this operation's turn to fail."""
        return self._run(lambda: self._inner.read(path, max_bytes=max_bytes), path)

    def copy_in(self, source: Path, path: str, *, max_bytes: int, durable: bool) -> str:
        """As the wrapped one, unless it is this operation's turn to fail."""

        def torn() -> str:
            half = source.read_bytes()[: source.stat().st_size // 2]
            self._inner.create(path, half, durable=durable)
            return ""

        return self._run(
            lambda: self._inner.copy_in(source, path, max_bytes=max_bytes, durable=durable),
            path,
            torn,
        )

    def copy_out(self, path: str, target: Path, *, max_bytes: int) -> str:
        """As the wrapped one, unless it is this operation's turn to fail."""
        return self._run(lambda: self._inner.copy_out(path, target, max_bytes=max_bytes), path)

    def rename(self, source: str, target: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.rename(source, target), source)

    def remove(self, path: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.remove(path), path)

    def make_directory(self, path: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.make_directory(path), path)

    def remove_directory(self, path: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.remove_directory(path), path)

    def list_directory(self, path: str) -> list[str]:
        """As the wrapped one, unless it is this operation's turn to fail."""
        return self._run(lambda: self._inner.list_directory(path), path)

    def refresh(self, path: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.refresh(path), path)

    def stamp(self, path: str) -> Stamp:
        """As the wrapped one, unless it is this operation's turn to fail."""
        return self._run(lambda: self._inner.stamp(path), path)

    def touch(self, path: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.touch(path), path)

    def rewrite(self, path: str, data: bytes) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.rewrite(path, data), path)

    def sync_directory(self, path: str) -> None:
        """As the wrapped one, unless it is this operation's turn to fail."""
        self._run(lambda: self._inner.sync_directory(path), path)

    def free_space(self) -> int:
        """As the wrapped one, unless it is this operation's turn to fail."""
        return self._run(self._inner.free_space, ".")

    def try_lock(self, path: str) -> HeldLock | None:
        """As the wrapped one; the lock ends with the process."""
        lock = self._run(lambda: self._inner.try_lock(path), path)
        if lock is not None:
            self._locks.append(lock)
        return lock


Hook = Callable[[str, str], None]
"""Called with the name of an operation and its path; of a rename with ``source -> target``."""


class HookedFileSystem(FaultyFileSystem):
    """One process's view of a file system; a test may look on, act or fail around operations."""

    def __init__(self, inner: FileSystem) -> None:
        super().__init__(inner, Fault.FAILED, _NEVER)
        self.before: Hook | None = None
        self.after: Hook | None = None

    def _run(self, operation: Callable[[], T], path: str, torn: Callable[[], T] | None = None) -> T:
        # "Class.method", or "Class.method.<locals>.<lambda>"
        name = operation.__qualname__.split(".")[1]
        if name == "rename":
            return super()._run(operation, path, torn)
        return self._hooked(name, path, lambda: super(HookedFileSystem, self)._run(operation, path))

    def rename(self, source: str, target: str) -> None:
        """As the wrapped one, between the hooks."""
        self._hooked(
            "rename",
            f"{source} -> {target}",
            lambda: super(HookedFileSystem, self).rename(source, target),
        )

    def _hooked(self, name: str, path: str, operation: Callable[[], T]) -> T:
        if self.before is not None:
            self.before(name, path)
        given = operation()
        if self.after is not None:
            self.after(name, path)
        return given
