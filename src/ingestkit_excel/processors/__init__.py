"""Turns sheets into tables for a structured store and chunks of text."""

from ingestkit_excel.processors.dispatch import process_sheet
from ingestkit_excel.processors.output import (
    ChunkDraft,
    NamedTable,
    ProcessContext,
    SheetOutput,
)
from ingestkit_excel.processors.payloads import build_payloads

__all__ = [
    "ChunkDraft",
    "NamedTable",
    "ProcessContext",
    "SheetOutput",
    "build_payloads",
    "process_sheet",
]
