"""A bench in memory: hands that work in this process, and a disk that breaks one promise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingestkit_excel.clock import Clock
from ingestkit_excel.doctor.bench import Bench, Place
from ingestkit_excel.doctor.deeds import Deeds
from ingestkit_excel.doctor.rawdisk import Modes, Watch
from ingestkit_excel.spool.fs import FileSystem, FileSystemError
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import MemoryFileSystem

SCRATCH = ".ingestkit-doctor-test"


class LocalHand:
    """Does its deed when it is asked for the answer."""

    def __init__(self, place: Place, clock: Clock) -> None:
        self._deeds = Deeds(place, clock)
        self._deed: Callable[[], Any] = lambda: None

    def start(self, deed: str, **facts: Any) -> None:
        """Remember the deed."""
        self._deed = lambda: self._deeds.do(deed, facts)

    def answer(self, timeout_s: float) -> Any:
        """Do it."""
        assert timeout_s > 0
        return self._deed()

    def kill(self) -> None:
        """Drop what it held."""
        self._deeds.close()


class LocalWatch:
    """Tells of any name, or of none."""

    def __init__(self, tells: bool) -> None:
        self._tells = tells

    def has_told(self, name: str, seconds: float) -> bool:
        """Say what it was made to say."""
        return self._tells and bool(name) and seconds > 0

    def close(self) -> None:
        """Nothing is held."""


class LocalDisk:
    """Bare system calls on a file system in memory; each answer can be set."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs
        self.link_errors = ["", "EEXIST"]
        self.sync_error = ""
        self.mode_of_top = 0o2770
        self.mode_of_made = 0o2770
        self.group_of_made = 1
        self.names: int | None = None
        self.tells: bool | None = True
        self.finds = True

    def has_name(self, path: str) -> bool:
        """Look through the file system."""
        try:
            self._fs.stamp(path)
        except FileSystemError:
            return False
        return self.finds

    def can_open(self, path: str) -> bool:
        """As above: this file system has no caches."""
        return self.has_name(path)

    def link(self, source: str, target: str) -> str:
        """Give the next error."""
        assert source != target
        return self.link_errors.pop(0)

    def sync_directory(self, path: str) -> str:
        """Give the error."""
        assert path
        return self.sync_error

    def modes(self, path: str) -> Modes:
        """Give the modes of the directory, or of what is made in it."""
        if not path:
            return Modes(self.mode_of_top, 1, 1, 7)
        return Modes(self.mode_of_made, 1, self.group_of_made, 7)

    def free_names(self) -> int | None:
        """Give how many names are left."""
        return self.names

    def watch(self, path: str) -> Watch | None:
        """Give a watch, or none."""
        assert path
        return None if self.tells is None else LocalWatch(self.tells)


class WorkClock(FakeClock):
    """A clock that moves a little whenever it is asked, as time does while work is done."""

    def monotonic(self) -> float:
        """Let a hundredth of a second pass."""
        self.advance(0.01)
        return super().monotonic()


def make_bench(
    fs: FileSystem | None = None,
    *,
    far: FileSystem | None = None,
    kind: str = "ext4",
    has_scratch: bool = True,
) -> Bench:
    """Give a bench on a file system, with hands on another view of it when there is one.

    Without a scratch directory it is ready for a whole examination, of a spool.
    """
    fs = fs or MemoryFileSystem()
    clock = WorkClock()
    here = _place(fs)
    if has_scratch:
        fs.make_directory(SCRATCH)
    return Bench(
        here=here,
        hands=[LocalHand(here, clock) for _ in range(2)],
        peer_hands=[] if far is None else [LocalHand(_place(far), clock) for _ in range(2)],
        clock=clock,
        mountinfo=f"1 0 0:1 / / rw - {kind} source rw",
        scratch=SCRATCH,
        is_spool=not has_scratch,
    )


def _place(fs: FileSystem) -> Place:
    return Place(Path("/share"), fs, LocalDisk(fs))


def disk_of(bench: Bench) -> LocalDisk:
    """Give the disk of this process, to be set."""
    assert isinstance(bench.here.disk, LocalDisk)
    return bench.here.disk
