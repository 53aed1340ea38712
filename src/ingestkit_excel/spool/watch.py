"""Waiting for an outcome: look, wait a little longer each time, look again.

Owns: the pace of looking. Promises: progress without any event, for remote changes raise none;
an end in time, also when a look fails or hangs. Never does: take an error for an absence.
"""

import random
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Final, Protocol

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import ExecutionError, SpoolError
from ingestkit_excel.spool.records import Outcome

__all__ = ["Hint", "wait_for"]

_WAIT_MIN_S: Final = 0.05  # short jobs are seen at once
_WAIT_MAX_S: Final = 2.0  # one round trip to the server every two seconds troubles nobody
_GROWTH: Final = 1.5
_SETTLE_S: Final = 60.0  # some file systems show a name this long before its bytes
_LOOK_MIN_S: Final = 0.5  # a healthy share answers sooner, so a wait of no time sees what is there

_HINT_FROM_WAIT_S: Final = 0.5  # after a second or so, for a hint takes 30 ms to end


class Hint(Protocol):
    """Something that may end a pause early."""

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass, or fewer."""
        ...

    def close(self) -> None:
        """Give up what it holds."""
        ...


Look = Callable[[float | None], Outcome | None]


def no_hint() -> Hint | None:
    """Give no hint: the pace of looking alone decides."""
    return None


def wait_for(
    look: Look,
    clock: Clock,
    timeout_s: float | None,
    *,
    open_hint: Callable[[], Hint | None] = no_hint,
) -> Outcome | None:
    """Look until there is an outcome; ``None`` when ``timeout_s`` has passed without one.

    ``look`` is given the seconds it may take. A failure of it is raised when it lasts. A hint is
    opened when the wait turns out not to be short.

    Raises:
        ExecutionError: ``E_EXECUTION_RESULT_LOST``: its bytes stayed wrong.
        SpoolError: The spool stayed out of reach.
    """
    looks = _Looks(look, clock, timeout_s)
    pause, wait_s = clock.sleep, _WAIT_MIN_S
    with ExitStack() as opened:
        while True:  # ended by the outcome or the timeout, or not, as the caller asked
            outcome = looks.look()
            left_s = looks.left_s()
            if outcome is not None or left_s == 0.0:
                return outcome
            pause_s = wait_s * random.uniform(0.8, 1.0)
            pause(pause_s if left_s is None else min(pause_s, left_s))
            if wait_s < _HINT_FROM_WAIT_S <= wait_s * _GROWTH:
                # The next look comes at once, so what appeared before the hint opened is seen.
                hint = open_hint()
                if hint is not None:
                    pause = opened.enter_context(closing(hint)).wait
            wait_s = min(wait_s * _GROWTH, _WAIT_MAX_S)


class _Looks:
    def __init__(self, look: Look, clock: Clock, timeout_s: float | None) -> None:
        self._look = look
        self._clock = clock
        self._timeout_s = timeout_s
        self._started_s = clock.monotonic()
        self._failing_since_s: float | None = None

    def left_s(self) -> float | None:
        if self._timeout_s is None:
            return None
        return max(0.0, self._started_s + self._timeout_s - self._clock.monotonic())

    def look(self) -> Outcome | None:
        left_s = self.left_s()
        try:
            outcome = self._look(None if left_s is None else max(left_s, _LOOK_MIN_S))
        except (ExecutionError, SpoolError):
            now_s = self._clock.monotonic()
            if self._failing_since_s is None:
                self._failing_since_s = now_s
            if now_s - self._failing_since_s >= _SETTLE_S or self.left_s() == 0.0:
                raise
            return None
        self._failing_since_s = None
        return outcome
