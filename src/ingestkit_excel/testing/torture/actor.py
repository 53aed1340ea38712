"""What all processes of a run have in common: dice, a wrong clock, a history, a recorded disk.

Owns: the history file of its process. Promises: what a process was told is in its history before
it acts on it, as far as it lived that long.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.spool import Spool, layout
from ingestkit_excel.spool.fs import RealFileSystem
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.testing.history import Event, Kind, Phase, encode_event
from ingestkit_excel.testing.torture.plan import Plan

__all__ = ["Actor", "HistoryWriter", "SkewedClock"]

_SKEW_MAX_S: Final = 10 * 365 * 86400.0
_SKEWED_SHARE: Final = 0.5  # the rest keep the right time, or nobody would see the difference
_JUMP_CHANCE: Final = 0.002  # at each look at the clock

_WAITING: Final = (layout.PENDING, layout.DELAYED)
_ENDED: Final = (layout.DONE, layout.DEAD)


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


class HistoryWriter:
    """Appends events to a file of this host."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._clock = SystemClock()

    def now_s(self) -> float:
        """Give the time that all histories of this host share."""
        return self._clock.monotonic()

    def write(
        self, kind: Kind, phase: Phase, *, began_s: float | None = None, **facts: Any
    ) -> None:
        """Append one event that has just ended, in one write, so that it is there or is not."""
        ended_s = self.now_s()
        event = Event(kind, phase, ended_s if began_s is None else began_s, ended_s)
        os.write(self._file, encode_event(replace(event, **facts)))


class _RecordingFileSystem(RealFileSystem):
    """The real disk; each rename that moved a job from state to state is written down."""

    def __init__(self, root: Path, history: HistoryWriter) -> None:
        super().__init__(root)
        self._history = history

    def rename(self, source: str, target: str) -> None:
        """Move a name by rename(2)."""
        began_s = self._history.now_s()
        super().rename(source, target)
        kind = _kind_of(source.split("/")[0], target.split("/")[0])
        if kind is None:
            return
        moved = source if kind is not Kind.CLAIM else target
        stem = layout.parse_job_file(moved.rpartition("/")[2])
        if stem is not None:
            worker_id = moved.split("/")[1]
            self._history.write(
                kind, Phase.OK, began_s=began_s, worker_id=worker_id, **_facts_of(stem)
            )


def _kind_of(source: str, target: str) -> Kind | None:
    if source in _WAITING and target == layout.CLAIMS:
        return Kind.CLAIM
    if source == layout.CLAIMS and target in _ENDED:
        return Kind.FENCE
    if source == layout.CLAIMS and target in _WAITING:
        return Kind.TAKE_BACK
    return None


def _facts_of(stem: Stem) -> dict[str, str | int]:
    return {"job_id": stem.job_id, "attempt": stem.attempt, "failures": stem.failures}


class Actor:
    """One process at the spool."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.name = name
        self.number = int(name.split(".")[0].rpartition("-")[2])
        self.random = plan.random(name)
        self.clock = SkewedClock(self.random)
        self.history = HistoryWriter(plan.histories / f"{name}.jsonl")
        mount = plan.mount(self.number)
        fs = _RecordingFileSystem(mount, self.history)
        self.spool = Spool.open(mount, fs=fs, clock=self.clock)
        self._parent = os.getppid()
        self._is_stopped = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopped = True

    def goes_on(self) -> bool:
        """Whether neither a signal nor the end of the run told it to stop."""
        return not self._is_stopped and os.getppid() == self._parent

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)
