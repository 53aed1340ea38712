"""A thread that renews the worker's lease as long as the main loop makes progress.

A thread that renewed unconditionally would keep the jobs of a wedged worker from everyone else.
"""

import logging
import threading
from collections.abc import Callable

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import SpoolError

__all__ = ["LeaseRenewer"]

_LOG = logging.getLogger(__name__)


class LeaseRenewer:
    """Calls ``renew`` every ``interval_s``, but only if `tick` was called since the last time.

    Args:
        lease_duration_s: After this long without a renewal the lease counts as lost.
        on_tick: Called with each `tick`, and with what that was given.
    """

    def __init__(
        self,
        renew: Callable[[], object],
        *,
        interval_s: float,
        lease_duration_s: float,
        clock: Clock,
        on_tick: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._renew = renew
        self._interval_s = interval_s
        self._lease_duration_s = lease_duration_s
        self._clock = clock
        self._on_tick = on_tick
        self._ticked = True
        self._renewed = clock.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-renewal", daemon=True)

    def __enter__(self) -> "LeaseRenewer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def is_lost(self) -> bool:
        """Whether others may by now take this worker's jobs."""
        return self._clock.monotonic() - self._renewed > self._lease_duration_s

    def tick(self, allow_s: float = 0.0) -> None:
        """Tell that the main loop went round; until the next time it may take ``allow_s`` more."""
        self._ticked = True
        self._on_tick(allow_s)

    def beat(self) -> None:
        """Renew once if the main loop went round since the last beat."""
        if not self._ticked:
            _LOG.warning("lease_not_renewed", extra={"reason": "main_loop_stalled"})
            return
        self._ticked = False
        started = self._clock.monotonic()
        try:
            self._renew()
        except SpoolError as error:
            _LOG.warning("lease_not_renewed", extra={"reason": error.code.value})
            return
        self._renewed = started  # the share saw it at some time after this

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self.beat()
