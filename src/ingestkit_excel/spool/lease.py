"""Judging from outside whether a worker lives. Pure but for what it remembers.

Owns: the observations of heartbeats.
Promises: a worker is called dead only after its heartbeat stood still for a lease duration of
this host's own time, watched by looks that were themselves prompt.
Never does: compare a timestamp with a clock, or count time in which the observer itself hung.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingestkit_excel.spool.fs import Stamp

__all__ = ["LeaseObserver"]

_ROUND_INTERVAL_S: Final = 5.0  # a janitor's; each round tells that the observer itself is well
_HEALTHY_LOOKS_MIN: Final = 4  # one lucky look after a server's outage must not condemn anyone


@dataclass(slots=True)
class _Observation:
    stamp: Stamp | None
    since_s: float
    healthy_looks: int


class LeaseObserver:
    """Remembers when each heartbeat was last seen to change."""

    def __init__(self, lease_duration_s: float) -> None:
        self._lease_duration_s = lease_duration_s
        self._seen: dict[str, _Observation] = {}
        self._well_s: float | None = None
        self._is_doubtful = False

    def look(
        self, stamps: Mapping[str, Stamp | None], *, started_s: float, finished_s: float
    ) -> frozenset[str]:
        """Take in one look at all heartbeats; give the workers that are dead.

        ``None`` stands for a worker without a heartbeat. A look that took longer than a quarter
        of the lease, or came so much later than it was due, makes all watching start anew: the
        observer, or the server, stood still, and so did everybody's heartbeat.
        """
        self.note_round(started_s)
        if finished_s - started_s > self._lease_duration_s / 4 or self._is_doubtful:
            self._seen = {}
        self._is_doubtful = False
        self._well_s = finished_s
        self._seen = {
            worker_id: self._observe(worker_id, stamp, finished_s)
            for worker_id, stamp in stamps.items()
        }
        return frozenset(
            worker_id
            for worker_id, seen in self._seen.items()
            if seen.healthy_looks >= _HEALTHY_LOOKS_MIN
            and finished_s - seen.since_s >= self._lease_duration_s
        )

    def _observe(self, worker_id: str, stamp: Stamp | None, now_s: float) -> _Observation:
        seen = self._seen.get(worker_id)
        if seen is None or seen.stamp != stamp:
            return _Observation(stamp, now_s, 0)
        return _Observation(stamp, seen.since_s, seen.healthy_looks + 1)

    def note_round(self, now_s: float) -> None:
        """Take in that the observer's own loop came round, though it may not look this time."""
        due_s = now_s if self._well_s is None else self._well_s + _ROUND_INTERVAL_S
        if now_s - due_s > self._lease_duration_s / 4:
            self._is_doubtful = True
        self._well_s = now_s

    def forget_all(self) -> None:
        """Start all watching anew; call it, from any thread, when the disk did not answer."""
        self._is_doubtful = True
