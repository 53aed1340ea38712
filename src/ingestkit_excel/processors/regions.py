"""Pure geometry: splits a grid of cells into rectangles of related content.

The grid is cut at rows that are wholly blank, then at columns that are, and so on inside each
part. Merged blocks count as filled. Parts that only a gap in one table separated are joined
again, and a table that starts right under another is cut off where the types change.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ingestkit_excel.processors.headers import is_header_like
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row

__all__ = ["split_regions"]

_DEPTH_MAX: Final = 20  # nested cuts; real sheets need three
_TEXT_KINDS = frozenset({CellKind.TEXT, CellKind.FORMULA, CellKind.ERROR})


def split_regions(
    rows: Sequence[Row], extent: CellRange, merges: Iterable[CellRange] = ()
) -> list[CellRange]:
    """Give disjoint rectangles that together hold every cell, in reading order.

    Args:
        rows: The cells of ``extent``, row by row.
    """
    grid = _Grid(rows, extent, merges)
    regions = _cut(grid, extent, _DEPTH_MAX)
    pieces = [piece for region in regions for piece in _cut_at_headers(grid, region)]
    return sorted(pieces, key=lambda piece: (piece.top, piece.left))


class _Grid:
    """Cells by their sheet coordinates, and for each row one bit per filled column."""

    def __init__(self, rows: Sequence[Row], extent: CellRange, merges: Iterable[CellRange]) -> None:
        self._rows = rows
        self._extent = extent
        self._masks = [
            sum(1 << index for index, cell in enumerate(row) if cell is not None) for row in rows
        ]
        for merge in merges:
            if extent.contains(merge.top, merge.left):
                self._fill(merge)

    def row(self, number: int, region: CellRange) -> Row:
        start = region.left - self._extent.left
        return self._rows[number - self._extent.top][start : start + region.width]

    def mask(self, number: int, region: CellRange) -> int:
        shifted = self._masks[number - self._extent.top] >> (region.left - self._extent.left)
        return shifted & ((1 << region.width) - 1)

    def _fill(self, merge: CellRange) -> None:
        left = merge.left - self._extent.left
        bits = ((1 << merge.width) - 1) << left
        for number in range(merge.top, min(merge.bottom, self._extent.bottom) + 1):
            if number - self._extent.top < len(self._masks):
                self._masks[number - self._extent.top] |= bits


def _cut(grid: _Grid, region: CellRange, depth: int) -> Iterator[CellRange]:
    # Bands are joined before they are cut into strips: no other part stands beside a band, so a
    # joined one cannot overlap any.
    bands = _join_gaps(grid, [_trim(grid, band) for band in _bands(grid, region)])
    if depth == 0:
        yield from bands
        return
    for band in bands:
        strips = [_trim(grid, strip) for strip in _strips(grid, band)]
        if len(strips) == 1 or not all(_is_block(strip) for strip in strips):
            yield band
            continue
        for strip in strips:
            yield from _cut(grid, strip, depth - 1)


def _is_block(region: CellRange) -> bool:
    # A single column beside a gap is the label or value of a form, not a table of its own.
    return region.width >= 2 and region.height >= 2


def _bands(grid: _Grid, region: CellRange) -> Iterator[CellRange]:
    start: int | None = None
    for number in range(region.top, region.bottom + 1):
        if grid.mask(number, region):
            start = number if start is None else start
        elif start is not None:
            yield region._replace(top=start, bottom=number - 1)
            start = None
    if start is not None:
        yield region._replace(top=start)


def _strips(grid: _Grid, region: CellRange) -> Iterator[CellRange]:
    used = 0
    for number in range(region.top, region.bottom + 1):
        used |= grid.mask(number, region)
    start: int | None = None
    for index in range(region.width + 1):
        if used >> index & 1:
            start = index if start is None else start
        elif start is not None:
            yield region._replace(left=region.left + start, right=region.left + index - 1)
            start = None


def _trim(grid: _Grid, region: CellRange) -> CellRange:
    numbers = [n for n in range(region.top, region.bottom + 1) if grid.mask(n, region)]
    used = 0
    for number in numbers:
        used |= grid.mask(number, region)
    first = (used & -used).bit_length() - 1
    return CellRange(
        numbers[0], region.left + first, numbers[-1], region.left + used.bit_length() - 1
    )


def _join_gaps(grid: _Grid, bands: Sequence[CellRange]) -> list[CellRange]:
    joined: list[CellRange] = []
    for band in bands:
        above = joined[-1] if joined else None
        if above is not None and _continues(grid, above, band):
            joined[-1] = above._replace(bottom=band.bottom)
        else:
            joined.append(band)
    return joined


def _continues(grid: _Grid, above: CellRange, below: CellRange) -> bool:
    if below.top - above.bottom != 2 or above.width < 2 or above.height < 2:
        return False
    if below.left < above.left or below.right > above.right:
        return False
    last = grid.row(above.bottom, above)
    first = grid.row(below.top, above)
    if len(first) - first.count(None) < 2:
        return False
    shared = [(a, b) for a, b in zip(last, first, strict=True) if a and b]
    if not shared or any(_is_text(a) != _is_text(b) for a, b in shared):
        return False
    return any(not _is_text(a) for a, _ in shared) or all(a.bold == b.bold for a, b in shared)


def _cut_at_headers(grid: _Grid, region: CellRange) -> Iterator[CellRange]:
    """Cut a region above each row of labels whose columns hold other types above and below."""
    top = region.top
    for number in range(region.top + 2, region.bottom):
        if number - top >= 2 and _starts_table(grid, region, number):
            yield _trim(grid, region._replace(top=top, bottom=number - 1))
            top = number
    yield _trim(grid, region._replace(top=top))


def _starts_table(grid: _Grid, region: CellRange, number: int) -> bool:
    row = grid.row(number, region)
    if len(row) - row.count(None) < 2 or not all(_is_text(cell) for cell in row if cell):
        return False
    above, below = grid.row(number - 1, region), grid.row(number + 1, region)
    changes = [
        not _is_text(a) and not _is_text(b)
        for a, cell, b in zip(above, row, below, strict=True)
        if a and cell and b
    ]
    return sum(changes) * 2 >= max(2, len(changes)) and is_header_like(row)


def _is_text(cell: Cell) -> bool:
    return cell.kind in _TEXT_KINDS
