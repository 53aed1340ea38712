"""What processing a sheet needs to know and what it gives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import IngestError
from ingestkit_excel.models import IngestionMethod, SheetRegion, TableData
from ingestkit_excel.processors.packing import Line
from ingestkit_excel.workbook import CellRange, Row, Sheet

__all__ = [
    "ChunkDraft",
    "NamedTable",
    "NumberedRow",
    "Placement",
    "ProcessContext",
    "SheetOutput",
    "Structure",
    "join_outputs",
    "rows_of",
]

Structure = Literal["table", "checklist", "matrix", "free_text"]
NumberedRow = tuple[int, Row]
"""A row number of the sheet and the cells of a range in that row."""


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What all sheets of one workbook share while they are processed."""

    config: ExcelProcessorConfig
    ingest_key: str
    workbook_name: str
    db_uri: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkDraft:
    """A chunk before it has an id and a vector; ``cells`` holds everything it tells of."""

    text: str
    cells: CellRange
    region_id: str | None
    ingestion_method: IngestionMethod
    section_title: str | None = None
    original_structure: Structure | None = None
    table_name: str | None = None
    row_count: int | None = None
    columns: tuple[str, ...] | None = None

    @property
    def cell_range(self) -> str:
        """The cells in A1 notation."""
        return self.cells.a1


@dataclass(frozen=True, slots=True)
class NamedTable:
    """A table with the name it gets in the store and the cells it came from."""

    name: str
    data: TableData
    cell_range: str
    region_id: str | None


@dataclass(frozen=True, slots=True)
class SheetOutput:
    """Everything one sheet, or one region of it, became."""

    tables: tuple[NamedTable, ...] = ()
    chunks: tuple[ChunkDraft, ...] = ()
    regions: tuple[SheetRegion, ...] = ()
    warnings: tuple[IngestError, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Which cells of a sheet are processed, under which region id and method.

    ``above`` and ``below`` are texts that stand around a table and belong to it; ``title`` names
    the section of a table that has no text above it.
    """

    region_id: str
    cells: CellRange
    method: IngestionMethod
    above: tuple[Line, ...] = ()
    below: tuple[Line, ...] = ()
    title: str | None = None


def rows_of(sheet: Sheet, cells: CellRange) -> Iterator[NumberedRow]:
    """Read the rows of a range one by one; ``cells`` lies inside the extent of the sheet.

    The rows belong to the sheet and must not be changed.
    """
    if sheet.extent is None:
        return
    skip = cells.top - sheet.extent.top
    start = cells.left - sheet.extent.left
    stop = start + cells.width
    rows = enumerate(islice(sheet.read_rows(), skip, skip + cells.height), cells.top)
    if cells.width == sheet.extent.width:
        yield from rows
        return
    for number, row in rows:
        yield number, row[start:stop]


def join_outputs(outputs: Sequence[SheetOutput]) -> SheetOutput:
    """Put the outputs of the regions of a sheet together, in their order."""
    return SheetOutput(
        tables=tuple(table for output in outputs for table in output.tables),
        chunks=tuple(chunk for output in outputs for chunk in output.chunks),
        regions=tuple(region for output in outputs for region in output.regions),
        warnings=tuple(warning for output in outputs for warning in output.warnings),
    )
