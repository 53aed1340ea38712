"""Gives a sheet to the processor that its type asks for."""

from ingestkit_excel.models import FileType, IngestionMethod, RegionType, SheetRegion
from ingestkit_excel.processors.documents import process_document
from ingestkit_excel.processors.hybrid import process_hybrid
from ingestkit_excel.processors.output import Placement, ProcessContext, SheetOutput
from ingestkit_excel.processors.tables import process_table
from ingestkit_excel.workbook import CellRange, Sheet

__all__ = ["process_sheet"]

_METHODS = {
    FileType.TABULAR_DATA: IngestionMethod.SQL_AGENT,
    FileType.FORMATTED_DOCUMENT: IngestionMethod.TEXT_SERIALIZATION,
    FileType.HYBRID: IngestionMethod.HYBRID_SPLIT,
}
_REGION_ID = "r1"


def process_sheet(sheet: Sheet, file_type: FileType, context: ProcessContext) -> SheetOutput:
    """Turn a sheet into tables and chunks.

    A tabular sheet is split too, since tables may stand below or beside each other. A streamed
    sheet is never split, for that needs all its cells in memory: it becomes one table.
    """
    if sheet.extent is None:
        return SheetOutput()
    if sheet.streamed:
        return _whole(sheet, sheet.extent, context, FileType.TABULAR_DATA)
    if file_type is FileType.FORMATTED_DOCUMENT:
        return _whole(sheet, sheet.extent, context, file_type)
    return process_hybrid(
        sheet,
        context,
        method=_METHODS[file_type],
        prefers_tables=file_type is FileType.TABULAR_DATA,
    )


def _whole(
    sheet: Sheet, cells: CellRange, context: ProcessContext, file_type: FileType
) -> SheetOutput:
    place = Placement(_REGION_ID, cells, _METHODS[file_type])
    is_table = file_type is FileType.TABULAR_DATA
    output = (process_table if is_table else process_document)(sheet, place, context)
    region = SheetRegion(
        sheet_name=sheet.name,
        region_id=_REGION_ID,
        start_row=cells.top,
        end_row=cells.bottom,
        start_col=cells.left,
        end_col=cells.right,
        region_type=RegionType.DATA_TABLE if is_table else RegionType.TEXT_BLOCK,
        detection_confidence=1.0,
        classified_as=file_type,
    )
    return SheetOutput(output.tables, output.chunks, (region,), output.warnings)
