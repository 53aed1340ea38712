"""Counts the values of a column in bounded memory and describes them in a few words."""

from collections import Counter
from typing import Final

from ingestkit_excel.processors.context import one_line, shorten

__all__ = ["Tally"]

_DISTINCT_MAX: Final = 1000  # beyond this the exact values no longer describe a column
_VALUE_CHARS_MAX: Final = 60  # longer values are prose, not categories
_TOP_VALUES: Final = 5
_EXAMPLES: Final = 3
_COUNTED_MIN: Final = 10  # how often a value stands in fewer rows than these means nothing


class Tally:
    """Counts texts; beyond a bound it still counts how many, but not which."""

    def __init__(self) -> None:
        self.total = 0
        self._is_open = True
        self._counts: Counter[str] = Counter()
        self._first: tuple[str, ...] = ()

    def add(self, text: str) -> None:
        """Count a text."""
        self.total += 1
        if not self._is_open:
            return
        self._counts[text[: _VALUE_CHARS_MAX + 1]] += 1
        if len(self._counts) > _DISTINCT_MAX:
            self._close()

    def joined(self, other: "Tally") -> "Tally":
        """Give the tally of both."""
        joined = Tally()
        joined.total = self.total + other.total
        joined._first = self._first or other._first
        joined._counts = self._counts + other._counts
        joined._is_open = self._is_open and other._is_open
        if not joined._is_open or len(joined._counts) > _DISTINCT_MAX:
            joined._close()
        return joined

    def describe_distinct(self) -> str:
        """Tell how many different texts there are, and the most frequent of them.

        Where no text stands twice some examples say as much, and in a few rows counts say nothing.
        """
        if not self._is_open:
            return f"more than {_DISTINCT_MAX} distinct, e.g. {_listed(self._first)}"
        distinct = len(self._counts)
        if distinct == self.total:
            examples = list(self._counts)[:_EXAMPLES]
            prefix = "e.g. " if distinct > len(examples) else ""
            return f"all distinct, {prefix}{_listed(examples)}"
        top = self._counts.most_common(_TOP_VALUES)
        if self.total < _COUNTED_MIN:
            prefix = "e.g. " if distinct > len(top) else ""
            return f"{distinct} distinct: {prefix}{_listed([text for text, _ in top])}"
        return f"{distinct} distinct; most frequent: {self.describe_top()}"

    def describe_top(self) -> str:
        """Give the most frequent texts with their counts."""
        if not self._is_open:
            return f"{self.total} cells"
        top = self._counts.most_common(_TOP_VALUES)
        return ", ".join(f"{_shown(text)} ({count})" for text, count in top)

    def _close(self) -> None:
        self._is_open = False
        self._first = self._first or tuple(self._counts)[:_EXAMPLES]
        self._counts.clear()


def _listed(texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(_shown, texts))


def _shown(text: str) -> str:
    return shorten(one_line(text), _VALUE_CHARS_MAX)
