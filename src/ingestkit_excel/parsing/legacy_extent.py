"""Measures .ods and .xlsb sheets before calamine, which allocates the whole bounding box.

A single value in the last cell of a sheet would ask for hundreds of gigabytes, and Rust ends the
process when it does not get them. The list of sheets of an .xlsb is checked too: calamine panics
over one that does not fit, and Rust writes a panic to the terminal.

Known limit: of an .xls only the sizes checked in `limits` are known, so calamine may still end the
process over a damaged one; workers read in a child process.
"""

import zipfile
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.parsing.limits import Container
from ingestkit_excel.parsing.ooxml import PACKAGE_ERRORS, relation_ids

__all__ = ["check_legacy_extents"]

_BOX_CELLS_MAX: Final = 20_000_000  # calamine and the rows made of it need some 100 bytes a cell
_BLOCK_BYTES: Final = 1 << 16
_XLSB_BOOK: Final = "xl/workbook.bin"  # where calamine looks, whatever the package says
_SHEET_RECORD: Final = 156  # BrtBundleSh, [MS-XLSB] 2.4.311
_NO_RELATION: Final = 0xFFFF_FFFF
_ROW_RECORD: Final = 0  # BrtRowHdr, [MS-XLSB] 2.4.706
_CELL_RECORDS: Final = frozenset(range(1, 20)) | {
    62
}  # BrtCellBlank .. BrtShortIsst, BrtCellRString


def check_legacy_extents(path: str, container: Container) -> None:
    """Refuse a workbook whose sheets span more cells than can be held.

    Raises:
        ParseError: A sheet is too large, or the package is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if container is Container.ODS:
                box = _ods_box(archive)
            else:
                _check_sheet_list(archive)
                box = max((_xlsb_box(archive, name) for name in _sheet_parts(archive)), default=0)
    except PACKAGE_ERRORS as error:
        cause = "the package is damaged; open and save it again"
        raise ParseError(
            ErrorCode.E_PARSE_CORRUPT, f"cannot read workbook {path}: {cause}"
        ) from error
    if box > _BOX_CELLS_MAX:
        cause = f"a sheet spans {box} cells, over the limit of {_BOX_CELLS_MAX}; save it as .xlsx"
        raise ParseError(ErrorCode.E_PARSE_TOO_LARGE, f"cannot read workbook {path}: {cause}")


def _sheet_parts(archive: zipfile.ZipFile) -> list[str]:
    names = archive.namelist()
    return [name for name in names if "worksheets/" in name.lower() and name.endswith(".bin")]


class _OdsBoxes:
    """Follows the repeat counts of OpenDocument 1.3 part 3, 9.1."""

    def __init__(self) -> None:
        self.largest = 0
        self._row = self._column = self._last_row = self._last_column = 0
        self._row_repeat = 1
        self._row_filled = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table":
            self._row = self._last_row = self._last_column = 0
        elif name == "table:table-row":
            self._row_repeat = int(attributes.get("table:number-rows-repeated", "1"))
            self._column = 0
            self._row_filled = False
        elif name in {"table:table-cell", "table:covered-table-cell"}:
            self._column += int(attributes.get("table:number-columns-repeated", "1"))
            if "office:value-type" in attributes or "table:formula" in attributes:
                self._fill()
        elif name == "text:p":
            self._fill()

    def end(self, name: str) -> None:
        if name == "table:table-row":
            self._row += self._row_repeat
            if self._row_filled:
                self._last_row = self._row
        elif name == "table:table":
            self.largest = max(self.largest, self._last_row * self._last_column)

    def refuse_doctype(self, *_: object) -> None:
        raise ValueError("the part declares a document type")

    def _fill(self) -> None:
        self._row_filled = True
        self._last_column = max(self._last_column, self._column)


def _ods_box(archive: zipfile.ZipFile) -> int:
    boxes = _OdsBoxes()
    parser = expat.ParserCreate()
    parser.StartElementHandler = boxes.start
    parser.EndElementHandler = boxes.end
    parser.StartDoctypeDeclHandler = boxes.refuse_doctype
    with archive.open("content.xml") as stream:
        while block := stream.read(_BLOCK_BYTES):
            parser.Parse(block, False)
    parser.Parse(b"", True)
    return boxes.largest


def _check_sheet_list(archive: zipfile.ZipFile) -> None:
    """Refuse a list of sheets that names parts which are not related; betas wrote such lists."""
    if _XLSB_BOOK not in archive.namelist():
        return
    known = relation_ids(archive, _XLSB_BOOK)
    for kind, record in _records(archive.read(_XLSB_BOOK)):
        if kind != _SHEET_RECORD:
            continue
        length = int.from_bytes(record[8:12], "little")
        if length != _NO_RELATION and record[12 : 12 + 2 * length].decode("utf-16-le") not in known:
            raise ValueError("a sheet names a part that is not related")


def _xlsb_box(archive: zipfile.ZipFile, name: str) -> int:
    row = last_row = last_column = 0
    for kind, record in _records(archive.read(name)):
        if kind == _ROW_RECORD:
            row = int.from_bytes(record[:4], "little") + 1
        elif kind in _CELL_RECORDS:
            column = int.from_bytes(record[:4], "little") + 1
            last_row, last_column = max(last_row, row), max(last_column, column)
    return last_row * last_column


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Give number and content of each record of a binary part, [MS-XLSB] 2.1.4."""
    position = 0
    while position < len(content):
        kind, position = _varint(content, position, 2)
        size, position = _varint(content, position, 4)
        yield kind, content[position : position + size]
        position += size


def _varint(content: bytes, position: int, length_max: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte; give it with the position behind it."""
    number = 0
    for index in range(length_max):
        if position >= len(content):
            raise ValueError("a record is cut short")
        byte = content[position]
        position += 1
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            break
    return number, position
