"""Column types: the narrowest that keeps every value."""

from datetime import date, datetime, time, timedelta
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


def describe(*parts: tuple[Any, str, CellKind]) -> str:
    """Describe a column of cells."""
    statistics = ColumnStatistics()
    for part in parts:
        statistics.add(Cell(*part))
    return statistics.describe()


def test_a_description_names_range_and_frequent_values_as_stored() -> None:
    """A query compares with what the store holds, not with what the number format shows."""
    parts = [(value, f"{value} kg", NUMBER) for value in (0, 3, 3, 9) * 3]
    assert describe(*parts) == (
        "12 values; from 0 to 9; 3 distinct; most frequent: 3 (6), 0 (3), 9 (3)"
    )
    percents = [(0.125, "13%", CellKind.PERCENT), (0.5, "50%", CellKind.PERCENT)]
    assert describe(*percents) == (
        "2 values; fractions, shown as percent; from 0.125 to 0.5; all distinct, 0.125, 0.5"
    )


def test_counts_are_left_out_where_they_say_nothing() -> None:
    """In a few rows, or where each value stands once, examples are enough."""
    few = [(text, text, TEXT) for text in ("red", "blue", "red")]
    assert describe(*few) == "3 values; 2 distinct: red, blue"
    names = [(f"n{n}", f"n{n}", TEXT) for n in range(20)]
    assert describe(*names) == "20 values; all distinct, e.g. n0, n1, n2"


def test_many_distinct_values_are_not_remembered() -> None:
    """Memory stays bounded however long the column is."""
    parts = [(value, str(value), NUMBER) for value in range(1500)]
    assert describe(*parts) == (
        "1500 values; from 0 to 1499; more than 1000 distinct, e.g. 0, 1, 2"
    )


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ("=SUM(B2:B3)", CellKind.FORMULA),
        ("Total", TEXT),
        ("Subtotal, north", TEXT),
        ("Summe", TEXT),
        ("#DIV/0!", CellKind.ERROR),
    ],
)
def test_a_total_row_does_not_turn_a_typed_column_into_text(odd: str, kind: CellKind) -> None:
    """What is no value is NULL, wherever it stands."""
    values = [(4, "4", NUMBER), (5, "5", NUMBER)]
    assert column(*values, (odd, odd, kind)) == (ColumnType.INTEGER, [4, 5, None])
    assert column((odd, odd, kind), *values) == (ColumnType.INTEGER, [None, 4, 5])


@pytest.mark.parametrize("odd", ["open", "Totally different", "Total " + "of all sites " * 4])
def test_other_texts_make_a_column_text(odd: str) -> None:
    """Only the label of a total is known not to be a value."""
    found = column((4, "4", NUMBER), (5, "5", NUMBER), (odd, odd, TEXT))
    assert found == (ColumnType.TEXT, ["4", "5", odd])


def test_formulas_that_outnumber_the_values_are_kept() -> None:
    """A column of formulas would be all NULL, so their texts stand."""
    formulas = [(f"=A{n}", f"=A{n}", CellKind.FORMULA) for n in (2, 3)]
    assert column(*formulas, (4, "4", NUMBER)) == (ColumnType.TEXT, ["=A2", "=A3", "4"])


def test_a_text_column_keeps_labels_of_totals() -> None:
    """A label above the first text counts as a value like all others."""
    statistics = ColumnStatistics()
    for text in ("Total", "Rent", "Total"):
        statistics.add(Cell(text, text, TEXT))
    assert statistics.type is ColumnType.TEXT
    assert statistics.describe() == "3 values; 2 distinct: Total, Rent"


def test_a_description_names_what_is_null() -> None:
    """The label of a total far below is found, though the store holds NULL for it."""
    statistics = ColumnStatistics()
    for value in (4, 5):
        statistics.add(Cell(value, str(value), NUMBER))
    statistics.add(Cell("Total", "Total", TEXT))
    assert statistics.describe() == (
        "2 values; from 4 to 5; all distinct, 4, 5; NULL for Total (1)"
    )


def test_durations_are_seconds_and_the_description_says_so() -> None:
    """A query can add them up."""
    long, short = timedelta(hours=26, minutes=30), timedelta(seconds=90)
    parts = [(long, "26:30:00", CellKind.DURATION), (short, "0:01:30", CellKind.DURATION)]
    assert column(*parts) == (ColumnType.REAL, [95400.0, 90.0])
    statistics = ColumnStatistics()
    for part in parts:
        statistics.add(Cell(*part))
    assert "durations, stored in seconds; from 90.0 to 95400.0" in statistics.describe()


@pytest.mark.parametrize("other", [(3, "3", NUMBER), (0.5, "0.5", NUMBER), ("late", "late", TEXT)])
def test_durations_are_not_mixed_with_plain_numbers(other: tuple[Any, str, CellKind]) -> None:
    """Seconds and something else in one column would be added up by mistake."""
    kind, values = column((timedelta(hours=2), "2:00:00", CellKind.DURATION), other)
    assert kind is ColumnType.TEXT
    assert values == ["2:00:00", other[1]]
