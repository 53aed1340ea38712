"""Death and sleep between two file operations, for the signals of a nemesis come anywhere else.

A job spends most of its time waiting. Told by a signal, a process counts its next operations down
and dies, or sleeps beyond the lease, before or after one of them, be it a commit.
"""

import os
import signal
from random import Random
from typing import Final

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.testing.history import Kind, Phase
from ingestkit_excel.testing.torture.recording import HistoryWriter

__all__ = ["DIE", "PAUSE_LEASES", "SLEEP", "Doom"]

DIE: Final = signal.SIGUSR1
SLEEP: Final = signal.SIGUSR2
PAUSE_LEASES: Final = (1.2, 3.0)  # so that whoever sleeps is taken for dead
_MOMENTS: Final = 60  # two at each operation; a job takes a worker some thirty operations


class Doom:
    """What is to befall its process, and when."""

    def __init__(self, history: HistoryWriter, random: Random, *, lease_s: float) -> None:
        self._history = history
        self._random = random
        self._lease_s = lease_s
        self._fate = 0
        self._moments_left = 0
        for number in (DIE, SLEEP):
            signal.signal(number, self._be_told)

    def _be_told(self, number: int, _frame: object) -> None:
        self._fate = number
        self._moments_left = self._random.randrange(_MOMENTS) + 1

    def pass_by(self, moment: str) -> None:
        """Live through one moment, or do not."""
        if self._moments_left == 0:
            return
        self._moments_left -= 1
        if self._moments_left:
            return
        if self._fate == DIE:
            self._note("kill at a file operation", moment)
            os.kill(os.getpid(), signal.SIGKILL)
        self._note("pause at a file operation", moment)
        SystemClock().sleep(self._lease_s * self._random.uniform(*PAUSE_LEASES))

    def _note(self, fault: str, moment: str) -> None:
        self._history.write(Kind.FAULT, Phase.OK, note=fault, worker_id=moment)
