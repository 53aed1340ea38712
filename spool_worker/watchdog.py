"""A thread that ends a process whose main loop stands still.

A call to a mount that does not answer cannot be interrupted. Its worker would neither give up
its jobs nor notice that others have them, and its children would go on writing. The thread
itself never touches a mount.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["Watchdog"]

_LOG = logging.getLogger(__name__)
_LOG_WAIT_S: Final = 1.0  # the loop may stand still because nobody reads its log


class Watchdog:
    """Calls ``abort`` when `tick` was not called for ``limit_s``.

    It counts its own looks instead of reading a clock, so that time in which the whole process
    was stopped does not count.

    Args:
        kill: Kills the children; called first.
        abort: Ends the process.
    """

    def __init__(
        self,
        *,
        kill: Callable[[], None],
        abort: Callable[[], None],
        interval_s: float,
        limit_s: float,
    ) -> None:
        self._kill = kill
        self._abort = abort
        self._interval_s = interval_s
        self._limit_s = limit_s
        self._ticked = True
        self._allowed_s = 0.0
        self._missed = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def tick(self, allow_s: float = 0.0) -> None:
        """Tell that the main loop went round; until the next time it may take ``allow_s`` more."""
        self._allowed_s = allow_s
        self._ticked = True

    def look(self) -> bool:
        """Look once; ``False`` when the process was to be ended."""
        if self._ticked:
            self._ticked = False
            self._missed = 0
            return True
        self._missed += 1
        if self._missed * self._interval_s < self._limit_s + self._allowed_s:
            return True
        # Before the lease lapses: then others run the same jobs.
        self._kill()
        extra = {"stalled_s": self._missed * self._interval_s}
        telling = threading.Thread(
            target=_LOG.critical, args=("main_loop_stalled",), kwargs={"extra": extra}, daemon=True
        )
        telling.start()
        telling.join(_LOG_WAIT_S)
        self._abort()
        return False

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s) and self.look():
            pass
