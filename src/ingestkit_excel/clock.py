"""Time as an object that is handed in, so that tests can own it."""

import time
from typing import Protocol, runtime_checkable

__all__ = ["Clock", "SystemClock"]


@runtime_checkable
class Clock(Protocol):
    """What the rest of the package may ask of time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps back, keeps counting in suspend."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch; may jump, and is for display and new ids only."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ...


class SystemClock:
    """The clock of this host."""

    def monotonic(self) -> float:
        """Seconds of CLOCK_BOOTTIME where the system has it (clock_gettime(2))."""
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boottime is None else time.clock_gettime(boottime)

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for ``seconds``."""
        time.sleep(max(0.0, seconds))
