"""A clock that moves only when it is told to."""

import threading

__all__ = ["FakeClock"]


class FakeClock:
    """Time under a test's control; sleeping lets it pass at once."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._lock = threading.Lock()
        self._start_s = start_s
        self._elapsed_s = 0.0

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def wall(self) -> float:
        """Seconds since the Unix epoch, as this clock has it."""
        return self._start_s + self._elapsed_s

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass without waiting."""
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        with self._lock:
            self._elapsed_s += seconds
