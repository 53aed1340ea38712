"""The offline embedder hashes words into vectors."""

import math

import pytest

from ingestkit_excel.backends import HashingEmbedder
from ingestkit_excel.protocols import EmbeddingBackend


def _dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_it_is_an_embedder_of_the_given_dimension() -> None:
    """The default is as long as the configured default."""
    embedder = HashingEmbedder()
    assert isinstance(embedder, EmbeddingBackend)
    assert embedder.dimension() == len(embedder.embed(["x"])[0]) == 768


def test_the_same_text_gives_the_same_vector_on_every_host() -> None:
    """The hash is fixed, so these values never change."""
    vector = HashingEmbedder(8).embed(["Overtime report"])[0]
    assert vector == HashingEmbedder(8).embed(["overtime  REPORT!"])[0]
    assert [round(value, 3) for value in vector] == [0.0, 0.0, 0.0, -0.577, -0.577, 0.0, 0.0, 0.577]


def test_vectors_have_length_one() -> None:
    """Words make unit vectors, no words the zero vector."""
    full, empty = HashingEmbedder(64).embed(["one two three", " !"])
    assert math.isclose(_dot(full, full), 1.0)
    assert empty == [0.0] * 64


def test_texts_that_share_words_are_nearer() -> None:
    """More shared words, higher cosine."""
    base, near, far = HashingEmbedder().embed(
        ["password reset steps", "steps to reset a password", "quarterly budget"]
    )
    assert _dot(base, near) > 0.3 > abs(_dot(base, far))


def test_a_dimension_below_one_is_refused() -> None:
    """A vector has at least one value."""
    with pytest.raises(ValueError, match="at least 1"):
        HashingEmbedder(0)
