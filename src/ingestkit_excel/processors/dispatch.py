"""Gives a sheet to the processor that its type asks for."""

from dataclasses import replace

from ingestkit_excel.models import FileType, IngestionMethod, RegionType, SheetRegion
from ingestkit_excel.processors.documents import process_document
from ingestkit_excel.processors.hybrid import process_hybrid
from ingestkit_excel.processors.output import Placement, ProcessContext, SheetOutput, join_outputs
from ingestkit_excel.processors.tables import COLUMNS_MAX, process_table
from ingestkit_excel.workbook import CellRange, Sheet

__all__ = ["process_sheet"]

_METHODS = {
    FileType.TABULAR_DATA: IngestionMethod.SQL_AGENT,
    FileType.FORMATTED_DOCUMENT: IngestionMethod.TEXT_SERIALIZATION,
    FileType.HYBRID: IngestionMethod.HYBRID_SPLIT,
}


def process_sheet(sheet: Sheet, file_type: FileType, context: ProcessContext) -> SheetOutput:
    """Turn a sheet into tables and chunks.

    A tabular sheet is split too, since tables may stand below or beside each other. A streamed
    sheet is never split by content, for that needs all its cells in memory: it becomes one table,
    or several beside each other where a database does not take so many columns.
    """
    if sheet.extent is None:
        return SheetOutput()
    if sheet.streamed:
        return _streamed(sheet, sheet.extent, context)
    if file_type is FileType.FORMATTED_DOCUMENT:
        place = Placement("r1", sheet.extent, _METHODS[file_type])
        return _with_region(process_document(sheet, place, context), sheet, place, file_type)
    return process_hybrid(
        sheet,
        context,
        method=_METHODS[file_type],
        prefers_tables=file_type is FileType.TABULAR_DATA,
    )


def _streamed(sheet: Sheet, extent: CellRange, context: ProcessContext) -> SheetOutput:
    outputs = []
    for index, left in enumerate(range(extent.left, extent.right + 1, COLUMNS_MAX), 1):
        cells = extent._replace(left=left, right=min(left + COLUMNS_MAX - 1, extent.right))
        place = Placement(f"r{index}", cells, _METHODS[FileType.TABULAR_DATA])
        output = process_table(sheet, place, context)
        outputs.append(_with_region(output, sheet, place, FileType.TABULAR_DATA))
    return join_outputs(outputs)


def _with_region(
    output: SheetOutput, sheet: Sheet, place: Placement, file_type: FileType
) -> SheetOutput:
    is_table = file_type is FileType.TABULAR_DATA
    region = SheetRegion(
        sheet_name=sheet.name,
        region_id=place.region_id,
        start_row=place.cells.top,
        end_row=place.cells.bottom,
        start_col=place.cells.left,
        end_col=place.cells.right,
        region_type=RegionType.DATA_TABLE if is_table else RegionType.TEXT_BLOCK,
        detection_confidence=1.0,
        classified_as=file_type,
    )
    return replace(output, regions=(region,))
