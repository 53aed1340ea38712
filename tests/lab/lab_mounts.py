"""What a test in the lab is given: one directory by two mounts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestkit_excel.clock import Clock

FUSE_NEGATIVE_S: Final = 4.0
"""How long a FUSE mount takes a missing name for missing, whatever the other mount does."""


@dataclass(frozen=True)
class Pair:
    """One directory by two mounts."""

    first: Path
    second: Path
    staleness_s: float
    """How long opening a directory may leave its names unrefreshed."""
    clock: Clock

    def wait_until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Look ten times a second until something is so."""
        ends_s = self.clock.monotonic() + timeout_s
        while not condition():
            assert self.clock.monotonic() < ends_s, f"not within {timeout_s:.0f} s: {what}"
            self.clock.sleep(0.1)
