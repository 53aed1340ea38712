"""Finds the parts of a table in a range of cells, types its columns, and reads its values.

Reads the sheet twice or more and keeps no rows, so that a streamed sheet never sits in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from ingestkit_excel.models import TableColumn, TableValue
from ingestkit_excel.processors.columns import ColumnStatistics, table_value
from ingestkit_excel.processors.headers import (
    HEADER_SEARCH_ROWS,
    Header,
    find_header,
    header_texts,
)
from ingestkit_excel.processors.naming import column_names, table_name
from ingestkit_excel.processors.output import NumberedRow, Placement, ProcessContext, rows_of
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row, Sheet

__all__ = ["TableLayout", "body_rows", "lay_out", "read_values"]

_FOOTER_ROWS_MAX: Final = 10  # notes under a table; more single cells are a sparse column


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Where the parts of a table stand. ``kept`` are the indexes of its columns."""

    sheet: Sheet
    cells: CellRange
    name: str
    header: Header | None
    body_top: int
    body_bottom: int
    row_count: int = 0
    kept: tuple[int, ...] = ()
    columns: tuple[TableColumn, ...] = ()
    header_row: tuple[str | None, ...] = ()
    statistics: tuple[ColumnStatistics, ...] = ()

    @property
    def top(self) -> int:
        """The first row of the header, or of the body where there is none."""
        return self.header.top if self.header else self.body_top


@dataclass(slots=True)
class _Scan:
    """What the first pass over the body gathers."""

    statistics: list[ColumnStatistics]
    row_count: int = 0
    bottom: int = 0
    held: list[NumberedRow] = field(default_factory=list)


def lay_out(sheet: Sheet, place: Placement, context: ProcessContext) -> TableLayout:
    """Find the header, the body and the columns of a table."""
    cells = place.cells
    first = [row for row in islice(rows_of(sheet, cells), HEADER_SEARCH_ROWS) if any(row[1])]
    header = find_header(first, cells, sheet.merges)
    body_top = header.bottom + 1 if header else _body_top(first, cells)
    name = table_name(
        context.workbook_name,
        sheet.name,
        region_id=place.region_id,
        ingest_key=context.ingest_key,
    )
    layout = TableLayout(sheet, cells, name, header, body_top, cells.bottom)
    header_rows = [row for row in first if header and header.top <= row[0] <= header.bottom]
    layout = replace(layout, header_row=_texts(header_rows[-1][1]) if header_rows else ())
    scan = _scan_body(layout)
    headers = header_texts(header_rows, cells, sheet.merges)
    kept = [i for i, text in enumerate(headers) if text or scan.statistics[i].is_used]
    names = column_names(headers, cells.left, clean=context.config.clean_column_names)
    return replace(
        layout,
        body_bottom=scan.bottom,
        row_count=scan.row_count,
        kept=tuple(kept),
        statistics=tuple(scan.statistics[i] for i in kept),
        columns=tuple(
            TableColumn(name=names[i], header=headers[i], type=scan.statistics[i].type)
            for i in kept
        ),
    )


def _body_top(rows: Sequence[NumberedRow], cells: CellRange) -> int:
    """Skip single cells that stand above a table without a header."""
    if cells.width < 3:
        return cells.top
    return next((number for number, row in rows if _filled(row) > 1), cells.top)


def _scan_body(layout: TableLayout) -> _Scan:
    """Count the rows and type the columns, leaving out the notes at the end."""
    scan = _Scan([ColumnStatistics() for _ in range(layout.cells.width)])
    for number, row in body_rows(layout):
        if layout.cells.width > 2 and _is_note(row):
            scan.held.append((number, row))
            if len(scan.held) <= _FOOTER_ROWS_MAX:
                continue
        else:
            scan.held.append((number, row))
        for held in scan.held:
            _take(scan, held)
        scan.held.clear()
    if scan.row_count == 0:
        for held in scan.held:
            _take(scan, held)
    return scan


def _take(scan: _Scan, numbered: NumberedRow) -> None:
    number, row = numbered
    scan.row_count += 1
    scan.bottom = number
    for statistics, cell in zip(scan.statistics, row, strict=True):
        statistics.add(cell)


def _is_note(row: Row) -> bool:
    return _filled(row) == 1 and any(cell and cell.kind is CellKind.TEXT for cell in row)


def body_rows(layout: TableLayout) -> Iterator[NumberedRow]:
    """Give the non-empty rows of the body; a text merged over rows stands in each of them.

    A header repeated for printing is left out.
    """
    spans = _row_spans(layout.sheet.merges, layout.cells)
    held: dict[int, tuple[int, Cell]] = {}
    for number, row in rows_of(layout.sheet, layout.cells):
        if not any(row) or number < layout.body_top:
            continue
        if number > layout.body_bottom:
            return
        if layout.header_row and _is_repeated(row, layout.header_row):
            continue
        if spans:
            _hold(row, number, spans, held)
        yield number, _fill_down(row, number, held) if held else row


def _is_repeated(row: Row, header_row: tuple[str | None, ...]) -> bool:
    first = row[0]
    return (None if first is None else first.text) == header_row[0] and _texts(row) == header_row


def _hold(
    row: Row,
    number: int,
    spans: dict[tuple[int, int], int],
    held: dict[int, tuple[int, Cell]],
) -> None:
    for index, cell in enumerate(row):
        bottom = spans.get((number, index))
        if bottom and cell and cell.kind is CellKind.TEXT:
            held[index] = (bottom, cell)


def _row_spans(merges: Iterable[CellRange], cells: CellRange) -> dict[tuple[int, int], int]:
    return {
        (merge.top, merge.left - cells.left): merge.bottom for merge in merges if merge.height > 1
    }


def _fill_down(row: Row, number: int, held: dict[int, tuple[int, Cell]]) -> Row:
    filled = list(row)
    for index, (bottom, cell) in list(held.items()):
        if number > bottom:
            del held[index]
        elif filled[index] is None:
            filled[index] = cell
    return filled


def read_values(layout: TableLayout) -> Iterator[tuple[TableValue, ...]]:
    """Read the body as the store takes it, row by row."""
    pairs = [
        (index, column.type) for index, column in zip(layout.kept, layout.columns, strict=True)
    ]
    for _, row in body_rows(layout):
        yield tuple(table_value(row[index], kind) for index, kind in pairs)


def _texts(row: Row) -> tuple[str | None, ...]:
    return tuple(None if cell is None else cell.text for cell in row)


def _filled(row: Row) -> int:
    return len(row) - row.count(None)
