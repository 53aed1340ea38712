"""Values that cross a boundary: profiles, regions, chunks, tables, results, jobs, outcomes."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingestkit_excel.errors import IngestError

__all__ = [
    "ChunkMetadata",
    "ChunkPayload",
    "ClassificationResult",
    "ClassificationStageResult",
    "ClassificationTier",
    "ColumnType",
    "EmbedStageResult",
    "FileProfile",
    "FileType",
    "IngestKey",
    "IngestionMethod",
    "ParseStageResult",
    "ParserUsed",
    "ProcessingResult",
    "RegionType",
    "SheetProfile",
    "SheetRegion",
    "TableColumn",
    "TableData",
    "WrittenArtifacts",
]


class FileType(StrEnum):
    """What a sheet or a workbook is."""

    TABULAR_DATA = "tabular_data"
    FORMATTED_DOCUMENT = "formatted_document"
    HYBRID = "hybrid"


class ClassificationTier(StrEnum):
    """Who decided."""

    RULE_BASED = "rule_based"
    LLM_BASIC = "llm_basic"
    LLM_REASONING = "llm_reasoning"


class IngestionMethod(StrEnum):
    """How content was turned into artifacts."""

    SQL_AGENT = "sql_agent"
    TEXT_SERIALIZATION = "text_serialization"
    HYBRID_SPLIT = "hybrid_split"


class RegionType(StrEnum):
    """What a rectangle of a sheet is."""

    DATA_TABLE = "data_table"
    TEXT_BLOCK = "text_block"
    HEADER_BLOCK = "header_block"
    FOOTER_BLOCK = "footer_block"
    MATRIX_BLOCK = "matrix_block"
    CHART_ONLY = "chart_only"
    EMPTY = "empty"


class ParserUsed(StrEnum):
    """Which engine read a sheet; ``pandas_fallback`` stands in old records only."""

    OPENPYXL = "openpyxl"
    CALAMINE = "calamine"
    RAW_TEXT_FALLBACK = "raw_text_fallback"
    PANDAS_FALLBACK = "pandas_fallback"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestKey(_Value):
    """The identity of one version of a workbook."""

    content_hash: str
    source_uri: str
    parser_version: str
    tenant_id: str | None = None

    @property
    def key(self) -> str:
        """SHA-256 in hex of the parts joined by ``|``; the tenant takes part only when set."""
        parts = [self.content_hash, self.source_uri, self.parser_version]
        if self.tenant_id is not None:
            parts.append(self.tenant_id)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


class ParseStageResult(_Value):
    """What reading the workbook gave."""

    parser_used: ParserUsed
    fallback_reason_code: str | None = None
    sheets_parsed: int
    sheets_skipped: int
    skipped_reasons: dict[str, str] = Field(default_factory=dict)
    parse_duration_seconds: float


class ClassificationStageResult(_Value):
    """What classification decided, with its evidence."""

    tier_used: ClassificationTier
    file_type: FileType
    confidence: float
    signals: dict[str, Any] | None = None
    reasoning: str
    per_sheet_types: dict[str, FileType] | None = None
    classification_duration_seconds: float


class EmbedStageResult(_Value):
    """What the embedder was asked for."""

    texts_embedded: int
    embedding_dimension: int
    embed_duration_seconds: float


class SheetProfile(_Value):
    """Counts and samples of one sheet, on which classification rests."""

    name: str
    row_count: int
    col_count: int
    merged_cell_count: int
    merged_cell_ratio: float
    header_row_detected: bool
    header_row_index: int | None = None
    """1-based row number in the sheet."""
    header_values: list[str] = Field(default_factory=list)
    column_type_consistency: float
    numeric_ratio: float
    text_ratio: float
    empty_ratio: float
    sample_rows: list[list[str]] = Field(default_factory=list)
    has_formulas: bool
    is_hidden: bool
    parser_used: ParserUsed
    table_count: int = 0
    """Runs of rows that look like a table of their own."""
    table_row_count: int = 0
    """Rows of these tables, their headers included."""
    prose_char_count: int = 0
    """Characters of the rows that hold a single cell of prose."""
    prose_ratio: float = 0.0
    """Their share of all characters on the sheet."""


class FileProfile(_Value):
    """The profiles of all sheets of a workbook."""

    file_path: str
    file_size_bytes: int
    sheet_count: int
    sheet_names: list[str]
    sheets: list[SheetProfile]
    has_password_protected_sheets: bool
    has_chart_only_sheets: bool
    total_merged_cells: int
    total_rows: int
    content_hash: str


class ClassificationResult(_Value):
    """The verdict on a workbook."""

    file_type: FileType
    confidence: float
    tier_used: ClassificationTier
    reasoning: str
    per_sheet_types: dict[str, FileType] | None = None
    signals: dict[str, Any] | None = None


class ChunkMetadata(_Value):
    """Where a chunk came from."""

    source_uri: str
    source_format: str = "xlsx"
    sheet_name: str
    region_id: str | None = None
    ingestion_method: IngestionMethod
    parser_used: ParserUsed
    parser_version: str
    chunk_index: int
    chunk_hash: str
    ingest_key: str
    ingest_run_id: str
    tenant_id: str | None = None
    table_name: str | None = None
    db_uri: str | None = None
    row_count: int | None = None
    columns: list[str] | None = None
    section_title: str | None = None
    original_structure: Literal["table", "checklist", "matrix", "free_text"] | None = None
    cell_range: str | None = None
    is_hidden: bool = False


class ChunkPayload(_Value):
    """One retrievable piece of text with its vector."""

    id: str
    text: str
    vector: list[float]
    metadata: ChunkMetadata


class SheetRegion(_Value):
    """A rectangle of a sheet with its type; rows and columns are 1-based, ends included."""

    sheet_name: str
    region_id: str
    start_row: int
    end_row: int
    start_col: int
    end_col: int
    region_type: RegionType
    detection_confidence: float
    classified_as: FileType | None = None


class WrittenArtifacts(_Value):
    """What a run left in the stores."""

    vector_point_ids: list[str] = Field(default_factory=list)
    vector_collection: str | None = None
    db_table_names: list[str] = Field(default_factory=list)


class ProcessingResult(_Value):
    """All that happened to one workbook."""

    file_path: str
    ingest_key: str
    ingest_run_id: str
    tenant_id: str | None = None
    parse_result: ParseStageResult | None = None
    classification_result: ClassificationStageResult | None = None
    embed_result: EmbedStageResult | None = None
    classification: ClassificationResult | None = None
    ingestion_method: IngestionMethod | None = None
    chunks_created: int = 0
    tables_created: int = 0
    tables: list[str] = Field(default_factory=list)
    written: WrittenArtifacts = Field(default_factory=WrittenArtifacts)
    errors: list[str] = Field(default_factory=list)
    """Values of `ErrorCode`, one for each entry of ``error_details`` that is an error."""
    warnings: list[str] = Field(default_factory=list)
    error_details: list[IngestError] = Field(default_factory=list)
    processing_time_seconds: float = 0.0


class ColumnType(StrEnum):
    """Types a column can have in a structured store."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"


class TableColumn(_Value):
    """One column: its clean, unique name, the header as written, and its type."""

    name: str
    header: str
    type: ColumnType


TableValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class TableData:
    """A table ready for a structured store.

    ``read_rows`` may be called again and yields tuples as long as ``columns``; dates and times
    are ISO 8601 text.
    """

    columns: Sequence[TableColumn]
    read_rows: Callable[[], Iterator[tuple[TableValue, ...]]]
