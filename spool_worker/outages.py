"""Logging that the spool is away: when it goes, once a minute while it is, and when it is back."""

import logging
from typing import Final

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import ErrorCode, SpoolError

__all__ = ["Outages"]

_LOG = logging.getLogger(__name__)
_REPEAT_S: Final = 60.0  # who opens the log meanwhile sees why nothing happens


class Outages:
    """Knows whether the spool is away, by what its caller was told last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._code: ErrorCode | None = None
        self._since_s = 0.0
        self._told_s = 0.0

    def note(self, error: SpoolError) -> None:
        """Take in that the spool could not be used."""
        now = self._clock.monotonic()
        if self._code is None:
            self._since_s = now
        if error.code is not self._code or now - self._told_s >= _REPEAT_S:
            self._told_s = now
            extra = {"code": error.code.value, "reason": error.message}
            _LOG.error("spool_failed", extra=extra)
        self._code = error.code

    def end(self) -> None:
        """Take in that the spool could be used."""
        if self._code is not None:
            away_s = round(self._clock.monotonic() - self._since_s, 1)
            _LOG.info("spool_recovered", extra={"code": self._code.value, "away_s": away_s})
        self._code = None
