"""Turns sheets into tables for a structured store and chunks of text."""

from ingestkit_excel.processors.dispatch import process_sheet
from ingestkit_excel.processors.output import (
    ChunkDraft,
    NamedTable,
    ProcessContext,
    SheetOutput,
)

__all__ = ["ChunkDraft", "NamedTable", "ProcessContext", "SheetOutput", "process_sheet"]
