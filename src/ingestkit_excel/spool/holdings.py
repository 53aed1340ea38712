"""The claims of one worker incarnation, and which name each of them has now. Pure.

Owns: the worker's own memory of what it holds. Promises: a claim of an earlier attempt at the
same job is never taken for the present one.
"""

from dataclasses import dataclass

from ingestkit_excel.spool.layout import Stem

__all__ = ["Holding", "Holdings"]


@dataclass(slots=True)
class Holding:
    """A claim that stands as far as its worker knows."""

    claimed: Stem
    """The name under which it was taken, and by which its caller knows it."""
    stem: Stem
    """The name it has now."""
    prepared: str = ""
    """The digest of the outcome that is written, whole and synced, under that name."""


class Holdings:
    """All claims of one worker."""

    def __init__(self) -> None:
        self._by_claim: dict[Stem, Holding] = {}

    def take(self, claimed: Stem) -> Holding:
        """Give the holding of a claim; a new one when there is none."""
        return self._by_claim.setdefault(claimed, Holding(claimed, claimed))

    def find(self, claimed: Stem) -> Holding | None:
        """Give the holding of a claim; ``None`` when it was given up."""
        return self._by_claim.get(claimed)

    def holds(self, stem: Stem) -> bool:
        """Whether a claim has this name now, or may have it after a rename of unknown end."""
        return any(
            stem in (held.stem, held.stem.next_attempt(charged=False))
            for held in self._by_claim.values()
        )

    def forget(self, claimed: Stem) -> None:
        """Drop a claim that was given up."""
        self._by_claim.pop(claimed, None)

    def clear(self) -> None:
        """Drop all: the worker was taken for dead, and nothing is its own any more."""
        self._by_claim = {}

    def __len__(self) -> int:
        return len(self._by_claim)
