"""Turns raw cells into typed cells; every engine's values pass through here, so they agree."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from ingestkit_excel.parsing.number_format import (
    FormatSpec,
    classify_format,
    interpret_number,
    plain_number,
)
from ingestkit_excel.parsing.ooxml import Package, unescape
from ingestkit_excel.parsing.sheet_xml import RawCell
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row

__all__ = ["build_cell", "build_row", "cell_from_scalar", "has_content"]

_DURATION: Final = FormatSpec(CellKind.DURATION)
_ERRORS: Final = frozenset(
    ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA")
)


def has_content(raw: RawCell, package: Package) -> bool:
    """Whether a person would see anything in the cell."""
    if raw.text is None:
        return raw.formula is not None
    return raw.type not in {"s", "str", "inlineStr"} or bool(_raw_text(raw, package).strip())


def build_row(
    raws: Sequence[RawCell], package: Package, *, extent: CellRange, values: Sequence[object]
) -> Row:
    """Give the typed cells of one row; ``values`` are an engine's, by column of ``extent``.

    Where the engine gave no text, the text of the raw cell stands.
    """
    row: Row = [None] * extent.width
    for raw in raws:
        offset = raw.column - extent.left
        if 0 <= offset < len(row):
            value = values[offset] if offset < len(values) else None
            row[offset] = build_cell(raw, package, value)
    return row


def build_cell(raw: RawCell, package: Package, value: object = None) -> Cell | None:
    """Give the typed cell, or ``None`` where there is nothing to see."""
    style = package.style(raw.style)
    text = raw.text
    if text is None:
        if raw.formula is None:
            return None
        return Cell(raw.formula, raw.formula, CellKind.FORMULA, style.bold, raw.formula)
    if raw.type in {"s", "str", "inlineStr"}:
        shown = unescape(value) if isinstance(value, str) and value else _raw_text(raw, package)
        if not shown.strip():
            return None
        return Cell(shown, shown, CellKind.TEXT, style.bold, raw.formula)
    if raw.type == "e":
        return Cell(text, text, CellKind.ERROR, style.bold, raw.formula)
    if raw.type == "b":
        truth = text.strip() in {"1", "true"}
        return Cell(truth, _truth(truth), CellKind.BOOLEAN, style.bold, raw.formula)
    if raw.type == "d":
        plain = _iso_cell(text)
        return plain._replace(bold=style.bold, formula=raw.formula)
    try:
        number = float(text)
    except ValueError:
        return Cell(text, text, CellKind.TEXT, style.bold, raw.formula)
    spec = classify_format(style.number_format)
    scalar, shown, kind = interpret_number(number, spec, date1904=package.date1904)
    return Cell(scalar, shown, kind, style.bold, raw.formula)


def cell_from_scalar(value: object) -> Cell | None:
    """Give the cell of a value whose format is unknown; ``None`` for an empty one."""
    if isinstance(value, bool):
        return Cell(value, _truth(value), CellKind.BOOLEAN)
    if isinstance(value, int | float):
        number = int(value) if float(value).is_integer() and abs(value) < 1e15 else value
        return Cell(number, plain_number(number), CellKind.NUMBER)
    if isinstance(value, datetime):
        return Cell(value, value.isoformat(sep=" "), CellKind.DATETIME)
    if isinstance(value, date):
        return Cell(value, value.isoformat(), CellKind.DATE)
    if isinstance(value, time):
        return Cell(value, value.isoformat(), CellKind.TIME)
    if isinstance(value, timedelta):
        days = value.total_seconds() / 86_400
        return Cell(value, interpret_number(days, _DURATION)[1], CellKind.DURATION)
    text = unescape(value) if isinstance(value, str) else ""
    if not text.strip():
        return None
    return Cell(text, text, CellKind.ERROR if text in _ERRORS else CellKind.TEXT)


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _raw_text(raw: RawCell, package: Package) -> str:
    if raw.type != "s":
        return unescape(raw.text or "")
    index = int(raw.text or "")
    if not 0 <= index < len(package.strings):
        raise ValueError("a cell points outside the shared strings")
    return package.strings[index]


def _iso_cell(text: str) -> Cell:
    stamp = text.strip()
    for read in (date.fromisoformat, time.fromisoformat, datetime.fromisoformat):
        try:
            cell = cell_from_scalar(read(stamp))
        except ValueError:
            continue
        if cell is not None:
            return cell
    return Cell(text, text, CellKind.TEXT)
