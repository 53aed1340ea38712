"""Column types and statistics, gathered cell by cell in bounded memory."""

import math
import re
from datetime import date, datetime, time, timedelta
from typing import Final

from ingestkit_excel.models import ColumnType, TableValue
from ingestkit_excel.processors.tally import Tally
from ingestkit_excel.workbook import Cell, CellKind

__all__ = ["ColumnStatistics", "is_blank_value", "table_value"]

_INTEGER_MAX: Final = 2**63 - 1  # what a 64-bit SQL integer holds
_EXACT_FLOAT_MAX: Final = 2**53  # above this a float no longer holds every integer
_TOTAL_CHARS_MAX: Final = 40  # a label such as "Total for the north"; longer is a remark
_TOTAL: Final = re.compile(
    r"\s*(grand |net |gross |overall )?(sub[- ]?)?(totals?|sum|gesamt|(zwischen)?summe|insgesamt|"
    r"totale|totaal|somme|sous-total|suma|razem|toplam|итого|合計|总计|小计)\b",
    re.IGNORECASE,
)
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_NUMBERS = frozenset({CellKind.NUMBER, CellKind.PERCENT, CellKind.CURRENCY})
_MOMENTS = {
    CellKind.DATE: ColumnType.DATE,
    CellKind.DATETIME: ColumnType.DATETIME,
    CellKind.TIME: ColumnType.TIME,
}


class ColumnStatistics:
    """What the cells of one column have in common.

    Labels of totals and formulas without a stored value do not decide the type, unless they
    outnumber the values: in a typed column they are NULL, and the description names them.
    """

    def __init__(self) -> None:
        self.is_used = False
        self._types: set[ColumnType] = set()
        self._has_big_integer = False
        self._durations = self._percents = 0
        self._values = Tally()
        self._seconds = Tally()
        self._aside = Tally()
        self._low: str | int | float | None = None
        self._high: str | int | float | None = None

    def add(self, cell: Cell | None) -> None:
        """Take one cell into account."""
        if cell is None:
            return
        self.is_used = True
        if cell.kind is CellKind.TEXT:  # most cells of most sheets, so few further questions
            if ColumnType.TEXT not in self._types and _is_total_label(cell.text):
                self._aside.add(cell.text)
                return
            kind = ColumnType.TEXT
        elif is_blank_value(cell):
            return
        elif cell.kind is CellKind.FORMULA:
            self._aside.add(cell.text)
            return
        else:
            kind = _type_of(cell)
            self._types.add(kind)
            self._note_value(cell, kind)
            return
        self._types.add(kind)
        self._values.add(cell.text)

    @property
    def type(self) -> ColumnType:
        """The narrowest type that keeps every value; mixed columns are text."""
        types = self._types
        if self._aside.total > self._values.total or self._durations not in (
            0,
            self._values.total,
        ):
            return ColumnType.TEXT
        if len(types) == 1:
            return next(iter(types))
        if types == {ColumnType.INTEGER, ColumnType.REAL} and not self._has_big_integer:
            return ColumnType.REAL
        if types == {ColumnType.DATE, ColumnType.DATETIME}:
            return ColumnType.DATETIME
        return ColumnType.TEXT

    def describe(self) -> str:
        """Give range, number of distinct values and some of them, as stored, as a sentence."""
        is_text = self.type is ColumnType.TEXT
        values = self._seconds if self._durations else self._values
        if is_text:
            values = self._values.joined(self._aside)
        if not values.total:
            return "no values"
        parts = [f"{values.total} values"]
        if not is_text and self._durations:
            parts.append("durations, stored in seconds")
        if not is_text and self._percents == self._values.total:
            parts.append("fractions, shown as percent")
        if not is_text and self._low is not None:
            parts.append(f"from {self._low} to {self._high}")
        parts.append(values.describe_distinct())
        if not is_text and self._aside.total:
            parts.append(f"NULL for {self._aside.describe_top()}")
        return "; ".join(parts)

    def _note_value(self, cell: Cell, kind: ColumnType) -> None:
        value = cell.value
        self._percents += cell.kind is CellKind.PERCENT
        # What a query sees, not what the format shows of it: 0.125 rather than 13%.
        self._values.add(str(table_value(cell, ColumnType.TEXT)))
        if isinstance(value, timedelta):
            self._durations += 1
            self._seconds.add(str(table_value(cell, ColumnType.REAL)))
            self._widen(value.total_seconds())
        elif kind is ColumnType.INTEGER or kind is ColumnType.REAL:
            if isinstance(value, int) and abs(value) > _EXACT_FLOAT_MAX:
                self._has_big_integer = True
            self._widen(value if isinstance(value, int | float) else None)
        elif cell.kind in _MOMENTS:
            self._widen(table_value(cell, kind))

    def _widen(self, value: TableValue) -> None:
        if value is None:
            return
        if self._low is not None and isinstance(value, str) != isinstance(self._low, str):
            return  # kinds that do not compare make a text column, which shows no range
        if self._low is None or value < self._low:  # type: ignore[operator]
            self._low = value
        if self._high is None or value > self._high:  # type: ignore[operator]
            self._high = value


def is_blank_value(cell: Cell) -> bool:
    """Whether a table stores NULL for the cell: errors and numbers that are none."""
    if cell.kind is CellKind.ERROR:
        return True
    return isinstance(cell.value, float) and not math.isfinite(cell.value)


def table_value(cell: Cell | None, kind: ColumnType) -> TableValue:
    """Give the value that stands in a column of that type.

    Dates and times are ISO 8601 text; durations are seconds, in a text column hours, minutes and
    seconds. What a typed column has no value for is NULL.
    """
    if cell is None or is_blank_value(cell):
        return None
    value = cell.value
    if cell.kind is CellKind.TEXT or cell.kind is CellKind.FORMULA:
        return cell.text if kind is ColumnType.TEXT else None
    if isinstance(value, timedelta):
        return value.total_seconds() if kind is ColumnType.REAL else cell.text
    if cell.kind in _MOMENTS:
        return _moment(value, cell, kind)
    if kind is ColumnType.BOOLEAN:
        return bool(value)
    if kind is ColumnType.INTEGER and isinstance(value, int | float):
        return int(value)
    if kind is ColumnType.REAL and isinstance(value, int | float):
        return float(value)
    if cell.kind in _NUMBERS and not _LEADING_ZERO.match(cell.text):
        return str(int(value)) if _is_whole(value) else str(value)  # type: ignore[arg-type]
    return cell.text


def _type_of(cell: Cell) -> ColumnType:
    if cell.kind is CellKind.BOOLEAN:
        return ColumnType.BOOLEAN
    if cell.kind in _MOMENTS:
        return _MOMENTS[cell.kind]
    value = cell.value
    if isinstance(value, timedelta):
        return ColumnType.REAL
    is_number = cell.kind in _NUMBERS and isinstance(value, int | float)
    if not is_number or (_LEADING_ZERO.match(cell.text) and cell.text.lstrip("+-").isdigit()):
        return ColumnType.TEXT
    if isinstance(value, int) and abs(value) > _INTEGER_MAX:
        return ColumnType.TEXT
    return ColumnType.INTEGER if _is_whole(value) else ColumnType.REAL


def _is_whole(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) <= _EXACT_FLOAT_MAX
    return isinstance(value, int)


def _moment(value: object, cell: Cell, kind: ColumnType) -> str:
    if cell.kind is CellKind.DATE and isinstance(value, datetime) and kind is ColumnType.DATE:
        return value.date().isoformat()
    if isinstance(value, datetime):
        is_day = cell.kind is CellKind.DATE and kind is ColumnType.TEXT
        return value.date().isoformat() if is_day else value.isoformat()
    if isinstance(value, date) and kind is ColumnType.DATETIME:
        return datetime.combine(value, time()).isoformat()
    return value.isoformat() if isinstance(value, date | time) else cell.text


def _is_total_label(text: str) -> bool:
    return len(text) <= _TOTAL_CHARS_MAX and _TOTAL.match(text) is not None
