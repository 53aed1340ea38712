"""One worksheet of an OOXML package: measured first, then read by the engines in turn."""

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.models import ParserUsed
from ingestkit_excel.parsing.cells import build_row, has_content
from ingestkit_excel.parsing.limits import source_error
from ingestkit_excel.parsing.ooxml import PACKAGE_ERRORS, Package, SheetPart
from ingestkit_excel.parsing.readers import ReaderFailed, ValueReader, make_reader
from ingestkit_excel.parsing.sheet_xml import RawCell, RawRow, SheetScanner, stream_rows
from ingestkit_excel.workbook import CellRange, Row, Sheet

__all__ = ["Measured", "measure_sheet", "read_sheet"]

_DENSE_CELLS_MAX: Final = 10_000_000  # engines fill boxes; at 32 bytes a cell this is 320 MB
_BOX_CELLS_MAX: Final = 100_000_000  # beyond, walking the empty cells of a box takes minutes
_HELD_CELLS_MAX: Final = 40_000_000  # slots of held rows; at 8 bytes each this is 320 MB
_GAP_ROWS: Final = 1000  # a stray cell stands apart from the rest by more than this
_GAP_COLUMNS: Final = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """What one pass over a sheet found."""

    scanner: SheetScanner
    extent: CellRange | None
    cells: int
    uncached: int
    rows: list[RawRow] | None
    """The raw rows in order, or ``None`` when they are too many to keep."""
    rows_max: int
    is_cropped: bool

    @property
    def is_streamed(self) -> bool:
        """Whether a caller must not collect the rows, be most of them empty."""
        height = 0 if self.extent is None else self.extent.height
        width = 0 if self.extent is None else self.extent.width
        too_long = height > self.rows_max or height * width > _HELD_CELLS_MAX
        return self.rows is None or too_long

    @property
    def is_sparse(self) -> bool:
        """Whether an engine that fills the bounding box would waste memory and time."""
        box = self.scanner.touched_row * self.scanner.touched_column
        return box > _DENSE_CELLS_MAX and box > 20 * self.cells


def measure_sheet(package: Package, part: str, *, rows_max: int) -> Measured:
    """Read a sheet once for its extent, merges, hidden lines and formulas.

    Raises one of `PACKAGE_ERRORS` when the part is damaged.
    """
    scanner = SheetScanner()
    kept: list[RawRow] | None = []
    columns: dict[int, int] = {}
    row_numbers: list[int] = []
    cells = uncached = 0
    with package.archive.open(part) as stream:
        for number, raws in stream_rows(stream, scanner):
            seen = [raw for raw in raws if has_content(raw, package)]
            if not seen:
                continue
            row_numbers.append(number)
            cells += len(seen)
            uncached += sum(raw.text is None for raw in seen)
            for raw in seen:
                columns[raw.column] = columns.get(raw.column, 0) + 1
            if kept is not None:
                kept.append((number, seen))
                if len(kept) > rows_max or len(kept) * max(columns) > _HELD_CELLS_MAX:
                    kept = None
    if kept is not None:
        kept = _in_order(kept)
    elif row_numbers != sorted(set(row_numbers)):
        raise ValueError("rows are out of order in a sheet too long to sort")
    extent, is_cropped = _bounding_box(sorted(set(row_numbers)), sorted(columns))
    return Measured(scanner, extent, cells, uncached, kept, rows_max, is_cropped)


def read_sheet(
    path: str, package: Package, sheet: SheetPart, *, measured: Measured, reader: ValueReader
) -> Sheet:
    """Give the sheet as read by one engine; its rows are held unless they are too many.

    Raises:
        ReaderFailed: The engine gave up; another may succeed.
    """
    source = _RowSource(path, package, sheet, _known(measured.extent), reader.parser)
    read_rows = source.read_again
    if measured.rows is not None:
        read_rows = _Held(
            dict(source.join(measured.rows, reader.read_values(sheet.name, source.extent))),
            source.extent,
        ).read
    scanner = measured.scanner
    return Sheet(
        name=sheet.name,
        extent=source.extent,
        read_rows=read_rows,
        parser_used=reader.parser,
        visibility=sheet.visibility,
        merges=tuple(scanner.merges),
        hidden_rows=frozenset(scanner.hidden_rows),
        hidden_columns=frozenset(scanner.hidden_columns),
        uncached_formulas=measured.uncached,
        has_formulas=scanner.formulas > 0,
        streamed=measured.is_streamed,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    rows: dict[int, Row] = field(repr=False)
    extent: CellRange

    def read(self) -> Iterator[Row]:
        # One empty row stands for all, and no caller changes the rows it is given.
        empty: Row = [None] * self.extent.width
        held = self.rows.get
        for number in range(self.extent.top, self.extent.bottom + 1):
            yield held(number, empty)


@dataclass(frozen=True, slots=True)
class _RowSource:
    path: str
    package: Package
    sheet: SheetPart
    extent: CellRange
    parser: ParserUsed

    def join(
        self, raws: Iterable[RawRow], values: Iterator[Sequence[object]]
    ) -> Iterator[tuple[int, Row]]:
        """Join the raw rows with an engine's values, in lock step."""
        reached = self.extent.top - 1
        current: Sequence[object] = ()
        for number, cells in raws:
            if not self.extent.top <= number <= self.extent.bottom:
                continue
            while reached < number:
                current = next(values, ())
                reached += 1
            yield number, build_row(cells, self.package, extent=self.extent, values=current)

    def read_again(self) -> Iterator[Row]:
        """Read the sheet from the file once more.

        Raises:
            ParseError: The file cannot be read any longer as it was.
        """
        expected = self.extent.top
        for number, row in self._read_file():
            for _ in range(expected, number):
                yield [None] * self.extent.width
            yield row
            expected = number + 1
        for _ in range(expected, self.extent.bottom + 1):
            yield [None] * self.extent.width

    def _read_file(self) -> Iterator[tuple[int, Row]]:
        reader = make_reader(self.parser, self.path)
        try:
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(self.sheet.part or "") as stream,
            ):
                values = _until_failure(reader.read_values(self.sheet.name, self.extent))
                yield from self.join(stream_rows(stream, SheetScanner()), values)
        except OSError as error:
            raise source_error(self.path, error) from error
        except PACKAGE_ERRORS as error:
            cause = "it is no longer as it was when it was opened; submit it again"
            raise ParseError(
                ErrorCode.E_SOURCE_CHANGED, f"cannot read workbook {self.path}: {cause}"
            ) from error
        finally:
            reader.close()


def _until_failure(values: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
    """Stop where the engine gives up; from there on the raw cells speak for themselves."""
    try:
        yield from values
    except ReaderFailed:
        return


def _known(extent: CellRange | None) -> CellRange:
    if extent is None:
        raise AssertionError("a sheet without cells is skipped before it is read")
    return extent


def _in_order(rows: list[RawRow]) -> list[RawRow]:
    if all(earlier[0] < later[0] for earlier, later in pairwise(rows)):
        return rows
    joined: dict[int, list[RawCell]] = {}
    for number, cells in rows:
        joined.setdefault(number, []).extend(cells)
    return sorted(joined.items())


def _bounding_box(rows: list[int], columns: list[int]) -> tuple[CellRange | None, bool]:
    if not rows:
        return None, False
    box = CellRange(rows[0], columns[0], rows[-1], columns[-1])
    if box.height * box.width <= _BOX_CELLS_MAX:
        return box, False
    bottom = _before_gap(rows, _GAP_ROWS)
    right = _before_gap(columns, _GAP_COLUMNS)
    return CellRange(box.top, box.left, bottom, right), True


def _before_gap(numbers: list[int], gap: int) -> int:
    for earlier, later in pairwise(numbers):
        if later - earlier > gap:
            return earlier
    return numbers[-1]
