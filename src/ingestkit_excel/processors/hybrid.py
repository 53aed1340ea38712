"""Splits a sheet into regions and gives each to tables or to documents by its own evidence."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from ingestkit_excel.models import FileType, IngestionMethod, RegionType, SheetRegion
from ingestkit_excel.processors.context import title_of
from ingestkit_excel.processors.documents import process_document
from ingestkit_excel.processors.grouping import Group, group_regions
from ingestkit_excel.processors.joining import join_short
from ingestkit_excel.processors.judging import judge_region
from ingestkit_excel.processors.output import Placement, ProcessContext, SheetOutput, join_outputs
from ingestkit_excel.processors.packing import Line
from ingestkit_excel.processors.regions import split_regions
from ingestkit_excel.processors.table_text import ASIDE_CHARS_MAX
from ingestkit_excel.processors.tables import process_table
from ingestkit_excel.workbook import CellRange, Row, Sheet

__all__ = ["process_hybrid"]


@dataclass(frozen=True, slots=True)
class _Held:
    """A sheet with its rows in memory, from which regions are cut."""

    sheet: Sheet
    extent: CellRange
    rows: Sequence[Row]
    merges: Sequence[CellRange]

    def part(self, cells: CellRange) -> Sheet:
        """Cut a region out, so that its cost does not depend on the rest of the sheet."""
        top, left = cells.top - self.extent.top, cells.left - self.extent.left
        first = bisect_left(self.merges, cells.top, key=itemgetter(0))
        last = bisect_right(self.merges, cells.bottom, key=itemgetter(0))

        def read_rows() -> Iterator[Row]:
            for index in range(top, top + cells.height):
                yield self.rows[index][left : left + cells.width]

        inside = tuple(m for m in self.merges[first:last] if cells.contains(m.top, m.left))
        return replace(self.sheet, extent=cells, read_rows=read_rows, merges=inside)

    def lines(self, cells: CellRange) -> Iterator[Line]:
        """Read a region line by line."""
        for number, row in enumerate(self.part(cells).read_rows(), cells.top):
            texts = [cell.text for cell in row if cell is not None]
            if texts:
                yield Line(number, " | ".join(texts))


def process_hybrid(
    sheet: Sheet, context: ProcessContext, *, method: IngestionMethod, prefers_tables: bool
) -> SheetOutput:
    """Process each region of a sheet that fits in memory.

    Args:
        prefers_tables: Take a grid without strong evidence for a table rather than for text.
    """
    if sheet.extent is None:
        return SheetOutput()
    held = _Held(sheet, sheet.extent, list(sheet.read_rows()), sorted(sheet.merges))
    regions = []
    for cells in split_regions(held.rows, sheet.extent, sheet.merges):
        verdict = judge_region(
            held.part(cells), sheet.extent, context, prefers_tables=prefers_tables
        )
        chars = sum(len(line.text) for line in held.lines(cells))
        regions.append(Group(cells, verdict, chars))
    outputs: list[SheetOutput] = []
    title = _Title("", 0)
    number = 0
    for group in group_regions(regions, aside_chars_max=ASIDE_CHARS_MAX):
        regions_of = [*group.above, group, *group.below]
        place = _place(group, held, method, number=number + len(group.above) + 1)
        inherited = title.text if group.cells.top <= title.bottom else None
        process = process_table if group.is_table else process_document
        output = process(held.part(group.cells), replace(place, title=inherited), context)
        placed = tuple(
            _region(sheet, region, f"r{index}", is_table=region.is_table)
            for index, region in enumerate(regions_of, number + 1)
        )
        outputs.append(replace(_titled(output, inherited), regions=placed))
        number += len(regions_of)
        title = _next_title(title, group, held, place)
    return join_short(join_outputs(outputs), context.config.chunk_max_chars)


class _Title(NamedTuple):
    """A title and the last row in which a region that begins there stands under it."""

    text: str
    bottom: int


def _next_title(title: _Title, group: Group, held: _Held, place: Placement) -> _Title:
    """Give what the next region stands under: a title block, or what names the one beside it."""
    if group.verdict.type is RegionType.HEADER_BLOCK:
        return _Title(title_of(list(held.lines(group.cells))), held.extent.bottom)
    if place.above:
        return _Title(title_of(place.above), group.cells.bottom)
    return title._replace(bottom=min(title.bottom, group.cells.bottom))


def _place(group: Group, held: _Held, method: IngestionMethod, *, number: int) -> Placement:
    if method is IngestionMethod.SQL_AGENT and not group.is_table:
        method = IngestionMethod.TEXT_SERIALIZATION
    above, below = (
        tuple(line for region in regions for line in held.lines(region.cells))
        for regions in (group.above, group.below)
    )
    return Placement(f"r{number}", group.cells, method, above, below)


def _region(sheet: Sheet, group: Group, region_id: str, *, is_table: bool) -> SheetRegion:
    return SheetRegion(
        sheet_name=sheet.name,
        region_id=region_id,
        start_row=group.cells.top,
        end_row=group.cells.bottom,
        start_col=group.cells.left,
        end_col=group.cells.right,
        region_type=group.verdict.type,
        detection_confidence=group.verdict.confidence,
        classified_as=FileType.TABULAR_DATA if is_table else FileType.FORMATTED_DOCUMENT,
    )


def _titled(output: SheetOutput, title: str | None) -> SheetOutput:
    """Name the sections that have no title of their own after the title block above."""
    if title is None:
        return output
    chunks = tuple(
        chunk if chunk.section_title else replace(chunk, section_title=title)
        for chunk in output.chunks
    )
    return replace(output, chunks=chunks)
