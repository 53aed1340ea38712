"""The line that tells where a chunk stands, for a reader who sees no other part of the sheet."""

from collections.abc import Iterable, Sequence
from typing import Final

from ingestkit_excel.processors.packing import Line

__all__ = [
    "SEPARATOR",
    "TITLE_CHARS_MAX",
    "beyond_title",
    "context_line",
    "one_line",
    "shorten",
    "title_of",
]

TITLE_CHARS_MAX: Final = 200  # a title names a section, it does not hold it
_LINE_CHARS_MAX: Final = 200
_LINE_SHARE: Final = 4  # of a small chunk, the line takes at most this part
_TITLE_LINES_MAX: Final = 3  # more are paragraphs
_TITLE_LINE_CHARS_MAX: Final = 120  # a longer line is a paragraph
SEPARATOR: Final = " › "
"""Between a sheet and a title, and between the levels of a title."""


def context_line(sheet_name: str, title: str | None, *, chunk_chars_max: int) -> str:
    """Give ``sheet › title`` in one bounded line."""
    parts = [one_line(part) for part in (sheet_name, title or "")]
    line = SEPARATOR.join(part for part in parts if part)
    return shorten(line, min(_LINE_CHARS_MAX, chunk_chars_max // _LINE_SHARE))


def title_of(lines: Sequence[Line]) -> str:
    """Join the first lines above something into its title; a paragraph ends the title."""
    texts = [one_line(line.text) for line in lines]
    title = shorten(texts[0], TITLE_CHARS_MAX) if texts else ""
    if len(title) > _TITLE_LINE_CHARS_MAX:
        return title
    for text in texts[1:_TITLE_LINES_MAX]:
        joined = f"{title}{SEPARATOR}{text}"
        if len(text) > _TITLE_LINE_CHARS_MAX or len(joined) > TITLE_CHARS_MAX:
            break
        title = joined
    return title


def beyond_title(lines: Iterable[Line], title: str) -> list[Line]:
    """Give the lines that do not stand in the title whole."""
    shown = set(title.split(SEPARATOR)) | {title}
    return [line for line in lines if one_line(line.text) not in shown]


def one_line(text: str) -> str:
    """Write a label that was broken over lines in one."""
    return " ".join(text.split())


def shorten(text: str, chars_max: int) -> str:
    """Cut a text, with a mark where it was cut."""
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"
