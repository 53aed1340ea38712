"""Reads .xls, .xlsb and .ods, which calamine alone can; their number formats stay unknown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.models import ParserUsed
from ingestkit_excel.parsing.cells import cell_from_scalar
from ingestkit_excel.parsing.legacy_extent import check_legacy_extents
from ingestkit_excel.parsing.limits import Container
from ingestkit_excel.parsing.readers import (
    ReaderFailed,
    calamine_guard,
    load_calamine,
    open_calamine,
)
from ingestkit_excel.workbook import CellRange, Row, Sheet, Visibility

__all__ = ["LegacyBook", "read_legacy"]

_VISIBILITY: Final = {
    "Visible": Visibility.VISIBLE,
    "Hidden": Visibility.HIDDEN,
    "VeryHidden": Visibility.VERY_HIDDEN,
}


@dataclass(frozen=True, slots=True)
class LegacyBook:
    """What calamine made of a workbook."""

    names: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    skipped: dict[str, ErrorCode]


def read_legacy(path: str, container: Container, config: ExcelProcessorConfig) -> LegacyBook:
    """Read all sheets of a workbook that is no OOXML package.

    Raises:
        ParseError: Calamine is not installed or cannot read the workbook.
    """
    module = load_calamine()
    if module is None:
        cause = f"reading .{container} needs an extra; pip install ingestkit-excel[fast]"
        raise ParseError(ErrorCode.E_PARSE_UNSUPPORTED, f"cannot read workbook {path}: {cause}")
    if container is not Container.XLS:
        check_legacy_extents(path, container)
    try:
        with calamine_guard(module):
            book = open_calamine(module, path)
    except ReaderFailed as error:
        cause = "calamine finds it damaged; open it and save it as .xlsx"
        raise ParseError(
            ErrorCode.E_PARSE_CORRUPT, f"cannot read workbook {path}: {cause}"
        ) from error
    sheets: list[Sheet] = []
    skipped: dict[str, ErrorCode] = {}
    try:
        for metadata in book.sheets_metadata:
            found = _read_one(module, book, metadata, config)
            if isinstance(found, Sheet):
                sheets.append(found)
            else:
                skipped[metadata.name] = found
        return LegacyBook(tuple(book.sheet_names), tuple(sheets), skipped)
    finally:
        book.close()


def _read_one(
    module: Any, book: Any, metadata: Any, config: ExcelProcessorConfig
) -> Sheet | ErrorCode:
    if _enum_name(metadata.typ) != "WorkSheet":
        return ErrorCode.W_SHEET_SKIPPED_CHART
    try:
        with calamine_guard(module):
            sheet = book.get_sheet_by_name(metadata.name)
            start = sheet.start
            values = sheet.to_python(skip_empty_area=True)
            merges = sheet.merged_cell_ranges or []
    except ReaderFailed:
        return ErrorCode.W_SHEET_UNREADABLE
    rows = [[cell_from_scalar(value) for value in row] for row in values]
    extent = None if start is None else _tighten(rows, start[0] + 1, start[1] + 1)
    if extent is None:
        return ErrorCode.W_SHEET_SKIPPED_EMPTY
    return Sheet(
        name=metadata.name,
        extent=extent,
        read_rows=_Held(rows).read,
        parser_used=ParserUsed.CALAMINE,
        visibility=_VISIBILITY.get(_enum_name(metadata.visible), Visibility.VISIBLE),
        merges=tuple(CellRange(a[0] + 1, a[1] + 1, b[0] + 1, b[1] + 1) for a, b in merges),
        streamed=len(rows) > config.max_rows_in_memory,
    )


def _enum_name(value: Any) -> str:
    return str(value).rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class _Held:
    rows: list[Row] = field(repr=False)

    def read(self) -> Iterator[Row]:
        return iter(self.rows)


def _tighten(rows: list[Row], top: int, left: int) -> CellRange | None:
    """Cut empty rows and columns off the edges in place; give the extent of the rest."""
    filled = [index for index, row in enumerate(rows) if any(row)]
    if not filled:
        return None
    del rows[filled[-1] + 1 :]
    del rows[: filled[0]]
    columns = {index for row in rows for index, cell in enumerate(row) if cell is not None}
    first, last = min(columns), max(columns)
    for row in rows:
        row[:] = row[first : last + 1]
        row.extend([None] * (last + 1 - first - len(row)))
    start = top + filled[0]
    return CellRange(start, left + first, start + len(rows) - 1, left + last)
