"""Calls that cannot make their caller wait longer than it wants to, whatever a mount does.

Owns: the threads that look at the share for callers who gave a time.
Promises: a call returns or raises within its time; while calls are stuck no new thread is
started, so a mount that hangs for hours holds no more threads than there were callers at once.
Never does: stop a stuck call. Nobody can: it ends when the mount answers, or with the process,
which its thread does not keep alive.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.spool.fs import Unreachable

__all__ = ["NoAnswer", "Patience"]

T = TypeVar("T")


class NoAnswer(Unreachable):
    """The mount did not answer within the time the caller gave it."""


class _Call(Generic[T]):
    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="spool-look", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value.append(self._look())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error

    def is_over_within(self, timeout_s: float) -> bool:
        """Wait for the call to end, at most so long."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def answer(self) -> T:
        """Give what the call gave, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._value[0]


class Patience:
    """Runs calls on threads of its own; may be used from any thread.

    Its time is always the real one, for a real mount is what it guards against.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._stuck: list[_Call[object]] = []

    def call(self, look: Callable[[], T], timeout_s: float | None) -> T:
        """Give what ``look`` gives; ``None`` waits as long as it takes, here and now.

        Raises:
            NoAnswer: It took longer than ``timeout_s``.
        """
        if timeout_s is None:
            return look()
        started_s = self._clock.monotonic()
        stuck = self._find_stuck()
        if stuck is not None and not stuck.is_over_within(timeout_s):
            raise _no_answer(timeout_s)
        call = _Call(look)
        if not call.is_over_within(max(0.0, started_s + timeout_s - self._clock.monotonic())):
            with self._lock:
                self._stuck.append(call)  # type: ignore[arg-type] # its answer is never asked for
            raise _no_answer(timeout_s)
        return call.answer()

    def _find_stuck(self) -> _Call[object] | None:
        with self._lock:
            self._stuck = [call for call in self._stuck if not call.is_over_within(0.0)]
            return self._stuck[0] if self._stuck else None


def _no_answer(timeout_s: float) -> NoAnswer:
    return NoAnswer("", f"the share did not answer within {timeout_s:.1f} s")
