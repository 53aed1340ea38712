"""Finds the header of a table, also under title rows, and reads the header of each column."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ingestkit_excel.processors.context import one_line
from ingestkit_excel.processors.output import NumberedRow
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row

__all__ = [
    "HEADER_SEARCH_ROWS",
    "Header",
    "find_header",
    "header_texts",
    "is_header_like",
    "is_register",
]

HEADER_SEARCH_ROWS: Final = 30  # title blocks of real sheets are shorter than this
_HEADER_CHARS_MAX: Final = 120  # longer texts are prose
_REGISTER_LABELS_MIN: Final = 3  # a label and its value are a form
_UNDER_LABELS: Final = 0.9  # a few cells may stand beside the table
_PAIRS: Final = 0.7  # the other rows name groups or hold remarks
_YEARS: Final = range(1900, 2101)
_DATES = frozenset({CellKind.DATE, CellKind.DATETIME})


@dataclass(frozen=True, slots=True)
class Header:
    """The rows of a header, ends included."""

    top: int
    bottom: int


def find_header(
    rows: Sequence[NumberedRow], cells: CellRange, merges: Iterable[CellRange]
) -> Header | None:
    """Find the header among the first rows of a table.

    It is the first row that fills at least half as many columns as the fullest row does, with
    distinct short texts, years or dates. A row of group names merged over several columns takes
    the row below into the header.
    """
    width = max((_filled(row) for _, row in rows), default=0)
    needed = 1 if width == 1 else max(2, (width + 1) // 2)
    for index, (number, row) in enumerate(rows[:-1]):
        covered = _covered_by_groups(number, cells, merges)
        # A lone merged cell is a title; group names come in twos.
        is_group = covered > 0 and _filled(row) > 1
        if _filled(row) + (covered if is_group else 0) < needed:
            continue
        if not is_header_like(row, distinct=not is_group):
            return None
        next_number, below = rows[index + 1]
        has_second = (
            is_group
            and next_number == number + 1
            and index + 2 < len(rows)
            and is_header_like(below, distinct=False)
        )
        return Header(number, number + 1 if has_second else number)
    return None


def is_header_like(row: Row, *, distinct: bool = True) -> bool:
    """Whether all cells are short labels: texts, and years or dates beside at least one text."""
    cells = [cell for cell in row if cell is not None]
    texts = [cell.text.strip().casefold() for cell in cells]
    if not any(cell.kind is CellKind.TEXT for cell in cells):
        return False
    if distinct and len(set(texts)) != len(texts) and not all(cell.bold for cell in cells):
        return False
    return all(_is_label(cell) for cell in cells)


def is_register(body: Sequence[Row], labels: Sequence[str]) -> bool:
    """Whether a body, however sparse, is one of records: its cells stand under labels, in pairs."""
    if len(set(filter(None, labels))) < _REGISTER_LABELS_MIN:
        return False
    filled = under = pairs = 0
    for row in body:
        columns = [index for index, cell in enumerate(row) if cell is not None]
        filled += len(columns)
        under += sum(bool(labels[index]) for index in columns)
        pairs += len(columns) >= 2
    return filled > 0 and under >= _UNDER_LABELS * filled and pairs >= _PAIRS * len(body)


def header_texts(
    header_rows: Sequence[NumberedRow], cells: CellRange, merges: Iterable[CellRange]
) -> list[str]:
    """Give the header of each column of ``cells``; empty where there is none.

    Labels are written in one line. Two header rows are joined as ``group / column``; a merged
    group name counts for each of its columns.
    """
    texts: list[list[str]] = [[] for _ in range(cells.width)]
    anchors = {(merge.top, merge.left): merge for merge in merges}
    for number, row in header_rows:
        for index, cell in enumerate(row):
            if cell is None:
                continue
            merge = anchors.get((number, cells.left + index))
            span = 1 if merge is None else merge.width
            for column in range(index, min(index + span, cells.width)):
                texts[column].append(one_line(cell.text))
    return [" / ".join(parts) for parts in texts]


def _filled(row: Row) -> int:
    return len(row) - row.count(None)


def _is_label(cell: Cell) -> bool:
    if cell.kind in (CellKind.TEXT, CellKind.FORMULA):
        return len(cell.text) <= _HEADER_CHARS_MAX
    if cell.kind is CellKind.NUMBER:
        return cell.value in _YEARS
    return cell.kind in _DATES


def _covered_by_groups(number: int, cells: CellRange, merges: Iterable[CellRange]) -> int:
    """Count the columns that names merged over several columns cover beside their own."""
    return sum(
        merge.width - 1
        for merge in merges
        if merge.top == merge.bottom == number
        and 1 < merge.width < cells.width
        and cells.contains(merge.top, merge.left)
    )
