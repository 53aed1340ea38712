"""Turns a range of cells into a typed table, a description of its schema, and row sentences.

Reads the sheet twice or more and keeps no rows, so that a streamed sheet never sits in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from ingestkit_excel.errors import ErrorCode, IngestError
from ingestkit_excel.models import TableColumn, TableData, TableValue
from ingestkit_excel.processors.columns import ColumnStatistics, table_value
from ingestkit_excel.processors.headers import (
    HEADER_SEARCH_ROWS,
    Header,
    find_header,
    header_texts,
)
from ingestkit_excel.processors.naming import column_names, table_name
from ingestkit_excel.processors.output import (
    ChunkDraft,
    NamedTable,
    NumberedRow,
    Placement,
    ProcessContext,
    SheetOutput,
    rows_of,
)
from ingestkit_excel.processors.packing import Line, Packed, pack_lines
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row, Sheet

__all__ = ["COLUMNS_MAX", "process_table"]

COLUMNS_MAX: Final = 1600  # what PostgreSQL takes; SQLite takes 2000

_FOOTER_ROWS_MAX: Final = 10  # notes under a table; more single cells are a sparse column
_TITLE_CHARS_MAX: Final = 200  # a title names a section, it does not hold it
_STAGE: Final = "process"


@dataclass(frozen=True, slots=True)
class _Layout:
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


@dataclass(slots=True)
class _Scan:
    """What the first pass over the body gathers."""

    statistics: list[ColumnStatistics]
    row_count: int = 0
    bottom: int = 0
    held: list[NumberedRow] = field(default_factory=list)


def process_table(sheet: Sheet, place: Placement, context: ProcessContext) -> SheetOutput:
    """Give the table of a range with its chunks; a range without body rows gives text only."""
    layout = _lay_out(sheet, place, context)
    title, notes = _surroundings(layout, place, context)
    if layout.row_count == 0:
        return SheetOutput(chunks=tuple(notes))
    names = tuple(column.name for column in layout.columns)
    data = TableData(columns=layout.columns, read_rows=lambda: _read_values(layout))
    section = title or None
    chunks = [
        replace(draft, section_title=section, table_name=layout.name, columns=names)
        for draft in (
            *_schema_chunks(layout, place, context),
            *_row_chunks(layout, place, context),
        )
    ]
    table = NamedTable(layout.name, data, place.cells.a1, place.region_id)
    return SheetOutput(
        tables=(table,),
        chunks=(*notes, *chunks),
        warnings=tuple(_truncation(layout, context)),
    )


def _lay_out(sheet: Sheet, place: Placement, context: ProcessContext) -> _Layout:
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
    layout = _Layout(sheet, cells, name, header, body_top, cells.bottom)
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


def _scan_body(layout: _Layout) -> _Scan:
    """Count the rows and type the columns, leaving out the notes at the end."""
    scan = _Scan([ColumnStatistics() for _ in range(layout.cells.width)])
    for number, row in _body_rows(layout):
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


def _body_rows(layout: _Layout) -> Iterator[NumberedRow]:
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


def _read_values(layout: _Layout) -> Iterator[tuple[TableValue, ...]]:
    pairs = [
        (index, column.type) for index, column in zip(layout.kept, layout.columns, strict=True)
    ]
    for _, row in _body_rows(layout):
        yield tuple(table_value(row[index], kind) for index, kind in pairs)


def _surroundings(
    layout: _Layout, place: Placement, context: ProcessContext
) -> tuple[str, list[ChunkDraft]]:
    """Give the title and the chunks of the text above and below the table."""
    top = layout.header.top if layout.header else layout.body_top
    above: list[Line] = []
    below: list[Line] = []
    for number, row in islice(rows_of(layout.sheet, layout.cells), top - layout.cells.top):
        _append(above, number, row)
    bottom = layout.body_bottom if layout.row_count else top - 1
    if bottom < layout.cells.bottom:
        tail = layout.cells._replace(top=bottom + 1)
        for number, row in rows_of(layout.sheet, tail):
            _append(below, number, row)
    limit = context.config.chunk_max_chars
    drafts = [
        replace(_draft(packed, layout, place), original_structure="free_text")
        for lines in (above, below)
        for packed in pack_lines(lines, limit)
    ]
    title = above[0].text[:_TITLE_CHARS_MAX] if above else ""
    return title, [replace(draft, section_title=title or None) for draft in drafts]


def _append(lines: list[Line], number: int, row: Row) -> None:
    texts = [cell.text for cell in row if cell is not None]
    if texts:
        lines.append(Line(number, " | ".join(texts)))


def _schema_chunks(
    layout: _Layout, place: Placement, context: ProcessContext
) -> Iterator[ChunkDraft]:
    intro = (
        f"Table {layout.name} from workbook {context.workbook_name}, "
        f"sheet {layout.sheet.name}, cells {place.cells.a1}: {layout.row_count} rows, "
        f"{len(layout.columns)} columns."
    )
    top = layout.header.top if layout.header else layout.body_top
    lines = [Line(top, intro)]
    for column, statistics in zip(layout.columns, layout.statistics, strict=True):
        header = f', header "{column.header}"' if column.header else ""
        lines.append(
            Line(top, f"{column.name} ({column.type.value}{header}): {statistics.describe()}")
        )
    for packed in pack_lines(lines, context.config.chunk_max_chars):
        yield replace(
            _draft(packed, layout, place),
            cell_range=place.cells.a1,
            original_structure="table",
            row_count=layout.row_count,
        )


def _row_chunks(layout: _Layout, place: Placement, context: ProcessContext) -> Iterator[ChunkDraft]:
    limit = context.config.row_serialization_limit
    labels = [" ".join(column.header.split()) for column in layout.columns]
    lines = (
        Line(number, _sentence(labels, [row[index] for index in layout.kept]))
        for number, row in islice(_body_rows(layout), limit)
    )
    for packed in pack_lines(lines, context.config.chunk_max_chars):
        yield replace(
            _draft(packed, layout, place),
            original_structure="table",
            row_count=packed.line_count,
        )


def _sentence(labels: Sequence[str], row: Row) -> str:
    return "; ".join(
        f"{label}: {cell.text}" if label else cell.text
        for label, cell in zip(labels, row, strict=True)
        if cell is not None
    )


def _draft(packed: Packed, layout: _Layout, place: Placement) -> ChunkDraft:
    cells = layout.cells._replace(top=packed.top, bottom=packed.bottom)
    return ChunkDraft(packed.text, cells.a1, place.region_id, place.method)


def _truncation(layout: _Layout, context: ProcessContext) -> Iterator[IngestError]:
    limit = context.config.row_serialization_limit
    if layout.row_count > limit:
        yield IngestError(
            code=ErrorCode.W_ROWS_TRUNCATED,
            message=(
                f"cannot write all {layout.row_count} rows of table {layout.name} as text: the "
                f"limit is {limit}; query the table, or raise row_serialization_limit"
            ),
            sheet_name=layout.sheet.name,
            stage=_STAGE,
            recoverable=True,
        )


def _texts(row: Row) -> tuple[str | None, ...]:
    return tuple(None if cell is None else cell.text for cell in row)


def _filled(row: Row) -> int:
    return len(row) - row.count(None)
