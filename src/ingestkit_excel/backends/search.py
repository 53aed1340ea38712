"""What a search or a query gives, and how stores without a text index rank chunks (pure)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["QueryResult", "SearchHit", "rank_text", "snippet_of", "split_words"]

_WORD = re.compile(r"[^\W_]+")
_SNIPPET_CHARS = 240  # about three lines of a terminal
_WORDS_MAX = 32  # a question, not a document; also bounds the full-text expression


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One chunk that matches, the better the higher its score.

    Scores compare within one search of one store only.
    """

    chunk_id: str
    score: float
    snippet: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a read-only query; ``truncated`` when more rows were there than asked for."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool = False


def split_words(text: str) -> list[str]:
    """Give the words of ``text`` in lower case, each once, at most 32."""
    found = dict.fromkeys(match.group().casefold() for match in _WORD.finditer(text))
    return list(found)[:_WORDS_MAX]


def rank_text(text: str, words: Sequence[str]) -> float:
    """Give 0 when no word occurs; more distinct words beat more occurrences of one."""
    counts = dict.fromkeys(words, 0)
    for match in _WORD.finditer(text):
        word = match.group().casefold()
        if word in counts:
            counts[word] += 1
    return sum(1 + count / (count + 1) for count in counts.values() if count)


def snippet_of(text: str, words: Sequence[str]) -> str:
    """Give the part of ``text`` around the first word found."""
    lowered = text.casefold()
    places = [place for word in words if (place := lowered.find(word)) >= 0]
    start = max(0, min(places, default=0) - _SNIPPET_CHARS // 4)
    end = start + _SNIPPET_CHARS
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
