"""Clearing away what submitters and workers left half done.

Owns: every deletion in tmp/, and of locks without a worker.
Promises: a submission that owns its key is finished, not swept, however long ago it stopped.
Never does: compare a file's time with this host's clock.
"""

import contextlib
import re
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import FileSystemError
from ingestkit_excel.spool.publish import server_time_s
from ingestkit_excel.spool.settings import SpoolContext
from ingestkit_excel.spool.submission import finish_keyed

__all__ = ["Sweeper"]

_UNFINISHED_AGE_S: Final = 600.0  # a submitter needs seconds between two of its steps
_KEY_DRAFT_PATTERN: Final = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{16}")


class Sweeper:
    """Sweeps again and again; remembers which leftovers belong to no key."""

    def __init__(self, context: SpoolContext) -> None:
        self._context = context
        self._keyless: set[str] = set()

    def run(self) -> None:
        """Finish submissions that stopped, remove what is old.

        Raises:
            FileSystemError: It cannot be told which submissions own their key; nothing is removed.
        """
        names = list_known(self._context, layout.TMP)
        orphans = self._orphaned_locks()
        if not names and not orphans:
            return
        now_s = server_time_s(self._context)
        ages_s = self._ages_s([*(f"{layout.TMP}/{name}" for name in names), *orphans], now_s)
        self._keyless &= ages_s.keys()
        retention_s = self._context.settings.staging_retention_s
        old = {path for path, age_s in ages_s.items() if age_s > retention_s}
        unfinished = {
            path
            for path, age_s in ages_s.items()
            if path.endswith(".job") and age_s > _UNFINISHED_AGE_S
        }
        # A second look before the deletion, for the key may have been taken after the first.
        for path in sorted(old - self._finish(unfinished - self._keyless | unfinished & old)):
            with contextlib.suppress(FileSystemError):
                self._remove(path)

    def _orphaned_locks(self) -> list[str]:
        names = list_known(self._context, layout.WORKERS)
        return [
            f"{layout.WORKERS}/{name}"
            for name in names
            if name.endswith(".lock")
            and layout.WORKER_ID_PATTERN.fullmatch(name.removesuffix(".lock"))
            and f"{name.removesuffix('.lock')}.lease" not in names
        ]

    def _ages_s(self, paths: list[str], now_s: float) -> dict[str, float]:
        ages_s: dict[str, float] = {}
        for path in paths:
            with contextlib.suppress(FileSystemError):
                ages_s[path] = now_s - self._context.fs.stamp(path).mtime_ns / 1e9
        return ages_s

    def _finish(self, staged: set[str]) -> set[str]:
        if not staged:
            return set()
        finished = finish_keyed(self._context, staged)
        self._keyless = self._keyless | staged - finished
        return finished

    def _remove(self, path: str) -> None:
        if _KEY_DRAFT_PATTERN.fullmatch(path.rpartition("/")[2]):
            with contextlib.suppress(FileSystemError):
                self._context.fs.remove(f"{path}/owner")
            self._context.fs.remove_directory(path)
        else:
            self._context.fs.remove(path)
