"""Joins short chunks of text with the neighbour whose section they share."""

import re
from dataclasses import replace
from typing import Final

from ingestkit_excel.processors.context import SEPARATOR, one_line
from ingestkit_excel.processors.output import ChunkDraft, SheetOutput

__all__ = ["join_short"]

_SHORT_CHARS: Final = 200  # a few words alone are found by everything and answer nothing
_SIGN: Final = re.compile(r"[^\W_]")


def join_short(output: SheetOutput, chunk_chars_max: int) -> SheetOutput:
    """Join what can be joined without making a chunk too long; texts keep their order."""
    joined: list[ChunkDraft] = []
    for draft in output.chunks:
        above = joined[-1] if joined else None
        if above is not None and _belong(above, draft) and _fit(above, draft, chunk_chars_max):
            joined[-1] = _join(above, draft)
        else:
            joined.append(draft)
    return replace(output, chunks=tuple(joined))


def _belong(above: ChunkDraft, below: ChunkDraft) -> bool:
    if above.table_name or below.table_name:
        return False
    if not (_SIGN.search(above.text) and _SIGN.search(below.text)):
        return True
    is_short = min(len(above.text), len(below.text)) <= _SHORT_CHARS
    return is_short and (above.section_title == below.section_title or _is_title(above, below))


def _is_title(above: ChunkDraft, below: ChunkDraft) -> bool:
    """Whether the chunk above holds nothing but a title, which the one below may stand under."""
    title = SEPARATOR.join(one_line(line) for line in above.text.split("\n"))
    return title == (above.section_title or "") or title == (below.section_title or "")


def _fit(above: ChunkDraft, below: ChunkDraft, chars_max: int) -> bool:
    return len(above.text) + len(below.text) + 1 <= chars_max


def _join(above: ChunkDraft, below: ChunkDraft) -> ChunkDraft:
    longer = max(above, below, key=lambda draft: len(draft.text))
    section = below.section_title if _is_title(above, below) else above.section_title
    return replace(
        longer,
        text=f"{above.text}\n{below.text}",
        cells=above.cells.hull(below.cells),
        section_title=section,
    )
