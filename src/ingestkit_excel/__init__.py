"""Turn Excel workbooks into SQL tables and text chunks."""

import logging

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import (
    BackendError,
    ClassificationError,
    ConfigurationError,
    ErrorCode,
    ExecutionError,
    IngestError,
    IngestKitError,
    ParseError,
    ProcessingError,
    SpoolError,
)
from ingestkit_excel.execution import DistributedExecutionBackend, LocalExecutionBackend
from ingestkit_excel.identity import compute_ingest_key
from ingestkit_excel.models import (
    ChunkMetadata,
    ChunkPayload,
    ClassificationResult,
    ClassificationStageResult,
    ClassificationTier,
    EmbedStageResult,
    FileProfile,
    FileType,
    IngestionMethod,
    IngestKey,
    ParserUsed,
    ParseStageResult,
    ProcessingResult,
    RegionType,
    SheetProfile,
    SheetRegion,
    TableData,
    WrittenArtifacts,
)
from ingestkit_excel.protocols import (
    EmbeddingBackend,
    ExecutionBackend,
    LLMBackend,
    StructuredDBBackend,
    VectorStoreBackend,
)
from ingestkit_excel.router import ExcelRouter, create_default_router

__all__ = [
    "BackendError",
    "ChunkMetadata",
    "ChunkPayload",
    "ClassificationError",
    "ClassificationResult",
    "ClassificationStageResult",
    "ClassificationTier",
    "ConfigurationError",
    "DistributedExecutionBackend",
    "EmbedStageResult",
    "EmbeddingBackend",
    "ErrorCode",
    "ExcelProcessorConfig",
    "ExcelRouter",
    "ExecutionBackend",
    "ExecutionError",
    "FileProfile",
    "FileType",
    "IngestError",
    "IngestKey",
    "IngestKitError",
    "IngestionMethod",
    "LLMBackend",
    "LocalExecutionBackend",
    "ParseError",
    "ParseStageResult",
    "ParserUsed",
    "ProcessingError",
    "ProcessingResult",
    "RegionType",
    "SheetProfile",
    "SheetRegion",
    "SpoolError",
    "StructuredDBBackend",
    "TableData",
    "VectorStoreBackend",
    "WrittenArtifacts",
    "compute_ingest_key",
    "create_default_router",
]

# Without a handler of the caller's, Python would print our log events on stderr.
logging.getLogger(__name__).addHandler(logging.NullHandler())
