"""Splits a sheet into regions and gives each to tables or to documents by its own evidence."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Final, NamedTuple

from ingestkit_excel.models import FileType, IngestionMethod, RegionType, SheetRegion
from ingestkit_excel.processors.documents import MARKS, process_document
from ingestkit_excel.processors.headers import HEADER_SEARCH_ROWS, find_header
from ingestkit_excel.processors.output import (
    NumberedRow,
    Placement,
    ProcessContext,
    SheetOutput,
    join_outputs,
    rows_of,
)
from ingestkit_excel.processors.regions import split_regions
from ingestkit_excel.processors.tables import COLUMNS_MAX, process_table
from ingestkit_excel.workbook import CellKind, CellRange, Row, Sheet

__all__ = ["process_hybrid"]

_TEXT_CHARS_MEAN_MAX: Final = 80  # cells longer than this on average are prose
_TITLE_CHARS_MAX: Final = 200  # a title names a section, it does not hold it
_FILL_MIN: Final = 0.5  # a table has more filled cells than holes
_FULL: Final = 0.8  # two columns with more holes are a form with its answers
_TEXT_KINDS = frozenset({CellKind.TEXT, CellKind.FORMULA, CellKind.ERROR})


class _Verdict(NamedTuple):
    """What a region is and how sure that is."""

    type: RegionType
    confidence: float


_PROSE = frozenset({RegionType.HEADER_BLOCK, RegionType.TEXT_BLOCK})
_TEXT_VERDICT: Final = _Verdict(RegionType.TEXT_BLOCK, 0.8)


class _Judged(NamedTuple):
    """A region with its verdict."""

    cells: CellRange
    verdict: _Verdict


def process_hybrid(
    sheet: Sheet, context: ProcessContext, *, method: IngestionMethod, prefers_tables: bool
) -> SheetOutput:
    """Process each region of a sheet that fits in memory.

    Args:
        prefers_tables: Take a grid without strong evidence for a table rather than for text.
    """
    if sheet.extent is None:
        return SheetOutput()
    rows = list(sheet.read_rows())
    outputs: list[SheetOutput] = []
    title: str | None = None
    merges = sorted(sheet.merges)
    judged = []
    for cells in split_regions(rows, sheet.extent, sheet.merges):
        part = _part(sheet, rows, cells, merges=merges)
        verdict = _judge(part, sheet.extent, context, prefers_tables=prefers_tables)
        judged.append(_Judged(cells, verdict))
    for index, (cells, verdict) in enumerate(_join_texts(judged), 1):
        part = _part(sheet, rows, cells, merges=merges)
        is_table = verdict.type is RegionType.DATA_TABLE
        place = Placement(f"r{index}", cells, _method(method, is_table=is_table))
        process = process_table if is_table else process_document
        output = process(part, place, context)
        outputs.append(replace(_titled(output, title), regions=(_region(sheet, place, verdict),)))
        title = _title_of(output) if verdict.type is RegionType.HEADER_BLOCK else None
    return join_outputs(outputs)


def _join_texts(regions: Sequence[_Judged]) -> list[_Judged]:
    """Join texts that follow each other, with nothing beside them, into one document.

    The block right above a table stays apart: it is the table's title.
    """
    joined: list[_Judged] = []
    is_open = False
    reached = 0
    for index, region in enumerate(regions):
        below = regions[index + 1] if index + 1 < len(regions) else None
        is_alone = region.cells.top > reached and (
            below is None or below.cells.top > region.cells.bottom
        )
        is_title = below is not None and below.verdict.type is RegionType.DATA_TABLE
        is_text = is_alone and region.verdict.type in _PROSE and not is_title
        if is_text and is_open:
            joined[-1] = _Judged(_hull(joined[-1].cells, region.cells), _TEXT_VERDICT)
        else:
            joined.append(region)
        is_open = is_text
        reached = max(reached, region.cells.bottom)
    return joined


def _hull(above: CellRange, below: CellRange) -> CellRange:
    left, right = min(above.left, below.left), max(above.right, below.right)
    return CellRange(above.top, left, below.bottom, right)


def _part(
    sheet: Sheet, rows: Sequence[Row], cells: CellRange, *, merges: Sequence[CellRange]
) -> Sheet:
    """Cut a region out, so that its cost does not depend on the rest of the sheet."""
    if sheet.extent is None:
        return sheet
    top, left = cells.top - sheet.extent.top, cells.left - sheet.extent.left
    first = bisect_left(merges, cells.top, key=itemgetter(0))
    last = bisect_right(merges, cells.bottom, key=itemgetter(0))

    def read_rows() -> Iterator[Row]:
        for index in range(top, top + cells.height):
            yield rows[index][left : left + cells.width]

    inside = tuple(m for m in merges[first:last] if cells.contains(m.top, m.left))
    return replace(sheet, extent=cells, read_rows=read_rows, merges=inside)


def _method(method: IngestionMethod, *, is_table: bool) -> IngestionMethod:
    if method is IngestionMethod.SQL_AGENT and not is_table:
        return IngestionMethod.TEXT_SERIALIZATION
    return method


def _judge(
    part: Sheet, extent: CellRange, context: ProcessContext, *, prefers_tables: bool
) -> _Verdict:
    cells = part.extent or extent
    rows = [row for row in _sample(part, cells) if any(row[1])]
    if cells.width < 2 or len(rows) < 2:
        if prefers_tables and cells.width == 1 and cells.height > 2 and _is_list(rows):
            return _Verdict(RegionType.DATA_TABLE, 0.5)
        is_header = cells.height <= 2 and cells.bottom < extent.bottom
        return _Verdict(RegionType.HEADER_BLOCK if is_header else RegionType.TEXT_BLOCK, 0.8)
    if cells.width > COLUMNS_MAX:
        return _Verdict(RegionType.TEXT_BLOCK, 0.5)
    header = find_header(rows, cells, part.merges)
    body = [row for row in rows if header is None or row[0] > header.bottom]
    fill, mean_chars, has_types = _measure(body, cells.width)
    is_grid = fill >= _FILL_MIN and mean_chars <= _TEXT_CHARS_MEAN_MAX
    if not prefers_tables and header and _is_marks(body):
        return _Verdict(RegionType.MATRIX_BLOCK, 0.7)
    enough = len(body) >= context.config.min_row_count_for_tabular
    if header and is_grid and ((has_types and len(body) >= 2) or (enough and cells.width > 2)):
        return _Verdict(RegionType.DATA_TABLE, 0.9)
    is_typed_grid = has_types and enough and (fill > _FULL or cells.width > 2)
    if is_grid and (is_typed_grid or prefers_tables):
        return _Verdict(RegionType.DATA_TABLE, 0.6)
    return _Verdict(RegionType.TEXT_BLOCK, 0.6)


def _sample(sheet: Sheet, cells: CellRange) -> list[NumberedRow]:
    bottom = min(cells.bottom, cells.top + 2 * HEADER_SEARCH_ROWS)
    return list(rows_of(sheet, cells._replace(bottom=bottom)))


def _measure(body: Sequence[NumberedRow], width: int) -> tuple[float, float, bool]:
    filled = [cell for _, row in body for cell in row if cell is not None]
    if not filled:
        return 0.0, 0.0, False
    typed = sum(cell.kind not in _TEXT_KINDS for cell in filled)
    mean_chars = sum(len(cell.text) for cell in filled) / len(filled)
    return len(filled) / (len(body) * width), mean_chars, typed >= len(body)


def _is_list(rows: Sequence[NumberedRow]) -> bool:
    cells = [cell for _, row in rows[1:] for cell in row if cell is not None]
    return all(cell.kind not in _TEXT_KINDS for cell in cells)


def _is_marks(body: Sequence[NumberedRow]) -> bool:
    values = [cell for _, row in body for cell in row[1:] if cell is not None]
    return bool(values) and all(cell.text.strip().casefold() in MARKS for cell in values)


def _region(sheet: Sheet, place: Placement, verdict: _Verdict) -> SheetRegion:
    is_table = verdict.type is RegionType.DATA_TABLE
    return SheetRegion(
        sheet_name=sheet.name,
        region_id=place.region_id,
        start_row=place.cells.top,
        end_row=place.cells.bottom,
        start_col=place.cells.left,
        end_col=place.cells.right,
        region_type=verdict.type,
        detection_confidence=verdict.confidence,
        classified_as=FileType.TABULAR_DATA if is_table else FileType.FORMATTED_DOCUMENT,
    )


def _title_of(output: SheetOutput) -> str | None:
    return output.chunks[0].text.split("\n", 1)[0][:_TITLE_CHARS_MAX] if output.chunks else None


def _titled(output: SheetOutput, title: str | None) -> SheetOutput:
    """Name the sections that have no title of their own after the title block above."""
    if title is None:
        return output
    chunks = tuple(
        chunk if chunk.section_title else replace(chunk, section_title=title)
        for chunk in output.chunks
    )
    return replace(output, chunks=chunks)
