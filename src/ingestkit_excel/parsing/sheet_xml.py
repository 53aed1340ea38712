"""Streams the cells of one worksheet part, with all that the engines leave out.

A declared dimension is ignored and cells that carry only a style are left out. DTDs are refused,
so no entity can expand. Transitional and strict documents read alike, whatever their prefixes.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol
from xml.parsers import expat

from ingestkit_excel.workbook import CellRange

__all__ = ["RawCell", "RawRow", "SheetScanner", "UnsafeXml", "parse_range", "stream_rows"]

_BLOCK_BYTES: Final = 1 << 16  # one read of a typical inflate window's worth
_ROW_MAX: Final = 1_048_576  # limits of the file format
_COLUMN_MAX: Final = 16_384
_CONTENT: Final = frozenset(("v", "f", "t"))
_REFERENCE: Final = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")


class UnsafeXml(ValueError):
    """The part declares a document type, which no spreadsheet program writes."""


class RawCell(NamedTuple):
    """One cell as written; ``text`` is the cached value and ``None`` where there is none."""

    column: int
    type: str
    style: int
    text: str | None
    formula: str | None


RawRow = tuple[int, list[RawCell]]


class ByteSource(Protocol):
    """What can be read in blocks."""

    def read(self, size: int, /) -> bytes:
        """Give up to ``size`` bytes; none at the end."""
        ...


class _LocalNames(dict[str, str]):
    def __missing__(self, name: str) -> str:
        local = self[name] = name.rpartition(":")[2]
        return local


class _Columns(dict[str, int]):
    """Column numbers by their letters, worked out once each: most of a scan is references."""

    def __missing__(self, letters: str) -> int:
        if letters[-1:].isdigit():
            raise ValueError("a cell names another row than its own")
        column = self[letters] = parse_reference(letters + "1")[1]
        return column


def parse_reference(reference: str) -> tuple[int, int]:
    """Give row and column of a reference such as ``B4``.

    Raises:
        ValueError: It is none.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError("a cell reference is malformed")
    column = 0
    for letter in match[1].upper():
        column = column * 26 + ord(letter) - 64
    row = int(match[2])
    if not (1 <= row <= _ROW_MAX and column <= _COLUMN_MAX):
        raise ValueError("a cell lies outside the grid")
    return row, column


def parse_range(reference: str) -> CellRange:
    """Give the rectangle of a reference such as ``B4:H27`` or ``B4``."""
    start, _, end = reference.partition(":")
    top, left = parse_reference(start)
    bottom, right = parse_reference(end or start)
    return CellRange(min(top, bottom), min(left, right), max(top, bottom), max(left, right))


class SheetScanner:
    """Push parser of a worksheet part: feed it bytes, take whole rows.

    ``merges``, ``hidden_rows`` and ``hidden_columns`` are complete once all has been fed.
    """

    def __init__(self) -> None:
        self.merges: list[CellRange] = []
        self.hidden_rows: set[int] = set()
        self.hidden_columns: set[int] = set()
        self.formulas = 0
        self.touched_row = self.touched_column = 0
        """Bottom right of all cells with any content, be it an empty text."""
        self._rows: list[RawRow] = []
        self._cells: list[RawCell] = []
        self._row = self._column = 0
        self._row_text = ""
        self._columns = _Columns()
        self._type = "n"
        self._style = 0
        self._value: str | None = None
        self._formula: str | None = None
        self._shared: str | None = None
        self._masters: dict[str, tuple[str, str]] = {}
        self._phonetic = False
        self._inside_cell = False
        self._pieces: list[str] = []
        self._take_piece = self._pieces.append
        self._names = _LocalNames()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, block: bytes, *, final: bool = False) -> None:
        """Parse some more bytes.

        Raises:
            expat.ExpatError: The part is not well formed.
            ValueError: A reference is malformed or a document type is declared.
        """
        self._parser.Parse(block, final)

    def take_rows(self) -> list[RawRow]:
        """Give the rows completed since the last call; rows without cells are left out."""
        rows, self._rows = self._rows, []
        return rows

    def _refuse_doctype(self, *_: object) -> None:
        raise UnsafeXml("the part declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = self._names[name]
        if local == "c":
            self._start_cell(attributes)
        elif local in _CONTENT and self._inside_cell:
            if local == "f":
                self._shared = attributes.get("si") if attributes.get("t") == "shared" else None
            self._pieces.clear()
            self._parser.CharacterDataHandler = self._take_piece
        elif local == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._row_text = str(self._row)
            if not 1 <= self._row <= _ROW_MAX:
                raise ValueError("a row lies outside the grid")
            self._column = 0
            self._cells = []
            if attributes.get("hidden") in {"1", "true"}:
                self.hidden_rows.add(self._row)
        elif local == "rPh":
            self._phonetic = True
        elif local == "mergeCell":
            self.merges.append(parse_range(attributes["ref"]))
        elif local == "col" and attributes.get("hidden") in {"1", "true"}:
            last = min(int(attributes["max"]), _COLUMN_MAX)
            self.hidden_columns.update(range(int(attributes["min"]), last + 1))

    def _start_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        if reference:
            if not reference.endswith(self._row_text):
                raise ValueError("a cell names another row than its own")
            self._column = self._columns[reference[: -len(self._row_text)]]
        else:
            self._column += 1
        self._type = attributes.get("t", "n")
        self._style = int(attributes.get("s") or 0)
        self._value = self._formula = self._shared = None
        self._inside_cell = True

    def _end(self, name: str) -> None:
        local = self._names[name]
        if local == "c":
            self._end_cell()
        elif local in _CONTENT and self._inside_cell:
            self._parser.CharacterDataHandler = None
            pieces = self._pieces
            text = pieces[0] if len(pieces) == 1 else "".join(pieces)
            if local == "v":
                self._value = text
            elif local == "f":
                self._formula = self._resolve_formula(text)
            elif not self._phonetic:
                self._value = (self._value or "") + text
        elif local == "rPh":
            self._phonetic = False
        elif local == "row" and self._cells:
            self._rows.append((self._row, self._cells))
            self._cells = []

    def _end_cell(self) -> None:
        self._inside_cell = False
        if self._formula is None and self._value is None:
            return
        if self._row > self.touched_row:
            self.touched_row = self._row
        if self._column > self.touched_column:
            self.touched_column = self._column
        if self._formula is not None:
            self.formulas += 1
            if self._value == "" and self._type not in {"str", "s", "inlineStr"}:
                self._value = None  # an empty value of a number: written by who cannot calculate
        elif not self._value:
            return
        cell = RawCell(self._column, self._type, self._style, self._value, self._formula)
        self._cells.append(cell)

    def _resolve_formula(self, text: str) -> str:
        if self._shared is None:
            return "=" + text
        here = f"{_letters(self._column)}{self._row}"
        if text:
            self._masters[self._shared] = (text, here)
            return "=" + text
        master = self._masters.get(self._shared)
        return "=" if master is None else _translate(*master, here)


def _letters(column: int) -> str:
    return CellRange(1, column, 1, column).a1[:-1]


def _translate(formula: str, origin: str, destination: str) -> str:
    from openpyxl.formula.translate import Translator, TranslatorError

    try:
        return str(Translator("=" + formula, origin=origin).translate_formula(destination))
    except (TranslatorError, ValueError, IndexError):
        return "=" + formula


def stream_rows(stream: ByteSource, scanner: SheetScanner) -> Iterator[RawRow]:
    """Yield the rows of a worksheet part in file order, holding one block of it at a time."""
    while block := stream.read(_BLOCK_BYTES):
        scanner.feed(block)
        yield from scanner.take_rows()
    scanner.feed(b"", final=True)
    yield from scanner.take_rows()
