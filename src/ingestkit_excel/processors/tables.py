"""Turns a range of cells into a typed table, a description of its schema, and row sentences."""

from collections.abc import Iterator
from typing import Final

from ingestkit_excel.errors import ErrorCode, IngestError
from ingestkit_excel.models import TableData
from ingestkit_excel.processors.output import NamedTable, Placement, ProcessContext, SheetOutput
from ingestkit_excel.processors.table_layout import TableLayout, lay_out, read_values
from ingestkit_excel.processors.table_text import table_chunks
from ingestkit_excel.workbook import Sheet

__all__ = ["COLUMNS_MAX", "process_table"]

COLUMNS_MAX: Final = 1600  # what PostgreSQL takes; SQLite takes 2000

_STAGE: Final = "process"


def process_table(sheet: Sheet, place: Placement, context: ProcessContext) -> SheetOutput:
    """Give the table of a range with its chunks; a range without body rows gives text only."""
    layout = lay_out(sheet, place, context)
    chunks = tuple(table_chunks(layout, place, context))
    if layout.row_count == 0:
        return SheetOutput(chunks=chunks)
    data = TableData(columns=layout.columns, read_rows=lambda: read_values(layout))
    return SheetOutput(
        tables=(NamedTable(layout.name, data, place.cells.a1, place.region_id),),
        chunks=chunks,
        warnings=tuple(_truncation(layout, context)),
    )


def _truncation(layout: TableLayout, context: ProcessContext) -> Iterator[IngestError]:
    limit = context.config.row_serialization_limit
    if layout.row_count > limit:
        yield IngestError(
            code=ErrorCode.W_ROWS_TRUNCATED,
            message=(
                f"cannot write all {layout.row_count} rows of table {layout.name} as text: the "
                f"limit is {limit}; query the table, or raise row_serialization_limit"
            ),
            sheet_name=layout.sheet.name,
            stage=_STAGE,
            recoverable=True,
        )
