"""What stands on a sheet beside its table: prose, and further tables. One pass, bounded memory.

A lone text in a row, long or ending like a sentence, is prose. Rows of several cells that follow
each other are a table when the first holds labels and the others columns or values.
"""

from collections.abc import Sequence
from typing import Final

from ingestkit_excel.workbook import Cell, CellKind

__all__ = ["SheetLayout"]

_PROSE_CHARS_MIN: Final = 40  # shorter lines are titles, group names and sources
_PARAGRAPH_CHARS_MIN: Final = 120  # so long a text is prose however it ends
_SENTENCE_ENDS: Final = (".", "!", "?", ".)", "。", "！", "？")
_LABEL_CHARS_MAX: Final = 120  # longer texts name no column
_YEARS: Final = range(1900, 2101)
_ROWS_MIN: Final = 3  # a row of labels over two of values
_SAMPLE_ROWS: Final = 20  # whether a table holds values shows in its first rows


class SheetLayout:
    """Counts of prose and of tables; `finish` ends the last table."""

    def __init__(self) -> None:
        self.prose_chars = 0
        self.table_count = 0
        self.table_rows = 0
        self._first: list[Cell] = []
        self._rows = self._typed = 0
        self._width = 0

    def add(self, cells: Sequence[Cell]) -> None:
        """Take the filled cells of the next row into account."""
        if len(cells) < 2:
            self.finish()
            if cells and _is_prose(cells[0]):
                self.prose_chars += len(cells[0].text)
            return
        if not self._rows:
            self._first = list(cells)
        elif self._rows <= _SAMPLE_ROWS:
            self._width = max(self._width, len(cells))
            self._typed += any(cell.kind is not CellKind.TEXT for cell in cells)
        self._rows += 1

    def finish(self) -> None:
        """End the rows that follow each other, and count them if they are a table."""
        if self._rows >= _ROWS_MIN and self._is_table():
            self.table_count += 1
            self.table_rows += self._rows
        self._rows = self._typed = self._width = 0

    def _is_table(self) -> bool:
        if not _is_labels(self._first):
            return False
        sampled = min(self._rows - 1, _SAMPLE_ROWS)
        return self._width >= 3 or self._typed * 2 >= sampled


def _is_prose(cell: Cell) -> bool:
    if cell.kind is not CellKind.TEXT:
        return False
    text = cell.text.strip()
    if len(text) >= _PARAGRAPH_CHARS_MIN:
        return True
    return len(text) >= _PROSE_CHARS_MIN and text.endswith(_SENTENCE_ENDS)


def _is_labels(cells: Sequence[Cell]) -> bool:
    texts = [cell for cell in cells if cell.kind is CellKind.TEXT]
    if not texts or any(len(cell.text) > _LABEL_CHARS_MAX for cell in texts):
        return False
    others = [cell.value for cell in cells if cell.kind is not CellKind.TEXT]
    return all(value in _YEARS for value in others)
