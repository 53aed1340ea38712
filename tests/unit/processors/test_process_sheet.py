"""Whole sheets: every cell that can be seen is found again, whatever the sheet looks like."""

import random
import re
from collections.abc import Sequence
from datetime import datetime

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import FileType, ParserUsed
from ingestkit_excel.processors import ProcessContext, SheetOutput, process_sheet
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row, Sheet

CONTEXT = ProcessContext(ExcelProcessorConfig(), "k" * 64, "Plant report")


def cell(value: object, *, bold: bool = False) -> Cell | None:
    """Make a cell as a reader would."""
    if value is None or isinstance(value, Cell):
        return value
    if isinstance(value, bool):
        return Cell(value, str(value).upper(), CellKind.BOOLEAN, bold)
    if isinstance(value, int | float):
        return Cell(
            value, f"{value:g}" if isinstance(value, float) else str(value), CellKind.NUMBER
        )
    if isinstance(value, datetime):
        return Cell(value, f"{value:%d %b %Y}", CellKind.DATE, bold)
    assert isinstance(value, str)
    return Cell(value, value, CellKind.ERROR if value.startswith("#") else CellKind.TEXT, bold)


def sheet_of(
    grid: Sequence[Sequence[object]],
    *,
    merges: Sequence[CellRange] = (),
    bold_rows: Sequence[int] = (),
    streamed: bool = False,
) -> Sheet:
    """Make a sheet whose first cell is A1; rows are padded to the widest."""
    width = max(len(row) for row in grid)
    rows: list[Row] = [
        [cell(value, bold=number in bold_rows) for value in [*row, *[None] * (width - len(row))]]
        for number, row in enumerate(grid, 1)
    ]
    return Sheet(
        name="Sheet 1",
        extent=CellRange(1, 1, len(rows), width),
        read_rows=lambda: iter(rows),
        parser_used=ParserUsed.OPENPYXL,
        merges=tuple(merges),
        streamed=streamed,
    )


def missing_texts(sheet: Sheet, output: SheetOutput) -> list[str]:
    """Give the texts of cells that stand in no chunk."""
    text = "\n".join(chunk.text for chunk in output.chunks)
    flat = " ".join(text.split())
    return [
        found.text
        for row in sheet.read_rows()
        for found in row
        if found and found.text not in text and " ".join(found.text.split()) not in flat
    ]


def table_grid(rows: int) -> list[list[object]]:
    """Make a plain table with a header."""
    body: list[list[object]] = [
        [f"{n:05d}", f"Pump {n}", n * 3, n / 4, datetime(2024, 1, 1 + n % 28)] for n in range(rows)
    ]
    return [["Part No.", "Name", "Count", "Price", "Bought"], *body]


def random_grid(seed: int) -> list[list[object]]:
    """Make a grid of any shape and content."""
    source = random.Random(seed)
    width, height = source.randint(1, 9), source.randint(1, 25)
    density = source.choice([0.2, 0.5, 0.95])

    def value() -> object:
        if source.random() > density:
            return None
        number = source.randint(0, 10**6)
        choices = [f"word{number} and more", number, number / 7, True, "#N/A", "☑", "x"]
        choices += ["line\nbreak", datetime(2024, 5, 1 + number % 28), f"Label {number}:"]
        return source.choice(choices)

    grid = [[value() for _ in range(width)] for _ in range(height)]
    if not any(found for row in grid for found in row):
        grid[0][0] = "lone"
    return grid


@pytest.mark.parametrize("file_type", list(FileType))
@pytest.mark.parametrize("seed", range(40))
def test_every_visible_cell_is_found_again(seed: int, file_type: FileType) -> None:
    """No cell gets lost, no chunk is too long, no placeholder is invented."""
    grid = random_grid(seed)
    sheet = sheet_of(grid, bold_rows=[1] if seed % 2 else [], streamed=seed % 5 == 0)
    output = process_sheet(sheet, file_type, CONTEXT)
    assert missing_texts(sheet, output) == []
    for number, row in enumerate(grid, 1):
        for column, value in enumerate(row, 1):
            owners = sum(
                region.start_row <= number <= region.end_row
                and region.start_col <= column <= region.end_col
                for region in output.regions
            )
            assert owners == 1 or (owners == 0 and value is None)
    for chunk in output.chunks:
        assert len(chunk.text) <= CONTEXT.config.chunk_max_chars
        assert re.fullmatch(r"[A-Z]+\d+(:[A-Z]+\d+)?", chunk.cell_range)
        assert not re.search(r"\b(None|NaN|nan|Unnamed)\b", chunk.text)


@pytest.mark.parametrize("file_type", [FileType.TABULAR_DATA, FileType.HYBRID])
def test_a_table_under_title_rows_is_typed(file_type: FileType) -> None:
    """The header is found below the title, and leading zeros survive."""
    sheet = sheet_of([["Parts list 2024"], [], *table_grid(8)])
    output = process_sheet(sheet, file_type, CONTEXT)
    (table,) = output.tables
    types = {column.name: column.type.value for column in table.data.columns}
    assert types == {
        "part_no": "text",
        "name": "text",
        "count": "integer",
        "price": "real",
        "bought": "date",
    }
    assert list(table.data.read_rows())[1] == ("00001", "Pump 1", 3, 0.25, "2024-01-02")
    assert output.chunks[-1].section_title == "Parts list 2024"


def test_side_by_side_and_stacked_tables_are_separate() -> None:
    """A blank column and a blank row each separate tables."""
    left: list[list[object]] = [["City", "Size"], ["Bonn", 3], ["Ulm", 1], ["Kiel", 2]]
    right: list[list[object]] = [["Year", "Rain"], ["wet", 9], ["dry", 8], ["mid", 7]]
    grid: list[list[object]] = [[*a, None, *b] for a, b in zip(left, right, strict=True)]
    below: list[list[object]] = [[], ["Dog", "Age"], ["Rex", 4], ["Ada", 5], ["Bo", 6]]
    sheet = sheet_of(grid + below)
    output = process_sheet(sheet, FileType.HYBRID, CONTEXT)
    assert [table.cell_range for table in output.tables] == ["A1:B4", "D1:E4", "A6:B9"]
    assert len({table.name for table in output.tables}) == 3


def test_rows_beyond_the_limit_stay_in_the_table_with_a_warning() -> None:
    """The limit bounds the text, never the table."""
    config = ExcelProcessorConfig(row_serialization_limit=10)
    context = ProcessContext(config, "k", "w")
    output = process_sheet(sheet_of(table_grid(30)), FileType.TABULAR_DATA, context)
    assert [warning.code for warning in output.warnings] == ["W_ROWS_TRUNCATED"]
    assert len(list(output.tables[0].data.read_rows())) == 30


def test_the_same_sheet_gives_the_same_output_twice() -> None:
    """Names and texts depend on content alone."""
    sheet = sheet_of(table_grid(12))
    once, again = (process_sheet(sheet, FileType.TABULAR_DATA, CONTEXT) for _ in range(2))
    assert once.chunks == again.chunks
    assert [table.name for table in once.tables] == [table.name for table in again.tables]


def test_a_merged_value_of_a_document_stands_once() -> None:
    """A heading merged over columns is written once and titles its section."""
    sheet = sheet_of(
        [["Safety manual", None, None], ["Wear gloves."], [], ["Keep dry."]],
        merges=[CellRange(1, 1, 1, 3)],
    )
    output = process_sheet(sheet, FileType.FORMATTED_DOCUMENT, CONTEXT)
    (chunk,) = output.chunks
    assert chunk.text == "Safety manual\nWear gloves.\nKeep dry."
    assert chunk.section_title == "Safety manual"
    assert chunk.cell_range == "A1:C4"


def test_a_checklist_keeps_its_marks() -> None:
    """Each item is one line with its mark first."""
    sheet = sheet_of([["Check oil", "☑"], ["Check belt", "☐"], ["Check lamp", "☑"]])
    output = process_sheet(sheet, FileType.FORMATTED_DOCUMENT, CONTEXT)
    assert output.chunks[0].original_structure == "checklist"
    assert output.chunks[0].text.startswith("- ☑ Check oil")


def test_a_matrix_names_row_and_column_of_each_value() -> None:
    """A reader of one line knows what the mark means."""
    grid: list[list[object]] = [[None, "Read", "Write"], ["Admin", "x", "x"], ["Guest", "x", None]]
    output = process_sheet(sheet_of(grid), FileType.FORMATTED_DOCUMENT, CONTEXT)
    assert output.chunks[0].original_structure == "matrix"
    assert "Admin: Read = x; Write = x" in output.chunks[0].text
