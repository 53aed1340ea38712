"""Writes a table as text: what its schema is, its rows as sentences, and the texts around it.

Each chunk begins with the sheet and the title of the table, so that it can be found, and
understood, alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Final, NamedTuple

from ingestkit_excel.processors.context import beyond_title, context_line, title_of
from ingestkit_excel.processors.output import ChunkDraft, Placement, ProcessContext, rows_of
from ingestkit_excel.processors.packing import Line, Packed, pack_lines, pack_under
from ingestkit_excel.processors.table_layout import TableLayout, body_rows
from ingestkit_excel.workbook import CellRange, Row

__all__ = ["ASIDE_CHARS_MAX", "table_chunks"]

ASIDE_CHARS_MAX: Final = 400  # title and notes of a table; more is a text of its own


class _Surroundings(NamedTuple):
    """The texts above and below a table, and what the first of them calls it."""

    title: str
    above: list[Line]
    below: list[Line]


def table_chunks(
    layout: TableLayout, place: Placement, context: ProcessContext
) -> Iterator[ChunkDraft]:
    """Give the chunks of a table in reading order: title, schema, rows, notes."""
    around = _surroundings(layout, place)
    section = around.title or None
    if layout.row_count == 0:
        lines = [*around.above, *around.below]
        yield from _texts(lines, layout, place, context=context, section=section)
        return
    asides = [around.above, around.below]
    long_above, long_below = ([] if _is_short(lines) else lines for lines in asides)
    short = chain.from_iterable(lines for lines in asides if _is_short(lines))
    yield from _texts(long_above, layout, place, context=context, section=section)
    names = tuple(column.name for column in layout.columns)
    head = context_line(layout.sheet.name, section, chunk_chars_max=context.config.chunk_max_chars)
    notes = beyond_title(short, around.title)
    for draft in chain(
        _schema_chunks(layout, place, context, head=head, title=around.title, notes=notes),
        _row_chunks(layout, place, context, head=head),
    ):
        yield replace(draft, section_title=section, table_name=layout.name, columns=names)
    yield from _texts(long_below, layout, place, context=context, section=section)


def _surroundings(layout: TableLayout, place: Placement) -> _Surroundings:
    above, below = list(place.above), list(place.below)
    height = layout.top - layout.cells.top
    inside = [
        line
        for numbered in islice(rows_of(layout.sheet, layout.cells), height)
        for line in _lines(*numbered)
    ]
    bottom = layout.body_bottom if layout.row_count else layout.top - 1
    tail = []
    if bottom < layout.cells.bottom:
        cells = layout.cells._replace(top=bottom + 1)
        tail = [line for numbered in rows_of(layout.sheet, cells) for line in _lines(*numbered)]
    title = title_of([*above, *inside]) or place.title or ""
    return _Surroundings(title, above + inside, tail + below)


def _lines(number: int, row: Row) -> Iterator[Line]:
    texts = [cell.text for cell in row if cell is not None]
    if texts:
        yield Line(number, " | ".join(texts))


def _is_short(lines: Sequence[Line]) -> bool:
    return sum(len(line.text) for line in lines) <= ASIDE_CHARS_MAX


def _texts(
    lines: Sequence[Line],
    layout: TableLayout,
    place: Placement,
    *,
    context: ProcessContext,
    section: str | None,
) -> Iterator[ChunkDraft]:
    for packed in pack_lines(lines, context.config.chunk_max_chars):
        draft = _draft(packed, layout, place)
        yield replace(draft, original_structure="free_text", section_title=section)


def _schema_chunks(
    layout: TableLayout,
    place: Placement,
    context: ProcessContext,
    *,
    head: str,
    title: str,
    notes: Sequence[Line],
) -> Iterator[ChunkDraft]:
    top, shown = layout.top, f', "{title}",' if title else ""
    intro = (
        f"Table {layout.name}{shown} from workbook {context.workbook_name}, "
        f"sheet {layout.sheet.name}, cells {place.cells.a1}: {layout.row_count} rows, "
        f"{len(layout.columns)} columns."
    )
    lines = [Line(top, intro), *notes]
    for column, statistics in zip(layout.columns, layout.statistics, strict=True):
        header = f', header "{column.header}"' if column.header else ""
        lines.append(
            Line(top, f"{column.name} ({column.type.value}{header}): {statistics.describe()}")
        )
    later = f"{head}\nTable {layout.name}, continued:"
    pages = pack_lines(lines, context.config.chunk_max_chars - len(later) - 1)
    rows = [place.cells.top, *(line.row for line in (*place.above, *place.below))]
    cells = place.cells._replace(top=min(rows), bottom=max(place.cells.bottom, *rows))
    for index, page in enumerate(pages):
        text = f"{later if index else head}\n{page.text}"
        yield replace(
            _draft(page._replace(text=text), layout, place),
            cells=cells,
            original_structure="table",
            row_count=layout.row_count,
        )


def _row_chunks(
    layout: TableLayout, place: Placement, context: ProcessContext, *, head: str
) -> Iterator[ChunkDraft]:
    limit = context.config.row_serialization_limit
    labels = [column.header for column in layout.columns]
    lines = (
        Line(number, _sentence(labels, [row[index] for index in layout.kept]))
        for number, row in islice(body_rows(layout), limit)
    )
    for packed in pack_under(head, lines, context.config.chunk_max_chars):
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


def _draft(packed: Packed, layout: TableLayout, place: Placement) -> ChunkDraft:
    cells: CellRange = layout.cells._replace(top=packed.top, bottom=packed.bottom)
    return ChunkDraft(packed.text, cells, place.region_id, place.method)
