"""Doing many independent things on a disk on which one of them may fail."""

from collections.abc import Callable

from ingestkit_excel.clock import Clock
from ingestkit_excel.spool.fs import FileSystemError

__all__ = ["Round"]


class Round:
    """Goes on after an error and raises the first one at its end.

    When things take long as well, the disk itself is ill; then the rest is left to another round,
    for whoever does this one has a lease to renew.
    """

    def __init__(self, clock: Clock, *, patience_s: float) -> None:
        self._clock = clock
        self._ends_s = clock.monotonic() + patience_s
        self._first: FileSystemError | None = None

    def do(self, step: Callable[[], object]) -> None:
        """Do one thing, if it makes sense still."""
        if self._first is not None and self._clock.monotonic() > self._ends_s:
            return
        try:
            step()
        except FileSystemError as error:
            self._first = self._first or error

    def end(self) -> None:
        """Raise the first error, if there was one."""
        if self._first is not None:
            raise self._first
