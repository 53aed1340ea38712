"""Waiting for an outcome: look, wait a little longer each time, look again.

Owns: the pace of looking. Promises: progress without any event, for remote changes raise none;
an end in time, also when a look fails or hangs. Never does: take an error for an absence.
"""

import random
from collections.abc import Callable
from typing import Final

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import ExecutionError, SpoolError
from ingestkit_excel.spool.records import Outcome

__all__ = ["wait_for"]

_WAIT_MIN_S: Final = 0.05  # short jobs are seen at once
_WAIT_MAX_S: Final = 2.0  # one round trip to the server every two seconds troubles nobody
_GROWTH: Final = 1.5
_SETTLE_S: Final = 60.0  # some file systems show a name this long before its bytes
_LOOK_MIN_S: Final = 0.5  # a healthy share answers sooner, so a wait of no time sees what is there

Look = Callable[[float | None], Outcome | None]


def wait_for(look: Look, clock: Clock, timeout_s: float | None) -> Outcome | None:
    """Look until there is an outcome; ``None`` when ``timeout_s`` has passed without one.

    ``look`` is given the seconds it may take. A failure of it is raised when it lasts.

    Raises:
        ExecutionError: ``E_EXECUTION_RESULT_LOST``: its bytes stayed wrong.
        SpoolError: The spool stayed out of reach.
    """
    started_s = clock.monotonic()
    failing_since_s: float | None = None
    wait_s = _WAIT_MIN_S
    while True:  # ended by the outcome or the timeout; without a timeout the caller asked for it
        left_s = _left(started_s, clock.monotonic(), timeout_s)
        try:
            outcome = look(None if left_s is None else max(left_s, _LOOK_MIN_S))
            failing_since_s = None
        except (ExecutionError, SpoolError):
            now_s = clock.monotonic()
            failing_since_s = now_s if failing_since_s is None else failing_since_s
            if now_s - failing_since_s >= _SETTLE_S or _left(started_s, now_s, timeout_s) == 0.0:
                raise
            outcome = None
        if outcome is not None:
            return outcome
        left_s = _left(started_s, clock.monotonic(), timeout_s)
        if left_s == 0.0:
            return None
        pause_s = wait_s * random.uniform(0.8, 1.0)
        clock.sleep(pause_s if left_s is None else min(pause_s, left_s))
        wait_s = min(wait_s * _GROWTH, _WAIT_MAX_S)


def _left(started_s: float, now_s: float, timeout_s: float | None) -> float | None:
    return None if timeout_s is None else max(0.0, started_s + timeout_s - now_s)
