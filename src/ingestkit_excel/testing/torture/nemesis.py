"""What befalls the processes and the disk of a run: death, sleep, lost heartbeats, a full disk."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.testing.history import Kind, Phase
from ingestkit_excel.testing.torture.crew import Crew, Member
from ingestkit_excel.testing.torture.doom import DIE, PAUSE_LEASES, SLEEP
from ingestkit_excel.testing.torture.plan import Plan, Role

__all__ = ["Ballast", "Nemesis", "why_not_to_fill"]

_SMALL_DISK_BYTES: Final = 2 << 30  # more takes too long to fill, and may be somebody's
_BLOCK_BYTES: Final = 1 << 20
_FULL_S: Final = (0.5, 2.0)
_REST_S: Final = (0.15, 0.7)  # some hundred kills in five minutes
_TARGETS: Final = {Role.WORKER: 16, Role.DAEMON: 2, Role.SUBMITTER: 3, Role.WAITER: 1}


def why_not_to_fill(directory: Path) -> str | None:
    """Say why the disk of a directory must not be filled; ``None`` when it may be."""
    status = os.statvfs(directory)
    size_bytes = status.f_blocks * status.f_frsize
    if size_bytes <= _SMALL_DISK_BYTES:
        return None
    return f"it has {size_bytes >> 20} MiB; give a spool on one of at most 2048 to see it full"


class Ballast:
    """A file that fills the disk of the spool."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> None:
        """Write until nothing more fits."""
        block_bytes = _BLOCK_BYTES
        with open(self._path, "wb", buffering=0) as file:
            while block_bytes >= 1024:
                try:
                    file.write(bytes(block_bytes))
                except OSError:
                    block_bytes //= 4

    def drop(self) -> None:
        """Give the space back."""
        self._path.unlink(missing_ok=True)


class Nemesis:
    """Strikes at random, and tells its history what it did."""

    def __init__(self, plan: Plan, crew: Crew, ballast: Ballast | None) -> None:
        self._crew = crew
        self._history = crew.history
        self._ballast = ballast
        self._spool = plan.mount(0)
        self._lease_s = plan.lease_s
        self._dice = plan.random("nemesis")
        self._next_s = self._relief_s = 0.0
        self._ways: dict[Callable[[], None], int] = {
            self._kill: 26,
            self._doom_to_die: 26,
            self._pause: 16,
            self._doom_to_sleep: 20,
            self._remove_heartbeat: 10,
        }
        if ballast is not None:
            self._ways[self._fill] = 6

    def step(self, now_s: float) -> None:
        """Do what is due by now."""
        if self._ballast is not None and self._relief_s and now_s >= self._relief_s:
            self._relief_s = 0.0
            self._ballast.drop()
        if now_s >= self._next_s:
            self._next_s = now_s + self._dice.uniform(*_REST_S)
            (way,) = self._dice.choices(list(self._ways), list(self._ways.values()))
            way()

    def rest(self) -> None:
        """Undo what can be undone."""
        if self._ballast is not None:
            self._ballast.drop()
        self._crew.wake_all()

    def _note(self, fault: str, target: str = "") -> None:
        self._history.write(Kind.FAULT, Phase.OK, note=fault, worker_id=target)

    def _target(self) -> Member | None:
        # On a busy host processes would else be killed faster than they start.
        members = [member for member in self._crew.members if self._crew.is_up(member)]
        if not members:
            return None
        weights = [_TARGETS[member.role] for member in members]
        return self._dice.choices(members, weights)[0]

    def _kill(self) -> None:
        target = self._target()
        if target is not None:
            self._crew.kill(target)
            self._note("kill", target.name)

    def _pause(self) -> None:
        target = self._target()
        if target is not None and target.paused_until_s is None:
            self._crew.pause(target, self._lease_s * self._dice.uniform(*PAUSE_LEASES))
            self._note("pause", target.name)

    def _doom_to_die(self) -> None:
        self._doom(DIE)

    def _doom_to_sleep(self) -> None:
        self._doom(SLEEP)

    def _doom(self, number: signal.Signals) -> None:
        target = self._target()
        if (
            target is not None and target.role is not Role.DAEMON
        ):  # a real one does not listen to us
            self._crew.doom(target, number)

    def _remove_heartbeat(self) -> None:
        leases = sorted((self._spool / layout.WORKERS).glob("*.lease"))
        if leases:
            with contextlib.suppress(FileNotFoundError):
                self._dice.choice(leases).unlink()
                self._note("heartbeat removed")

    def _fill(self) -> None:
        if self._ballast is not None and not self._relief_s:
            self._ballast.load()
            self._relief_s = self._next_s + self._dice.uniform(*_FULL_S)
            self._note("disk full")
