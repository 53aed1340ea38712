"""Tables and texts told apart by their own cells."""

from collections.abc import Sequence

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import FileType, ParserUsed
from ingestkit_excel.processors import ProcessContext, SheetOutput, process_sheet
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row, Sheet

Line = list[str | int | None]


def process(
    grid: Sequence[Line],
    file_type: FileType = FileType.HYBRID,
    merges: Sequence[CellRange] = (),
) -> SheetOutput:
    """Process a sheet from A1; rows are padded to the widest, or to the merges."""
    width = max(*map(len, grid), 1, *(merge.right for merge in merges))
    rows: list[Row] = [
        [_cell(value) for value in [*row, *[None] * (width - len(row))]] for row in grid
    ]
    extent = CellRange(1, 1, len(rows), width)
    sheet = Sheet("S", extent, lambda: iter(rows), ParserUsed.OPENPYXL, merges=tuple(merges))
    return process_sheet(sheet, file_type, ProcessContext(ExcelProcessorConfig(), "k", "w"))


def _cell(value: str | int | None) -> Cell | None:
    if value is None:
        return None
    return Cell(value, str(value), CellKind.TEXT if isinstance(value, str) else CellKind.NUMBER)


REGISTER: list[Line] = [
    ["No.", "Check", "Remarks", "Owner", "Due", "Closed", "By"],
    *([f"R{n}", f"Check pump {n}", None, "ops" if n % 3 == 0 else None] for n in range(9)),
]


def test_a_register_with_empty_columns_is_a_table() -> None:
    """Columns that nobody has filled in yet do not make it sparse."""
    (table,) = process(REGISTER).tables
    assert len(table.data.columns) == 7


def test_a_register_with_one_column_of_prose_is_a_table() -> None:
    """Most columns are short, whatever the mean length of all cells is."""
    rows: list[Line] = [[n, f"risk {n}", "A long remark. " * 40] for n in range(6)]
    assert len(process([["No.", "Risk", "Remark"], *rows]).tables) == 1


def test_columns_of_prose_are_text() -> None:
    """A page that is laid out in columns has nothing to query."""
    rows: list[Line] = [["A long remark. " * 9, "Another one. " * 9] for _ in range(6)]
    assert process([["Left", "Right"], *rows]).tables == ()


@pytest.mark.parametrize("rows", [8, 2])
def test_cells_beside_the_header_are_no_register(rows: int) -> None:
    """A form under a few labels has most of its cells elsewhere."""
    form: list[Line] = [["Name", "Street", "City"], *[[None, None, None, "x", None, "y"]] * rows]
    assert process(form).tables == ()


def test_lines_merged_over_columns_are_text() -> None:
    """A title over the width of a sheet heads no columns."""
    lines: list[Line] = [["List of projects"], ["in the north"], ["as of May"]]
    merges = [CellRange(row, 1, row, 3) for row in (1, 2, 3)]
    assert process(lines, merges=merges).tables == ()


def test_sparse_rows_of_a_document_carry_their_labels() -> None:
    """A line of bare values tells nothing."""
    text = process(REGISTER, FileType.FORMATTED_DOCUMENT).chunks[0].text
    assert "No.: R3; Check: Check pump 3; Owner: ops" in text
