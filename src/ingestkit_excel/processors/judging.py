"""Tells by a region's own cells whether it is a table or a text, and how sure that is."""

from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from ingestkit_excel.models import RegionType
from ingestkit_excel.processors.documents import MARKS
from ingestkit_excel.processors.headers import (
    HEADER_SEARCH_ROWS,
    find_header,
    header_texts,
    is_register,
)
from ingestkit_excel.processors.output import NumberedRow, ProcessContext, rows_of
from ingestkit_excel.processors.tables import COLUMNS_MAX
from ingestkit_excel.workbook import CellKind, CellRange, Sheet

__all__ = ["PROSE", "Verdict", "judge_region"]

_TEXT_CHARS_MAX: Final = 80  # a table may have a column of remarks, but not most of them
_FILL_MIN: Final = 0.5  # a table has more filled cells than holes
_FULL: Final = 0.8  # two columns with more holes are a form with its answers
_TEXT_KINDS = frozenset({CellKind.TEXT, CellKind.FORMULA, CellKind.ERROR})

PROSE: Final = frozenset({RegionType.HEADER_BLOCK, RegionType.TEXT_BLOCK, RegionType.FOOTER_BLOCK})
"""Regions that are read line by line."""


class Verdict(NamedTuple):
    """What a region is and how sure that is."""

    type: RegionType
    confidence: float


def judge_region(
    part: Sheet, extent: CellRange, context: ProcessContext, *, prefers_tables: bool
) -> Verdict:
    """Judge a region; ``extent`` is that of its sheet.

    Args:
        prefers_tables: Take a grid without strong evidence for a table rather than for text.
    """
    cells = part.extent or extent
    rows = [row for row in _sample(part, cells) if any(row[1])]
    if cells.width < 2 or len(rows) < 2:
        if prefers_tables and cells.width == 1 and cells.height > 2 and _is_list(rows):
            return Verdict(RegionType.DATA_TABLE, 0.5)
        is_header = cells.height <= 2 and cells.bottom < extent.bottom
        return Verdict(RegionType.HEADER_BLOCK if is_header else RegionType.TEXT_BLOCK, 0.8)
    if cells.width > COLUMNS_MAX:
        return Verdict(RegionType.TEXT_BLOCK, 0.5)
    header = find_header(rows, cells, part.merges)
    body = [row for row in rows if header is None or row[0] > header.bottom]
    shape = _measure(body)
    if shape.width < 2:
        return Verdict(RegionType.TEXT_BLOCK, 0.7)
    # Labels vouch for columns that are empty so far; without them a hole is a hole.
    width = shape.width if header else cells.width
    fill = shape.filled / max(1, len(body) * width)
    is_grid = fill >= _FILL_MIN and shape.chars <= _TEXT_CHARS_MAX
    if not prefers_tables and header and _is_marks(body):
        return Verdict(RegionType.MATRIX_BLOCK, 0.7)
    enough = len(body) >= context.config.min_row_count_for_tabular
    has_types = shape.is_typed
    if header and is_grid and ((has_types and len(body) >= 2) or (enough and cells.width > 2)):
        return Verdict(RegionType.DATA_TABLE, 0.9)
    if header and len(body) >= 2 and shape.chars <= _TEXT_CHARS_MAX:
        labels = header_texts([row for row in rows if row[0] == header.bottom], cells, part.merges)
        if is_register([row for _, row in body], labels):
            return Verdict(RegionType.DATA_TABLE, 0.7)
    is_typed_grid = has_types and enough and (fill > _FULL or cells.width > 2)
    if is_grid and (is_typed_grid or prefers_tables):
        return Verdict(RegionType.DATA_TABLE, 0.6)
    return Verdict(RegionType.TEXT_BLOCK, 0.6)


def _sample(sheet: Sheet, cells: CellRange) -> list[NumberedRow]:
    bottom = min(cells.bottom, cells.top + 2 * HEADER_SEARCH_ROWS)
    return list(rows_of(sheet, cells._replace(bottom=bottom)))


class _Shape(NamedTuple):
    """How many cells a body has, in how many columns, and what stands in them."""

    filled: int
    width: int
    chars: float
    """The median over the columns of the median length of their cells."""
    is_typed: bool


def _measure(body: Sequence[NumberedRow]) -> _Shape:
    lengths: dict[int, list[int]] = {}
    typed = 0
    for _, row in body:
        for index, cell in enumerate(row):
            if cell is not None:
                lengths.setdefault(index, []).append(len(cell.text))
                typed += cell.kind not in _TEXT_KINDS
    if not lengths:
        return _Shape(0, 0, 0.0, False)
    filled = sum(map(len, lengths.values()))
    chars = median(median(column) for column in lengths.values())
    return _Shape(filled, len(lengths), chars, typed >= len(body))


def _is_list(rows: Sequence[NumberedRow]) -> bool:
    cells = [cell for _, row in rows[1:] for cell in row if cell is not None]
    return all(cell.kind not in _TEXT_KINDS for cell in cells)


def _is_marks(body: Sequence[NumberedRow]) -> bool:
    values = [cell for _, row in body for cell in row[1:] if cell is not None]
    return bool(values) and all(cell.text.strip().casefold() in MARKS for cell in values)
