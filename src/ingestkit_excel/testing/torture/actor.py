"""What all processes of a run have in common: dice, a wrong clock, a history, a haunted disk."""

import os
import signal
from random import Random
from typing import Final

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.spool import Spool
from ingestkit_excel.spool.fs import RealFileSystem
from ingestkit_excel.testing.filesystem import HookedFileSystem
from ingestkit_excel.testing.torture.doom import Doom
from ingestkit_excel.testing.torture.plan import Plan
from ingestkit_excel.testing.torture.recording import HistoryWriter, RenameRecorder

__all__ = ["Actor", "SkewedClock"]

_SKEW_MAX_S: Final = 10 * 365 * 86400.0
_SKEWED_SHARE: Final = 0.5  # the rest keep the right time, or nobody would see the difference
_JUMP_CHANCE: Final = 0.002  # at each look at the clock


class SkewedClock(SystemClock):
    """A clock whose date is years off and jumps, and whose monotonic time starts anywhere."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._start_s = random.uniform(0.0, 1e6)
        self._skew_s = 0.0
        self._skew()

    def _skew(self) -> None:
        is_skewed = self._random.random() < _SKEWED_SHARE
        self._skew_s = self._random.uniform(-1.0, 1.0) * _SKEW_MAX_S if is_skewed else 0.0

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return self._start_s + super().monotonic()

    def wall(self) -> float:
        """Give what this host takes for the date."""
        if self._random.random() < _JUMP_CHANCE:
            self._skew()
        return super().wall() + self._skew_s


class Actor:
    """One process at the spool."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.name = name
        self.number = int(name.split(".")[0].rpartition("-")[2])
        self.random = plan.random(name)
        self.clock = SkewedClock(self.random)
        self.history = HistoryWriter(plan.histories / f"{name}.jsonl")
        self._recorder = RenameRecorder(self.history)
        self._doom = Doom(self.history, self.random, lease_s=plan.lease_s)
        mount = plan.mount(self.number)
        fs = HookedFileSystem(RealFileSystem(mount))
        fs.before, fs.after = self._before, self._after
        self.spool = Spool.open(mount, fs=fs, clock=self.clock)
        self._parent = os.getppid()
        self._is_stopped = False
        signal.signal(signal.SIGTERM, self._stop)

    def _before(self, operation: str, path: str) -> None:
        self._doom.pass_by(f"before {operation} {path}")
        self._recorder.before(operation, path)

    def _after(self, operation: str, path: str) -> None:
        self._recorder.after(operation, path)
        self._doom.pass_by(f"after {operation} {path}")

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopped = True

    def goes_on(self) -> bool:
        """Whether neither a signal nor the end of the run told it to stop."""
        return not self._is_stopped and os.getppid() == self._parent

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)
