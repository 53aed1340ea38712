"""Workbooks built in code, read through `parse_workbook`."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook as Book
from openpyxl.styles import Font

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.parsing import parse_workbook
from ingestkit_excel.workbook import CellKind, CellRange, Row, Visibility, Workbook

OPENPYXL = ExcelProcessorConfig(reader="openpyxl")


def save(book: Book, folder: Path, name: str = "book.xlsx") -> str:
    """Save the workbook and give its path."""
    path = folder / name
    book.save(path)
    return str(path)


def typed_book() -> Book:
    """Give a workbook with a cell of every kind, away from A1."""
    book = Book()
    sheet: Any = book.active
    sheet["B3"] = "name"
    sheet["B3"].font = Font(bold=True)
    sheet["C3"] = 5
    sheet["D3"] = 0.125
    sheet["D3"].number_format = "0.0%"
    sheet["E3"] = 1234.5
    sheet["E3"].number_format = '"$"#,##0.00'
    sheet["B5"] = datetime(2024, 1, 31)
    sheet["B5"].number_format = "dd/mm/yyyy"
    sheet["C5"] = datetime(2024, 1, 31, 10, 30)
    sheet["D5"] = time(9, 15)
    sheet["E5"] = timedelta(hours=26)
    sheet["B6"] = True
    sheet["C6"] = "#N/A"
    sheet["D6"] = "=C3*2"
    return book


def rows_of(workbook: Workbook, index: int = 0) -> list[Row]:
    """Give all rows of a sheet."""
    return list(workbook.sheets[index].read_rows())


def test_every_kind_is_told_by_type_and_number_format(tmp_path: Path) -> None:
    """Kinds, values and texts follow the number format."""
    workbook = parse_workbook(save(typed_book(), tmp_path), OPENPYXL)
    assert workbook.sheets[0].extent == CellRange(3, 2, 6, 5)
    cells = [cell for row in rows_of(workbook) for cell in row if cell is not None]
    assert [(cell.value, cell.text, cell.kind) for cell in cells] == [
        ("name", "name", CellKind.TEXT),
        (5, "5", CellKind.NUMBER),
        (0.125, "12.5%", CellKind.PERCENT),
        (1234.5, "$1,234.50", CellKind.CURRENCY),
        (date(2024, 1, 31), "2024-01-31", CellKind.DATE),
        (datetime(2024, 1, 31, 10, 30), "2024-01-31 10:30:00", CellKind.DATETIME),
        (time(9, 15), "09:15:00", CellKind.TIME),
        (timedelta(hours=26), "26:00:00", CellKind.DURATION),
        (True, "TRUE", CellKind.BOOLEAN),
        ("#N/A", "#N/A", CellKind.ERROR),
        ("=C3*2", "=C3*2", CellKind.FORMULA),
    ]
    assert cells[0].bold


def test_uncached_formulas_are_counted_in_one_warning(tmp_path: Path) -> None:
    """A sheet with formulas that have no stored value says so once."""
    workbook = parse_workbook(save(typed_book(), tmp_path), OPENPYXL)
    assert [warning.code for warning in workbook.warnings] == [ErrorCode.W_FORMULA_UNCACHED]
    assert workbook.sheets[0].uncached_formulas == 1
    assert workbook.sheets[0].has_formulas


def test_engines_give_identical_cells(tmp_path: Path) -> None:
    """Calamine and openpyxl agree on every cell."""
    pytest.importorskip("python_calamine")
    path = save(typed_book(), tmp_path)
    fast = parse_workbook(path, ExcelProcessorConfig(reader="calamine"))
    assert rows_of(fast) == rows_of(parse_workbook(path, OPENPYXL))


def test_long_sheet_is_streamed_and_read_again(tmp_path: Path) -> None:
    """Beyond the row limit each pass reads the file, with the same cells."""
    path = save(typed_book(), tmp_path)
    streamed = parse_workbook(path, OPENPYXL.model_copy(update={"max_rows_in_memory": 1}))
    assert streamed.sheets[0].streamed
    held = parse_workbook(path, OPENPYXL)
    assert not held.sheets[0].streamed
    assert rows_of(streamed) == rows_of(streamed) == rows_of(held)


def test_structure_that_engines_leave_out_is_kept(tmp_path: Path) -> None:
    """Merges, hidden rows, columns and sheets are reported."""
    book = typed_book()
    sheet: Any = book.active
    sheet.merge_cells("B3:C4")
    sheet.row_dimensions[5].hidden = True
    sheet.column_dimensions["D"].hidden = True
    other = book.create_sheet("secret")
    other["A1"] = "x"
    other.sheet_state = "veryHidden"
    workbook = parse_workbook(save(book, tmp_path), OPENPYXL)
    first, second = workbook.sheets
    assert first.merges == (CellRange(3, 2, 4, 3),)
    assert first.hidden_rows == {5}
    assert first.hidden_columns == {4}
    assert second.visibility is Visibility.VERY_HIDDEN


def test_style_only_cells_do_not_widen_the_extent(tmp_path: Path) -> None:
    """The extent is that of cells with content."""
    book = Book()
    sheet: Any = book.active
    sheet["B2"] = "x"
    sheet["Z900"].font = Font(bold=True)
    assert parse_workbook(save(book, tmp_path), OPENPYXL).sheets[0].extent == (2, 2, 2, 2)


def test_empty_sheet_is_skipped_beside_a_filled_one(tmp_path: Path) -> None:
    """An empty sheet is named in ``skipped`` and is no warning."""
    book = typed_book()
    book.create_sheet("blank")
    workbook = parse_workbook(save(book, tmp_path), OPENPYXL)
    assert workbook.skipped == {"blank": "W_SHEET_SKIPPED_EMPTY"}
    assert workbook.sheet_names == ("Sheet", "blank")


def test_workbook_without_a_value_is_empty(tmp_path: Path) -> None:
    """No non-empty cell at all is an error."""
    with pytest.raises(ParseError) as caught:
        parse_workbook(save(Book(), tmp_path), OPENPYXL)
    assert caught.value.code is ErrorCode.E_PARSE_EMPTY


def test_missing_file_is_coded(tmp_path: Path) -> None:
    """An absent file is told from a damaged one."""
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(tmp_path / "none.xlsx"), OPENPYXL)
    assert caught.value.code is ErrorCode.E_SOURCE_NOT_FOUND


def test_folder_is_unreadable(tmp_path: Path) -> None:
    """A folder in place of a file is a coded error."""
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(tmp_path), OPENPYXL)
    assert caught.value.code is ErrorCode.E_SOURCE_UNREADABLE
