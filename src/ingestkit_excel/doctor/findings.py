"""What an examination found: one verdict for each probe, and the worst of them for all. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Report", "Verdict"]


class Verdict(StrEnum):
    """How far a directory keeps one promise."""

    OK = "ok"
    DEGRADED = "degraded"
    """A spool is safe there, with the drawback that the finding names."""
    UNSAFE = "unsafe"
    """Jobs or results could be lost, doubled or never seen, or no spool can work there at all."""


_BY_GRAVITY = (Verdict.OK, Verdict.DEGRADED, Verdict.UNSAFE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe saw, what follows for a spool, and what to change."""

    probe: str
    verdict: Verdict
    found: str
    follows: str = ""
    change: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The numbers behind it, for programs."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one directory."""

    directory: str
    peer: str | None
    findings: Sequence[Finding]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all."""
        return max((f.verdict for f in self.findings), key=_BY_GRAVITY.index, default=Verdict.OK)
