"""The offline default embedder: feature hashing."""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

__all__ = ["HashingEmbedder"]

_WORD = re.compile(r"\w+")
_CACHED_MAX: Final = 1 << 16  # labels and categories come back in each row; some 10 MB


class HashingEmbedder:
    """Hashes words and word pairs into a vector of fixed length, normalised to length 1.

    This is no model: texts are near each other when they share words, not when they mean the
    same. It needs no download, and the same text gives the same vector on every host.
    """

    def __init__(self, dimension: int = 768) -> None:
        if dimension < 1:
            raise ValueError(f"dimension must be at least 1, not {dimension}")
        self._dimension = dimension

    def dimension(self) -> int:
        """Length of the vectors."""
        return self._dimension

    def embed(self, texts: Sequence[str], timeout: float | None = None) -> list[list[float]]:  # noqa: ARG002 - asked for by the protocol, nothing here waits
        """Give one vector for each text; a text without words gives the zero vector."""
        return [self._embed_one(text) for text in texts]

    def _embed_one(self, text: str) -> list[float]:
        vector = [0.0] * self._dimension
        for feature in _features(text):
            digest = _digest(feature)
            # The lowest bit is the sign, so that collisions cancel out instead of adding up.
            vector[(digest >> 1) % self._dimension] += 1.0 if digest & 1 else -1.0
        length = math.sqrt(sum(value * value for value in vector))
        return [value / length for value in vector] if length else vector


@lru_cache(maxsize=_CACHED_MAX)
def _digest(feature: str) -> int:
    data = feature.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _features(text: str) -> Iterator[str]:
    previous = None
    for match in _WORD.finditer(text.casefold()):
        word = match.group()
        yield word
        if previous is not None:
            yield f"{previous} {word}"
        previous = word
