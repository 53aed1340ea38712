"""Signals become a `StopToken`: the first asks to finish, the second to stop at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopToken", "stop_on_signals"]

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)


class StopToken:
    """What the daemon looks at between two steps, and waits on when it has nothing to do."""

    def __init__(self) -> None:
        self._requests = 0
        self._wake = threading.Event()

    @property
    def is_stopping(self) -> bool:
        """Whether no further job is to be claimed."""
        return self._requests > 0

    @property
    def is_immediate(self) -> bool:
        """Whether running jobs are to be given back instead of finished."""
        return self._requests > 1

    def request(self) -> None:
        """Ask to stop; asking again means at once. Safe inside a signal handler."""
        # Only a counter: setting the event here could wait for a lock that the interrupted
        # thread holds.
        self._requests += 1

    def wake(self) -> None:
        """End a `wait`; called from other threads when a job has ended."""
        self._wake.set()

    def wait(self, timeout_s: float) -> None:
        """Wait for `wake`, at most ``timeout_s``."""
        self._wake.wait(timeout_s)
        self._wake.clear()


@contextmanager
def stop_on_signals(token: StopToken) -> Iterator[None]:
    """Let SIGTERM, SIGINT and SIGHUP ask ``token`` to stop, as long as the context is open."""

    def ask(_signal: int, _frame: FrameType | None) -> None:
        token.request()

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
