"""Packs lines of text into chunks of bounded length without cutting a line that fits."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Line", "Packed", "pack_lines", "pack_under", "split_text"]


class Line(NamedTuple):
    """The text of one sheet row."""

    row: int
    text: str


class Packed(NamedTuple):
    """The text of one chunk, with the first and the last row it came from."""

    text: str
    top: int
    bottom: int
    line_count: int


def pack_under(head: str, lines: Iterable[Line], chars_max: int) -> Iterator[Packed]:
    """Pack lines like `pack_lines`, each text with ``head`` as its first line."""
    for packed in pack_lines(lines, chars_max - len(head) - 1):
        yield packed._replace(text=f"{head}\n{packed.text}")


def pack_lines(lines: Iterable[Line], chars_max: int) -> Iterator[Packed]:
    """Join lines with newlines into texts of at most ``chars_max`` characters.

    A single line longer than that is split at whitespace; its parts, joined, are the line.
    """
    held: list[Line] = []
    length = 0
    for line in lines:
        needed = len(line.text) + (1 if held else 0)
        if held and length + needed > chars_max:
            yield _join(held)
            held, length, needed = [], 0, len(line.text)
        if needed > chars_max:
            for part in split_text(line.text, chars_max):
                yield Packed(part, line.row, line.row, 1)
            continue
        held.append(line)
        length += needed
    if held:
        yield _join(held)


def split_text(text: str, chars_max: int) -> Iterator[str]:
    """Cut a text after whitespace into parts that fit; a longer word is cut where it must be."""
    start = 0
    while len(text) - start > chars_max:
        end = start + chars_max
        cut = next((at for at in range(end, start, -1) if text[at - 1].isspace()), end)
        yield text[start:cut]
        start = cut
    yield text[start:]


def _join(lines: list[Line]) -> Packed:
    text = "\n".join(line.text for line in lines)
    return Packed(text, lines[0].row, lines[-1].row, len(lines))
