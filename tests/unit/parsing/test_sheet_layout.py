"""Evidence of prose beside a table, gathered row by row."""

from collections.abc import Sequence

import pytest

from ingestkit_excel.parsing.cells import cell_from_scalar
from ingestkit_excel.parsing.layout import SheetLayout

SENTENCE = "Figures count closed tickets and not those that are open."
TABLE: list[list[object]] = [["Site", "Tickets"], ["Mill", 3], ["North", 4], ["West", 5]]


def measured(grid: Sequence[Sequence[object]]) -> tuple[int, int, int]:
    """Give characters of prose, tables and rows of tables."""
    layout = SheetLayout()
    for line in grid:
        cells = [cell_from_scalar(value) for value in line]
        layout.add([cell for cell in cells if cell is not None])
    layout.finish()
    return layout.prose_chars, layout.table_count, layout.table_rows


def test_prose_and_tables_are_counted_apart() -> None:
    """Sentences above and below count, tables with a gap between them are two."""
    grid = [[SENTENCE], [], *TABLE, [], *TABLE, [], [SENTENCE]]
    assert measured(grid) == (2 * len(SENTENCE), 2, 8)


@pytest.mark.parametrize(
    ("text", "is_prose"),
    [
        ("Printer fleet, third quarter of the year two thousand", False),
        ("Source: the field team.", False),
        (SENTENCE, True),
        ("word " * 30, True),
        (12345, False),
    ],
)
def test_titles_and_sources_are_no_prose(text: object, is_prose: bool) -> None:
    """Only a sentence or a paragraph is; its length alone makes no title one."""
    assert (measured([[text]])[0] > 0) is is_prose


@pytest.mark.parametrize(
    ("grid", "count"),
    [
        (TABLE[:2], 0),
        ([["☐", "Order a laptop"], ["☐", "Order a desk"], ["☐", "Order a chair"]], 0),
        ([["Name", "Team", "City"], ["Ada", "A", "Bonn"], ["Bram", "B", "Ulm"]], 1),
        ([["Region", 2021, 2022], ["North", 5, 6], ["South", 7, 8]], 1),
        ([[1, 2], [3, 4], [5, 6]], 0),
        ([["x" * 121, "y"], [1, 2], [3, 4]], 0),
    ],
)
def test_a_table_starts_with_labels_and_holds_columns_or_values(
    grid: Sequence[Sequence[object]], count: int
) -> None:
    """Pairs of texts are a list; years may be labels, other numbers may not."""
    assert measured(grid)[1] == count
