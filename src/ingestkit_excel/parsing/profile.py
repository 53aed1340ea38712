"""Counts and samples of each sheet, in one pass, on which classification rests."""

from collections import Counter
from typing import Final

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.models import FileProfile, SheetProfile
from ingestkit_excel.parsing.layout import SheetLayout
from ingestkit_excel.workbook import CellKind, Row, Sheet, Workbook

__all__ = ["profile_workbook"]

_HEADER_SEARCH_ROWS: Final = 20  # titles and notes above a table rarely take more
_HEADER_TEXT_MAX: Final = 200  # a longer text is a paragraph, no column name

_NUMERIC: Final = frozenset((CellKind.NUMBER, CellKind.PERCENT, CellKind.CURRENCY))
_MOMENTS: Final = frozenset((CellKind.DATE, CellKind.DATETIME, CellKind.TIME, CellKind.DURATION))


def profile_workbook(workbook: Workbook, config: ExcelProcessorConfig) -> FileProfile:
    """Profile every sheet that was read; each is passed over once."""
    sheets = [_profile_sheet(sheet, config) for sheet in workbook.sheets]
    reasons = set(workbook.skipped.values())
    return FileProfile(
        file_path=workbook.path,
        file_size_bytes=workbook.size_bytes,
        sheet_count=len(workbook.sheet_names),
        sheet_names=list(workbook.sheet_names),
        sheets=sheets,
        has_password_protected_sheets=ErrorCode.W_SHEET_SKIPPED_PASSWORD.value in reasons,
        has_chart_only_sheets=ErrorCode.W_SHEET_SKIPPED_CHART.value in reasons,
        total_merged_cells=sum(sheet.merged_cell_count for sheet in sheets),
        total_rows=sum(sheet.row_count for sheet in sheets),
        content_hash=workbook.content_hash,
    )


class _Counts:
    """Running counts of one sheet."""

    def __init__(self, width: int, samples_max: int) -> None:
        self.head: list[Row] = []
        self.chars = 0
        self.layout = SheetLayout()
        self._kinds: list[dict[CellKind, int]] = [{} for _ in range(width)]
        self._head_max = _HEADER_SEARCH_ROWS + 1 + samples_max

    def add(self, row: Row) -> None:
        """Take a row with cells into account."""
        if len(self.head) < self._head_max:
            self.head.append(row)
        cells = []
        for index, cell in enumerate(row):
            if cell is None:
                continue
            cells.append(cell)
            kinds = self._kinds[index]
            kinds[cell.kind] = kinds.get(cell.kind, 0) + 1
            self.chars += len(cell.text)
        self.layout.add(cells)

    def add_empty(self, row: Row) -> None:
        """Take a row without cells into account."""
        if len(self.head) < self._head_max:
            self.head.append(row)
        self.layout.finish()

    def columns(self) -> list[Counter[str]]:
        """Give for each column how many cells of each family it holds."""
        families: list[Counter[str]] = []
        for kinds in self._kinds:
            column: Counter[str] = Counter()
            for kind, count in kinds.items():
                column[_family(kind)] += count
            families.append(column)
        return families


def _family(kind: CellKind) -> str:
    if kind in _NUMERIC:
        return "number"
    if kind in _MOMENTS:
        return "moment"
    return "boolean" if kind is CellKind.BOOLEAN else "text"


def _profile_sheet(sheet: Sheet, config: ExcelProcessorConfig) -> SheetProfile:
    height = sheet.extent.height if sheet.extent else 0
    width = sheet.extent.width if sheet.extent else 0
    counts = _Counts(width, config.max_sample_rows)
    for row in sheet.read_rows():
        if any(row):
            counts.add(row)
        else:
            counts.add_empty(row)
    counts.layout.finish()
    columns = counts.columns()
    area = height * width
    header = _header_index(counts.head)
    merged = _merged_cells(sheet)
    totals = sum(columns, Counter[str]())
    filled = max(totals.total(), 1)
    return SheetProfile(
        name=sheet.name,
        row_count=height,
        col_count=width,
        merged_cell_count=merged,
        merged_cell_ratio=min(merged / area, 1.0) if area else 0.0,
        header_row_detected=header is not None,
        header_row_index=None if header is None else _top(sheet) + header,
        header_values=[] if header is None else _texts(counts.head[header]),
        column_type_consistency=_consistency(
            columns, [] if header is None else counts.head[: header + 1]
        ),
        numeric_ratio=totals["number"] / filled,
        text_ratio=totals["text"] / filled,
        empty_ratio=1 - totals.total() / area if area else 1.0,
        sample_rows=_samples(counts.head, header, config.max_sample_rows),
        has_formulas=sheet.has_formulas,
        is_hidden=sheet.is_hidden,
        parser_used=sheet.parser_used,
        table_count=counts.layout.table_count,
        table_row_count=counts.layout.table_rows,
        prose_char_count=counts.layout.prose_chars,
        prose_ratio=counts.layout.prose_chars / max(counts.chars, 1),
    )


def _top(sheet: Sheet) -> int:
    return sheet.extent.top if sheet.extent else 1


def _texts(row: Row) -> list[str]:
    return ["" if cell is None else cell.text for cell in row]


def _merged_cells(sheet: Sheet) -> int:
    """Count the cells inside merges that lie within the extent."""
    extent = sheet.extent
    if extent is None:
        return 0
    total = 0
    for merge in sheet.merges:
        height = min(merge.bottom, extent.bottom) - max(merge.top, extent.top) + 1
        width = min(merge.right, extent.right) - max(merge.left, extent.left) + 1
        total += max(height, 0) * max(width, 0)
    return total


def _header_index(head: list[Row]) -> int | None:
    """Find the first row of distinct short texts that is as wide as the rows below it.

    A single column has no header that could be told from a list, unless the cells below are
    no texts.
    """
    for index, row in enumerate(head[:_HEADER_SEARCH_ROWS]):
        below = [later for later in head[index + 1 : index + 6] if any(later)]
        if below and _is_header(row, below):
            return index
    return None


def _is_header(row: Row, below: list[Row]) -> bool:
    cells = [cell for cell in row if cell is not None]
    if not cells or any(cell.kind is not CellKind.TEXT for cell in cells):
        return False
    texts = [cell.text.strip().lower() for cell in cells]
    if len(set(texts)) < len(texts) or max(map(len, texts)) > _HEADER_TEXT_MAX:
        return False
    used = {i for later in below for i, cell in enumerate(later) if cell is not None}
    named = {i for i, cell in enumerate(row) if cell is not None}
    if len(named & used) < max(2, 0.6 * len(used)):
        return len(named) == 1 and used == named and not any(map(_all_text, below))
    return True


def _all_text(row: Row) -> bool:
    return all(cell.kind is CellKind.TEXT for cell in row if cell is not None)


def _consistency(columns: list[Counter[str]], skipped: list[Row]) -> float:
    """Average over the columns of the share of the commonest type, header and above left out."""
    shares = []
    for index, column in enumerate(columns):
        families = column.copy()
        for row in skipped:
            cell = row[index] if index < len(row) else None
            if cell is not None:
                families[_family(cell.kind)] -= 1
        total = families.total()
        if total > 0:
            shares.append(max(families.values()) / total)
    return sum(shares) / len(shares) if shares else 0.0


def _samples(head: list[Row], header: int | None, samples_max: int) -> list[list[str]]:
    start = 0 if header is None else header + 1
    rows = [row for row in head[start:] if any(row)]
    return [_texts(row) for row in rows[:samples_max]]
