"""The histories of a run: who was told what, and which renames moved jobs.

Owns: the history file of its process. Promises: what a process was told is in its history before
it acts on it, as far as it lived that long.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.spool import layout
from ingestkit_excel.testing.history import Event, Kind, Phase, encode_event

__all__ = ["HistoryWriter", "RenameRecorder"]

_WAITING: Final = (layout.PENDING, layout.DELAYED)
_ENDED: Final = (layout.DONE, layout.DEAD)


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


class RenameRecorder:
    """Writes down each rename that moved a job from state to state."""

    def __init__(self, history: HistoryWriter) -> None:
        self._history = history
        self._began_s = 0.0

    def before(self, operation: str, _path: str) -> None:
        """Note when a rename begins."""
        if operation == "rename":
            self._began_s = self._history.now_s()

    def after(self, operation: str, path: str) -> None:
        """Write down a rename that succeeded; ``path`` is ``source -> target``."""
        if operation != "rename":
            return
        source, _, target = path.partition(" -> ")
        kind = _kind_of(source.split("/")[0], target.split("/")[0])
        claim = target if kind is Kind.CLAIM else source
        stem = layout.parse_job_file(claim.rpartition("/")[2])
        if kind is not None and stem is not None:
            self._history.write(
                kind,
                Phase.OK,
                began_s=self._began_s,
                job_id=stem.job_id,
                attempt=stem.attempt,
                failures=stem.failures,
                worker_id=claim.split("/")[1],
            )


def _kind_of(source: str, target: str) -> Kind | None:
    if source in _WAITING and target == layout.CLAIMS:
        return Kind.CLAIM
    if source == layout.CLAIMS and target in _ENDED:
        return Kind.FENCE
    if source == layout.CLAIMS and target in _WAITING:
        return Kind.TAKE_BACK
    return None
