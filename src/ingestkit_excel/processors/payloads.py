"""Gives the drafts of all sheets of a workbook their ids and metadata, in reading order."""

from collections.abc import Sequence

from ingestkit_excel.identity import chunk_id, text_hash
from ingestkit_excel.models import ChunkMetadata, ChunkPayload
from ingestkit_excel.processors.output import ChunkDraft, ProcessContext, SheetOutput
from ingestkit_excel.workbook import Sheet

__all__ = ["build_payloads"]


def build_payloads(
    outputs: Sequence[tuple[Sheet, SheetOutput]],
    context: ProcessContext,
    *,
    source_uri: str,
    run_id: str,
) -> list[ChunkPayload]:
    """Give the chunks of a workbook, without vectors; the same workbook gets the same ids."""
    drafts = [(sheet, draft) for sheet, output in outputs for draft in output.chunks]
    return [
        _payload(sheet, draft, context, index=index, origin=(source_uri, run_id))
        for index, (sheet, draft) in enumerate(drafts)
    ]


def _payload(
    sheet: Sheet, draft: ChunkDraft, context: ProcessContext, *, index: int, origin: tuple[str, str]
) -> ChunkPayload:
    digest = text_hash(draft.text)
    source_uri, run_id = origin
    metadata = ChunkMetadata(
        source_uri=source_uri,
        sheet_name=sheet.name,
        region_id=draft.region_id,
        ingestion_method=draft.ingestion_method,
        parser_used=sheet.parser_used,
        parser_version=context.config.parser_version,
        chunk_index=index,
        chunk_hash=digest,
        ingest_key=context.ingest_key,
        ingest_run_id=run_id,
        tenant_id=context.config.tenant_id,
        table_name=draft.table_name,
        db_uri=context.db_uri if draft.table_name else None,
        row_count=draft.row_count,
        columns=None if draft.columns is None else list(draft.columns),
        section_title=draft.section_title,
        original_structure=draft.original_structure,
        cell_range=draft.cell_range,
        is_hidden=sheet.is_hidden,
    )
    return ChunkPayload(
        id=chunk_id(context.ingest_key, digest, index),
        text=draft.text,
        vector=[],
        metadata=metadata,
    )
