"""What number formats make of numbers."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestkit_excel.parsing.number_format import (
    BUILTIN_FORMATS,
    classify_format,
    interpret_number,
    plain_number,
)
from ingestkit_excel.workbook import CellKind, Scalar

Shown = tuple[Scalar, str, CellKind]


def show(number: float, code: str, *, date1904: bool = False) -> Shown:
    """Interpret a number under a format code."""
    return interpret_number(number, classify_format(code), date1904=date1904)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", CellKind.NUMBER),
        ("@", CellKind.NUMBER),
        ("0.00", CellKind.NUMBER),
        ("0.00E+00", CellKind.NUMBER),
        ("# ?/?", CellKind.NUMBER),
        ('0 "days"', CellKind.NUMBER),
        ('0" months of hay"', CellKind.NUMBER),
        ("[Red]0.0;[Blue]-0.0", CellKind.NUMBER),
        ("0%", CellKind.PERCENT),
        ("[$€-407]#,##0.00", CellKind.CURRENCY),
        ('_("$"* #,##0.00_);_("$"* (#,##0.00);_("$"* "-"??_);_(@_)', CellKind.CURRENCY),
        ("#,##0 [$USD]", CellKind.CURRENCY),
        ("yyyy-mm-dd", CellKind.DATE),
        ("[$-409]d-mmm-yy;@", CellKind.DATE),
        ("mmm yyyy", CellKind.DATE),
        ('dd"."mm"."yyyy', CellKind.DATE),
        ("m/d/yy h:mm", CellKind.DATETIME),
        ("h:mm AM/PM", CellKind.TIME),
        ("mm:ss.0", CellKind.TIME),
        ("[h]:mm:ss", CellKind.DURATION),
        ("[mm]:ss", CellKind.DURATION),
    ],
)
def test_kind_follows_the_code(code: str, kind: CellKind) -> None:
    """Literals, colours and locales do not mislead."""
    assert classify_format(code).kind is kind


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (5.0, "General", "5"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (-1234.5, '"$"#,##0.00', "-$1,234.50"),
        (0.125, "0%", "13%"),
        (0.5, "0.0%", "50.0%"),
        (42, "00000", "00042"),
        (1500, "0.0,", "1.5"),
        (7, '0" kg"', "7 kg"),
        (12.5, "#,##0.00 [$€-407]", "12.50 €"),
        (3, "[$-409]0", "3"),
        (1e-7, "General", "0.0000001"),
        (1e300, "0.00", "1e+300"),
        (0.25, "# ?/?", "0.25"),
        (-0.5, "\\+0.0;\\-0.0", "-0.5"),
        (-2, '"up "0;"down "0', "-2"),
        (-2, '_("$"* #,##0_);_("$"* \\(#,##0\\);_("$"* "-"??_);_(@_)', "-$2"),
        (5, "[$€-407]#,##0.00;[Red]-[$€-407]#,##0.00", "€5.00"),
        (1500, '[>999]#,"K";0', "1500"),
    ],
)
def test_numbers_are_shown_as_formatted(number: float, code: str, text: str) -> None:
    """Decimals, thousands, scale, padding and units appear in the text."""
    assert show(number, code)[1] == text


@pytest.mark.parametrize(
    ("number", "code", "shown"),
    [
        (45322, "yyyy-mm-dd", (date(2024, 1, 31), "2024-01-31", CellKind.DATE)),
        (1, "yyyy-mm-dd", (date(1900, 1, 1), "1900-01-01", CellKind.DATE)),
        (61, "yyyy-mm-dd", (date(1900, 3, 1), "1900-03-01", CellKind.DATE)),
        (-1, "yyyy-mm-dd", (-1, "-1", CellKind.NUMBER)),
        (0, "yyyy-mm-dd", (0, "0", CellKind.NUMBER)),
        (3e6, "yyyy-mm-dd", (3_000_000, "3000000", CellKind.NUMBER)),
        (0.75, "h:mm", (time(18), "18:00:00", CellKind.TIME)),
        (1.5, "[h]:mm", (timedelta(hours=36), "36:00:00", CellKind.DURATION)),
        (
            45322.5,
            "yyyy-mm-dd",
            (datetime(2024, 1, 31, 12), "2024-01-31 12:00:00", CellKind.DATETIME),
        ),
    ],
)
def test_moments_become_typed_values(number: float, code: str, shown: Shown) -> None:
    """Serials become dates, times and durations; impossible ones stay numbers."""
    assert show(number, code) == shown


def test_epoch_of_1904_shifts_dates() -> None:
    """The same serial lies four years and a day later."""
    assert show(0, "yyyy-mm-dd", date1904=True)[0] == date(1904, 1, 1)
    assert show(43860, "yyyy-mm-dd", date1904=True)[0] == date(2024, 1, 31)


def test_last_second_of_a_day_does_not_spill_over() -> None:
    """Rounding a fraction up carries into the date, never into an invalid time."""
    assert show(45322.999999999, "yyyy-mm-dd hh:mm")[0] == datetime(2024, 2, 1)


@pytest.mark.slow
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(list(BUILTIN_FORMATS)))
def test_any_number_under_any_builtin_format_has_a_text(number: float, format_id: int) -> None:
    """No number is too large, small or negative for a format."""
    assert show(number, BUILTIN_FORMATS[format_id])[1]


@pytest.mark.slow
@given(st.floats(-1e9, 1e9), st.text(alphabet='0#?.,;%"\\[]$€-+Eemdyhs/: _*@()', max_size=12))
def test_any_code_is_survived(number: float, code: str) -> None:
    """Malformed codes give a plain text, never an exception."""
    assert show(number, code)[1]


@pytest.mark.slow
@given(st.integers(-(10**14), 10**14))
def test_plain_integers_are_exact(number: int) -> None:
    """Whole numbers lose no digit."""
    assert plain_number(float(number)) == str(number)
