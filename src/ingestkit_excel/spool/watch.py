"""Waiting for an outcome: look, wait a little longer each time, look again.

Owns: the pace of looking. Promises: progress without any event, for remote changes raise none.
Never does: take an error while looking for an absence.
"""

import random
from collections.abc import Callable
from typing import Final

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import ExecutionError
from ingestkit_excel.spool.records import Outcome

__all__ = ["wait_for"]

_WAIT_MIN_S: Final = 0.05  # short jobs are seen at once
_WAIT_MAX_S: Final = 2.0  # one round trip to the server every two seconds troubles nobody
_GROWTH: Final = 1.5
_SETTLE_S: Final = 60.0  # some file systems show a name this long before its bytes


def wait_for(
    look: Callable[[], Outcome | None], clock: Clock, timeout_s: float | None
) -> Outcome | None:
    """Look until there is an outcome; ``None`` when ``timeout_s`` has passed without one.

    Raises:
        ExecutionError: ``E_EXECUTION_RESULT_LOST``: its bytes stayed wrong.
    """
    started_s = clock.monotonic()
    wrong_since_s: float | None = None
    wait_s = _WAIT_MIN_S
    while True:  # ended by the outcome or the timeout; without a timeout the caller asked for it
        try:
            outcome = look()
            wrong_since_s = None
        except ExecutionError:
            now_s = clock.monotonic()
            wrong_since_s = now_s if wrong_since_s is None else wrong_since_s
            if now_s - wrong_since_s >= _SETTLE_S or _is_over(started_s, now_s, timeout_s):
                raise
            outcome = None
        if outcome is not None:
            return outcome
        now_s = clock.monotonic()
        if _is_over(started_s, now_s, timeout_s):
            return None
        pause_s = wait_s * random.uniform(0.8, 1.0)
        if timeout_s is not None:
            pause_s = min(pause_s, started_s + timeout_s - now_s)
        clock.sleep(pause_s)
        wait_s = min(wait_s * _GROWTH, _WAIT_MAX_S)


def _is_over(started_s: float, now_s: float, timeout_s: float | None) -> bool:
    return timeout_s is not None and now_s - started_s >= timeout_s
