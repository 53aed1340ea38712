"""Regions: rectangles that do not overlap and lose no cell."""

import random
from collections.abc import Sequence

import pytest

from ingestkit_excel.processors.regions import split_regions
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row


def rows_of_marks(picture: Sequence[str]) -> list[Row]:
    """Draw a grid: a letter is a text, ``1`` a number, anything else is empty."""

    def cell(mark: str) -> Cell | None:
        if mark.isalpha():
            return Cell(mark, mark, CellKind.TEXT)
        return Cell(1, "1", CellKind.NUMBER) if mark == "1" else None

    return [[cell(mark) for mark in line] for line in picture]


def split(picture: Sequence[str], merges: Sequence[CellRange] = ()) -> list[str]:
    """Give the regions of a drawing in A1 notation."""
    extent = CellRange(1, 1, len(picture), len(picture[0]))
    return [region.a1 for region in split_regions(rows_of_marks(picture), extent, merges)]


@pytest.mark.parametrize("seed", range(150))
def test_regions_are_disjoint_and_hold_every_cell(seed: int) -> None:
    """Each filled cell lies in exactly one region; two regions over a cell would store it twice."""
    source = random.Random(seed)
    marks = source.choice(["a1.", "a1....", "a1........."])
    width, height = source.randint(1, 14), source.randint(1, 40)
    picture = ["".join(source.choices(marks, k=width)) for _ in range(height)]
    if not set("".join(picture)) & {"a", "1"}:
        picture[0] = "a" * width
    rows = rows_of_marks(picture)
    regions = split_regions(rows, CellRange(1, 1, height, width), ())
    for number, row in enumerate(rows, 1):
        for column, cell in enumerate(row, 1):
            owners = sum(region.contains(number, column) for region in regions)
            assert owners <= 1
            assert cell is None or owners == 1


def test_a_blank_row_inside_a_table_does_not_split_it() -> None:
    """Rows after the gap hold the types of the rows before."""
    assert split(["aa", "a1", "a1", "..", "a1", "a1"]) == ["A1:B6"]


def test_a_new_header_after_a_blank_row_starts_a_table() -> None:
    """Text where numbers stood is a header."""
    assert split(["aa", "a1", "a1", "..", "aa", "a1"]) == ["A1:B3", "A5:B6"]


def test_a_new_header_without_a_blank_row_starts_a_table() -> None:
    """The types change from number to text and back."""
    assert split(["aaa", "a11", "a11", "abc", "a11", "a11"]) == ["A1:C3", "A4:C6"]


def test_a_row_of_equal_texts_between_numbers_is_no_header() -> None:
    """A row of `n/a` belongs to the table around it."""
    assert split(["abc", "a11", "a11", "ann", "a11", "a11"]) == ["A1:C6"]


def test_a_form_is_not_split_between_label_and_value() -> None:
    """A single column beside a gap belongs to what stands beside it."""
    assert split(["a..a", "a..1", "a..a"]) == ["A1:D3"]


def test_a_merged_block_fills_the_rows_it_covers() -> None:
    """A blank row under a merged cell is part of it."""
    assert split(["a..", "...", "aaa"], [CellRange(1, 1, 2, 3)]) == ["A1:C3"]
