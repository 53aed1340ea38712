"""Decides which regions of a sheet are read together: texts that follow each other, and a table
with its title and its notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ingestkit_excel.models import RegionType
from ingestkit_excel.processors.judging import PROSE, Verdict
from ingestkit_excel.workbook import CellRange

__all__ = ["Group", "group_regions"]

_GAP_ROWS_MAX: Final = 3  # a text farther from a table is not its title or note
_TITLE_BLOCKS_MAX: Final = 2  # such as the name of a report and of its table
_ASIDE_ROWS_MAX: Final = 5
_TEXT: Final = Verdict(RegionType.TEXT_BLOCK, 0.8)
_HEADER: Final = Verdict(RegionType.HEADER_BLOCK, 0.8)
_FOOTER: Final = Verdict(RegionType.FOOTER_BLOCK, 0.8)


@dataclass(frozen=True, slots=True)
class Group:
    """A region with its verdict; to a table belong the texts ``above`` and ``below`` it."""

    cells: CellRange
    verdict: Verdict
    chars: int
    above: tuple["Group", ...] = ()
    below: tuple["Group", ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether the region goes to the store as a table."""
        return self.verdict.type is RegionType.DATA_TABLE


@dataclass(slots=True)
class _Asides:
    """The texts that a table takes, by the index of the text."""

    above: dict[int, list[int]] = field(default_factory=dict)
    below: dict[int, list[int]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)

    def take(self, side: dict[int, list[int]], table: int, text: int) -> None:
        side.setdefault(table, []).append(text)
        self.taken.add(text)


def group_regions(regions: Sequence[Group], *, aside_chars_max: int) -> list[Group]:
    """Give each short text beside a table to that table, and join the other texts.

    Args:
        regions: In reading order.
    """
    asides = _Asides()
    for index, region in enumerate(regions):
        if region.is_table:
            _take_above(regions, index, asides, aside_chars_max)
    for index, region in enumerate(regions):
        if region.is_table:
            _take_below(regions, index, asides, aside_chars_max)
    groups = [
        replace(
            region,
            above=tuple(_as(_HEADER, regions[at]) for at in sorted(asides.above.get(index, ()))),
            below=tuple(_as(_FOOTER, regions[at]) for at in asides.below.get(index, ())),
        )
        for index, region in enumerate(regions)
        if index not in asides.taken
    ]
    return _join_texts(groups)


def _as(verdict: Verdict, region: Group) -> Group:
    return replace(region, verdict=verdict)


def _take_above(regions: Sequence[Group], table: int, asides: _Asides, chars_max: int) -> None:
    """Give a table its title blocks, unless they stand nearer to a table above them."""
    run: list[int] = []
    top, chars = regions[table].cells.top, 0
    for index in range(table - 1, -1, -1):
        text = regions[index]
        gap = top - text.cells.bottom
        above = regions[index - 1] if index else None
        is_beside = above is not None and above.cells.bottom >= text.cells.top
        if index in asides.taken or is_beside or not _is_aside(text, regions[table], gap):
            break
        if above is not None and above.is_table and text.cells.top - above.cells.bottom < gap:
            break
        run.append(index)
        top = text.cells.top
    if len(run) > _TITLE_BLOCKS_MAX:
        del run[1:]  # the others are paragraphs
    for index in run:
        chars += regions[index].chars
        if chars > chars_max:
            break
        asides.take(asides.above, table, index)


def _take_below(regions: Sequence[Group], table: int, asides: _Asides, chars_max: int) -> None:
    """Give a table the notes right below it that no other table has as its title."""
    bottom, chars = regions[table].cells.bottom, 0
    for index in range(table + 1, len(regions)):
        text = regions[index]
        chars += text.chars
        gap = text.cells.top - bottom
        if index in asides.taken or not _is_aside(text, regions[table], gap) or chars > chars_max:
            return
        below = regions[index + 1] if index + 1 < len(regions) else None
        if below is not None and below.cells.top <= text.cells.bottom:
            return
        asides.take(asides.below, table, index)
        bottom = text.cells.bottom


def _is_aside(text: Group, table: Group, gap: int) -> bool:
    is_over = text.cells.left <= table.cells.right and text.cells.right >= table.cells.left
    is_low = text.cells.height <= _ASIDE_ROWS_MAX
    return text.verdict.type in PROSE and is_over and is_low and 0 < gap <= _GAP_ROWS_MAX + 1


def _join_texts(groups: Sequence[Group]) -> list[Group]:
    """Join texts that follow each other, with nothing beside them, into one document."""
    joined: list[Group] = []
    is_open = False
    reached = 0
    for index, group in enumerate(groups):
        below = groups[index + 1] if index + 1 < len(groups) else None
        is_alone = group.cells.top > reached and (
            below is None or below.cells.top > group.cells.bottom
        )
        is_text = is_alone and group.verdict.type in PROSE
        if is_text and is_open:
            above = joined[-1]
            cells = above.cells.hull(group.cells)
            joined[-1] = Group(cells, _TEXT, above.chars + group.chars)
        else:
            joined.append(group)
        is_open = is_text
        reached = max(reached, group.cells.bottom)
    return joined
