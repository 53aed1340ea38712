"""A workbook as the rest of the pipeline sees it: sheets of typed cells, whatever read them.

Rows and columns are numbered from 1, as in A1 notation (ECMA-376 part 1, 18.3.1.4).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from ingestkit_excel.errors import IngestError
from ingestkit_excel.models import ParserUsed

__all__ = ["Cell", "CellKind", "CellRange", "Row", "Scalar", "Sheet", "Visibility", "Workbook"]

Scalar = bool | int | float | str | datetime | date | time | timedelta


class CellKind(StrEnum):
    """What a cell holds, decided by its type and number format."""

    TEXT = "text"
    NUMBER = "number"
    PERCENT = "percent"
    CURRENCY = "currency"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    DURATION = "duration"
    BOOLEAN = "boolean"
    ERROR = "error"
    FORMULA = "formula"
    """A formula without a cached value: ``value`` and ``text`` are the formula itself."""


class Cell(NamedTuple):
    """One non-empty cell. An absent cell is ``None`` in its row, never an empty `Cell`."""

    value: Scalar
    """The typed value; for errors the literal, such as ``#N/A``."""
    text: str
    """The value as a person sees it; never empty."""
    kind: CellKind
    bold: bool = False
    formula: str | None = None
    """The formula with its leading ``=``, also where a cached value exists."""


Row = list[Cell | None]


class CellRange(NamedTuple):
    """A rectangle of cells, both ends included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def a1(self) -> str:
        """The range in A1 notation, such as ``B4:H27``; a single cell is ``B4``."""
        start = f"{column_letters(self.left)}{self.top}"
        end = f"{column_letters(self.right)}{self.bottom}"
        return start if start == end else f"{start}:{end}"

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top + 1

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left + 1

    def contains(self, row: int, column: int) -> bool:
        """Whether the cell lies inside."""
        return self.top <= row <= self.bottom and self.left <= column <= self.right

    def hull(self, other: "CellRange") -> "CellRange":
        """Give the smallest rectangle that holds both."""
        return CellRange(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


def column_letters(column: int) -> str:
    """Give the letters of a column number: 1 is ``A``, 27 is ``AA``."""
    letters = ""
    while column > 0:
        column, remainder = divmod(column - 1, 26)
        letters = chr(ord("A") + remainder) + letters
    return letters


class Visibility(StrEnum):
    """Sheet states of ECMA-376 part 1, 18.18.68."""

    VISIBLE = "visible"
    HIDDEN = "hidden"
    VERY_HIDDEN = "veryHidden"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One worksheet. ``extent`` is the bounding box of its non-empty cells, measured.

    ``read_rows`` may be called again and again; each call yields ``extent.height`` rows of
    ``extent.width`` cells, first row ``extent.top``, first column ``extent.left``. Rows of a
    ``streamed`` sheet are read from the file on each pass and must not be collected whole.
    """

    name: str
    extent: CellRange | None
    read_rows: Callable[[], Iterator[Row]]
    parser_used: ParserUsed
    visibility: Visibility = Visibility.VISIBLE
    merges: tuple[CellRange, ...] = ()
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    uncached_formulas: int = 0
    has_formulas: bool = False
    streamed: bool = False

    @property
    def is_hidden(self) -> bool:
        """Whether a person has to unhide the sheet to see it."""
        return self.visibility is not Visibility.VISIBLE


@dataclass(frozen=True, slots=True)
class Workbook:
    """Everything that was read from one file.

    ``skipped`` maps the names of sheets that yield no cells to the reason's code.
    """

    path: str
    content_hash: str
    size_bytes: int
    sheets: tuple[Sheet, ...]
    sheet_names: tuple[str, ...]
    parser_used: ParserUsed
    fallback_reason_code: str | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[IngestError, ...] = ()
