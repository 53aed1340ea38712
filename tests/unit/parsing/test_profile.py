"""Counts on which classification rests."""

from collections.abc import Sequence
from datetime import date

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ParserUsed, SheetProfile
from ingestkit_excel.parsing import profile_workbook
from ingestkit_excel.parsing.cells import cell_from_scalar
from ingestkit_excel.workbook import CellRange, Row, Sheet, Workbook


def profile(grid: Sequence[Sequence[object]], **facts: object) -> SheetProfile:
    """Profile a sheet of the given values whose first cell is B3."""
    rows: list[Row] = [[cell_from_scalar(value) for value in line] for line in grid]
    sheet = Sheet(
        name="S",
        extent=CellRange(3, 2, 2 + len(rows), 1 + len(rows[0])),
        read_rows=lambda: iter(rows),
        parser_used=ParserUsed.OPENPYXL,
        **facts,  # type: ignore[arg-type]
    )
    workbook = Workbook("p", "0" * 64, 1, (sheet,), ("S",), ParserUsed.OPENPYXL)
    return profile_workbook(workbook, ExcelProcessorConfig()).sheets[0]


TABLE: list[list[object]] = [
    ["id", "name", "born"],
    *([n, f"n{n}", date(2000, 1, n)] for n in range(1, 9)),
]


def test_header_of_a_table_is_found() -> None:
    """The row number is that of the sheet."""
    found = profile(TABLE)
    assert (found.header_row_detected, found.header_row_index) == (True, 3)
    assert found.header_values == ["id", "name", "born"]
    assert found.sample_rows[0] == ["1", "n1", "2000-01-01"]
    assert found.column_type_consistency == 1.0


def test_title_above_the_header_is_passed_over() -> None:
    """A title is narrower than the table below it."""
    found = profile([["Register", None, None], [None, None, None], *TABLE])
    assert found.header_row_index == 5
    assert found.column_type_consistency == 1.0


def test_numbers_alone_have_no_header() -> None:
    """A first row of numbers names nothing."""
    assert not profile([[1, 2], [3, 4], [5, 6]]).header_row_detected


def test_ratios_are_shares_of_filled_cells() -> None:
    """Emptiness is a share of the extent."""
    found = profile([["a", 1, None, None], ["b", 2, None, None]])
    assert (found.numeric_ratio, found.text_ratio, found.empty_ratio) == (0.5, 0.5, 0.5)


def test_mixed_column_lowers_consistency() -> None:
    """A column half text and half numbers counts half."""
    found = profile([[1, "a"], ["x", "b"]])
    assert found.column_type_consistency == pytest.approx(0.75)


def test_merged_cells_are_counted_within_the_extent() -> None:
    """Merges of empty cells beside the content do not count."""
    found = profile(
        [["a", "b"], ["c", "d"]], merges=(CellRange(3, 2, 4, 2), CellRange(90, 1, 91, 9))
    )
    assert found.merged_cell_count == 2
    assert found.merged_cell_ratio == 0.5


def test_single_column_of_numbers_may_have_a_header() -> None:
    """A text above numbers names them; a text above texts does not."""
    assert profile([["amount"], [1], [2]]).header_row_detected
    assert not profile([["one"], ["two"], ["three"]]).header_row_detected
