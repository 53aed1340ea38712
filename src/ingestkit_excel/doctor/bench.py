"""What every probe works with: the directory as this process sees it, and hands in others. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ingestkit_excel.clock import Clock
from ingestkit_excel.doctor.rawdisk import Disk
from ingestkit_excel.spool.fs import FileSystem

__all__ = ["Bench", "Hand", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """The examined directory under one path of this host."""

    root: Path
    fs: FileSystem
    disk: Disk


class Hand(Protocol):
    """Another process that does one deed at a time (see `Deeds`)."""

    def start(self, deed: str, **facts: Any) -> None:
        """Let it begin; the last deed's answer has been taken."""
        ...

    def answer(self, timeout_s: float) -> Any:
        """Wait for what the deed gives.

        Raises:
            FileSystemError: It did not answer in time, ended, or met an error of the disk.
        """
        ...

    def kill(self) -> None:
        """End the process as a crash would; what it held is the system's to free."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything an examination has at hand."""

    here: Place
    hands: Sequence[Hand]
    """Processes that reach the directory by the same path as this one; two at least."""
    peer_hands: Sequence[Hand]
    """Processes that reach it by the other mount; none when there is no other."""
    clock: Clock
    mountinfo: str
    scratch: str
    """A directory of ours inside the examined one."""
    peer: Place | None = None
    is_spool: bool = False

    @property
    def all_hands(self) -> list[Hand]:
        """Those of both mounts, by turns."""
        longest = max(len(self.hands), len(self.peer_hands))
        turns = [(hands[i : i + 1]) for i in range(longest) for hands in self._groups]
        return [hand for turn in turns for hand in turn]

    @property
    def far_hand(self) -> Hand:
        """The one whose view is most likely to differ from ours."""
        return (self.peer_hands or self.hands)[0]

    @property
    def far(self) -> str:
        """Whose view that is, in words."""
        return "the other mount" if self.peer_hands else "another process"

    @property
    def _groups(self) -> tuple[Sequence[Hand], Sequence[Hand]]:
        return self.hands, self.peer_hands

    def path(self, name: str) -> str:
        """Give the path of a name in the scratch directory."""
        return f"{self.scratch}/{name}"

    def make(self, name: str) -> str:
        """Make a directory in the scratch directory and give its path."""
        self.here.fs.make_directory(self.path(name))
        return self.path(name)
