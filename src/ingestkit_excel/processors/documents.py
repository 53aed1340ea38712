"""Turns a range of cells into chunks of text by section: what a person reads, verbatim.

A section starts at a heading (a lone cell that is bold or merged over columns) or after blank
rows. Its rows become a checklist, a matrix, a small table, or free text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingestkit_excel.processors.context import SEPARATOR, TITLE_CHARS_MAX, one_line, shorten
from ingestkit_excel.processors.headers import header_texts, is_header_like, is_register
from ingestkit_excel.processors.output import (
    ChunkDraft,
    NumberedRow,
    Placement,
    ProcessContext,
    SheetOutput,
    Structure,
    rows_of,
)
from ingestkit_excel.processors.packing import Line, pack_lines
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row, Sheet

__all__ = ["MARKS", "process_document"]

_HEADINGS_MAX: Final = 4  # more in a row are lines of their own, not levels of one title
_HEADING_CHARS_MAX: Final = 120  # a longer bold line is a paragraph
_MATRIX_CHARS_MAX: Final = 16  # cells of a matrix are marks, levels and numbers
_MARK_SIGNS: Final = "☐ ☑ ☒ ✓ ✔ ✗ ✘ □ ■ ○ ● x [] [x] [✓]"
_MARK_WORDS: Final = "yes no y n done open todo pending true false n/a"
MARKS: Final = frozenset([*_MARK_SIGNS.split(), *_MARK_WORDS.split(), "[ ]", "in progress"])
"""Texts, in lower case, that tell the state of an item."""


@dataclass(slots=True)
class _Section:
    """Rows under the same heading, without a blank row between them unless free text."""

    title: str | None
    headings: list[NumberedRow] = field(default_factory=list)
    blocks: list[list[NumberedRow]] = field(default_factory=list)


def process_document(sheet: Sheet, place: Placement, context: ProcessContext) -> SheetOutput:
    """Give the chunks of a range of cells, section by section."""
    chunks = [
        draft
        for section in _sections(sheet, place.cells)
        for structure, lines in _serialize(section, sheet, place.cells)
        for draft in _drafts(lines, structure, section.title, place=place, context=context)
    ]
    return SheetOutput(chunks=tuple(chunks))


def _drafts(
    lines: Iterable[Line],
    structure: Structure,
    title: str | None,
    *,
    place: Placement,
    context: ProcessContext,
) -> Iterator[ChunkDraft]:
    for packed in pack_lines(lines, context.config.chunk_max_chars):
        yield ChunkDraft(
            text=packed.text,
            cells=place.cells._replace(top=packed.top, bottom=packed.bottom),
            region_id=place.region_id,
            ingestion_method=place.method,
            section_title=title,
            original_structure=structure,
        )


def _sections(sheet: Sheet, cells: CellRange) -> Iterator[_Section]:
    wide = {(m.top, m.left) for m in sheet.merges if m.width > 1}
    section = _Section(None)
    gap = True
    for number, row in rows_of(sheet, cells):
        if not any(row):
            gap = True
            continue
        if _is_heading(number, row, cells, wide):
            if section.blocks or len(section.headings) == _HEADINGS_MAX:
                yield section
                section = _Section(None)
            section.headings.append((number, row))
            titles = [_line(heading) for _, heading in section.headings]
            section.title = shorten(SEPARATOR.join(map(one_line, titles)), TITLE_CHARS_MAX)
            gap = True
            continue
        if gap:
            section.blocks.append([])
        section.blocks[-1].append((number, row))
        gap = False
    if section.headings or section.blocks:
        yield section


def _is_heading(number: int, row: Row, cells: CellRange, wide: set[tuple[int, int]]) -> bool:
    filled = [(index, cell) for index, cell in enumerate(row) if cell is not None]
    if len(filled) != 1:
        return False
    index, cell = filled[0]
    if cell.kind is not CellKind.TEXT or len(cell.text) > _HEADING_CHARS_MAX:
        return False
    return cell.bold or (number, cells.left + index) in wide


def _serialize(
    section: _Section, sheet: Sheet, cells: CellRange
) -> Iterator[tuple[Structure, list[Line]]]:
    """Give runs of lines with their structure; headings go with the first run."""
    held_structure: Structure = "free_text"
    held = [Line(number, _line(row)) for number, row in section.headings]
    is_open = True
    for block in section.blocks:
        structure = _structure_of(block)
        lines = _SERIALIZERS[structure](block, sheet, cells)
        # Paragraphs of one section belong together; a table stands alone below its headings.
        is_prose = structure == held_structure == "free_text"
        if held and not is_open and not is_prose:
            yield held_structure, held
            held = []
        held_structure = structure
        held.extend(lines)
        is_open = False
    if held:
        yield held_structure, held


def _structure_of(block: Sequence[NumberedRow]) -> Structure:
    rows = [row for _, row in block]
    if _is_checklist(rows):
        return "checklist"
    used = {index for row in rows for index, cell in enumerate(row) if cell is not None}
    if len(used) < 2 or len(rows) < 2 or not is_header_like(rows[0]):
        return "free_text"
    header = [index for index in sorted(used) if rows[0][index] is not None]
    if _is_matrix(rows, sorted(used), header):
        return "matrix"
    if len(header) == len(used) and _is_dense_table(rows, header):
        return "table"
    labels = ["" if cell is None else cell.text for cell in rows[0]]
    return "table" if len(rows) > 2 and is_register(rows[1:], labels) else "free_text"


def _is_checklist(rows: Sequence[Row]) -> bool:
    if len(rows) < 2:
        return False
    marked = 0
    for row in rows:
        cells = [cell for cell in row if cell is not None]
        marks = sum(_is_mark(cell) for cell in cells)
        marked += marks == 1 and 2 <= len(cells) <= 4
    return marked * 5 >= len(rows) * 4


def _is_mark(cell: Cell) -> bool:
    return cell.kind is CellKind.BOOLEAN or cell.text.strip().casefold() in MARKS


def _is_matrix(rows: Sequence[Row], used: Sequence[int], header: Sequence[int]) -> bool:
    first = used[0]
    if len(used) < 3 or len(rows) < 3 or list(header) not in (list(used), list(used[1:])):
        return False
    body = rows[1:]
    if not all(row[first] is not None and row[first].kind is CellKind.TEXT for row in body):  # type: ignore[union-attr]
        return False
    values = [cell for row in body for cell in row[first + 1 :] if cell is not None]
    is_short = all(len(cell.text) <= _MATRIX_CHARS_MAX for cell in values)
    return bool(values) and is_short and (first not in header or all(map(_is_mark, values)))


def _is_dense_table(rows: Sequence[Row], header: Sequence[int]) -> bool:
    body = rows[1:]
    filled = sum(row[index] is not None for row in body for index in header)
    if filled * 2 < len(body) * len(header):
        return False
    is_bold = all(cell.bold for cell in rows[0] if cell is not None)
    if is_bold and not all(cell.bold for cell in rows[1] if cell is not None):
        return True
    has_types = any(cell is not None and cell.kind is not CellKind.TEXT for cell in body[0])
    return len(header) > 2 or (has_types and len(rows) > 2)


def _free_text(block: Sequence[NumberedRow], _sheet: Sheet, _cells: CellRange) -> list[Line]:
    return [Line(number, _line(row)) for number, row in block]


def _checklist(block: Sequence[NumberedRow], _sheet: Sheet, _cells: CellRange) -> list[Line]:
    return [Line(number, _item(row)) for number, row in block]


def _item(row: Row) -> str:
    cells = [cell for cell in row if cell is not None]
    marks = [cell.text for cell in cells if _is_mark(cell)]
    rest = [cell.text for cell in cells if not _is_mark(cell)]
    return "- " + " ".join([*marks, " | ".join(rest)]).strip()


def _table(block: Sequence[NumberedRow], sheet: Sheet, cells: CellRange) -> list[Line]:
    headers = header_texts(block[:1], cells, sheet.merges)
    number, row = block[0]
    return [
        Line(number, " | ".join(cell.text for cell in row if cell is not None)),
        *(Line(at, "; ".join(_pairs(headers, body, ": "))) for at, body in block[1:]),
    ]


def _matrix(block: Sequence[NumberedRow], sheet: Sheet, cells: CellRange) -> list[Line]:
    headers = header_texts(block[:1], cells, sheet.merges)
    number, row = block[0]
    lines = [Line(number, " | ".join(cell.text for cell in row if cell is not None))]
    for at, body in block[1:]:
        first = next(index for index, cell in enumerate(body) if cell is not None)
        label = body[first]
        rest: Row = [*[None] * (first + 1), *body[first + 1 :]]
        if label is not None:
            lines.append(Line(at, f"{label.text}: " + "; ".join(_pairs(headers, rest, " = "))))
    return lines


def _pairs(headers: Sequence[str], row: Row, sign: str) -> Iterator[str]:
    for header, cell in zip(headers, row, strict=True):
        if cell is not None:
            yield f"{header}{sign}{cell.text}" if header else cell.text


def _line(row: Row) -> str:
    cells = [cell for cell in row if cell is not None]
    texts = [cell.text for cell in cells]
    is_pair = len(cells) == 2 and cells[0].kind is CellKind.TEXT
    if is_pair and len(texts[0]) <= _HEADING_CHARS_MAX:
        return f"{texts[0]} {texts[1]}" if texts[0].rstrip()[-1:] == ":" else ": ".join(texts)
    return " | ".join(texts)


_SERIALIZERS: Final = {
    "free_text": _free_text,
    "checklist": _checklist,
    "matrix": _matrix,
    "table": _table,
}
