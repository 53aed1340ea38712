"""Column types: the narrowest that keeps every value."""

from datetime import date, datetime, time
from typing import Any

import pytest

from ingestkit_excel.models import ColumnType
from ingestkit_excel.processors.columns import ColumnStatistics, table_value
from ingestkit_excel.workbook import Cell, CellKind

NUMBER, TEXT, DATE = CellKind.NUMBER, CellKind.TEXT, CellKind.DATE


def column(*parts: tuple[Any, str, CellKind]) -> tuple[ColumnType, list[object]]:
    """Give the type of a column of cells and its values."""
    cells = [Cell(*part) for part in parts]
    statistics = ColumnStatistics()
    for cell in cells:
        statistics.add(cell)
    return statistics.type, [table_value(cell, statistics.type) for cell in cells]


@pytest.mark.parametrize(
    ("parts", "kind", "values"),
    [
        ([(7, "00007", NUMBER), (12, "00012", NUMBER)], "text", ["00007", "00012"]),
        ([("007", "007", TEXT), (12, "12", NUMBER)], "text", ["007", "12"]),
        ([(1.0, "1", NUMBER), (2**60 + 1, "…", NUMBER)], "integer", [1, 2**60 + 1]),
        ([(1, "1", NUMBER), (0.5, "0.50", NUMBER)], "real", [1.0, 0.5]),
        ([(2**60 + 1, "…", NUMBER), (0.5, "0.5", NUMBER)], "text", [str(2**60 + 1), "0.5"]),
        ([(2**70, "big", NUMBER)], "text", [str(2**70)]),
        ([(True, "TRUE", CellKind.BOOLEAN)], "boolean", [True]),
        ([(1, "1", NUMBER), ("#N/A", "#N/A", CellKind.ERROR)], "integer", [1, None]),
        ([(0.125, "12.5%", CellKind.PERCENT)], "real", [0.125]),
        ([(datetime(2024, 2, 1), "1 Feb", DATE)], "date", ["2024-02-01"]),
        ([(time(9, 5), "9:05", CellKind.TIME)], "time", ["09:05:00"]),
        (
            [
                (date(2024, 2, 1), "1 Feb", DATE),
                (datetime(2024, 2, 1, 8), "8 h", CellKind.DATETIME),
            ],
            "datetime",
            ["2024-02-01T00:00:00", "2024-02-01T08:00:00"],
        ),
        (
            [(datetime(2024, 2, 1), "1 Feb", DATE), ("later", "later", TEXT)],
            "text",
            ["2024-02-01", "later"],
        ),
    ],
)
def test_values_survive_in_the_type_of_their_column(
    parts: list[tuple[Any, str, CellKind]], kind: str, values: list[object]
) -> None:
    """No digit is lost, dates are ISO 8601, errors are NULL."""
    found_kind, found = column(*parts)
    assert found_kind.value == kind
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_a_column_without_values_is_text() -> None:
    """Its description says that there are none."""
    statistics = ColumnStatistics()
    statistics.add(None)
    assert statistics.type is ColumnType.TEXT
    assert statistics.describe() == "no values"


def test_a_description_names_range_and_frequent_values() -> None:
    """Numbers have a range, all columns their most frequent values as displayed."""
    statistics = ColumnStatistics()
    for value in (0, 3, 3, 9):
        statistics.add(Cell(value, f"{value} kg", NUMBER))
    assert statistics.describe() == (
        "4 values; from 0 to 9; 3 distinct; most frequent: 3 kg (2), 0 kg (1), 9 kg (1)"
    )


def test_many_distinct_values_are_not_remembered() -> None:
    """Memory stays bounded however long the column is."""
    statistics = ColumnStatistics()
    for value in range(1500):
        statistics.add(Cell(value, str(value), NUMBER))
    assert statistics.describe() == "1500 values; from 0 to 1499; more than 1000 distinct"
