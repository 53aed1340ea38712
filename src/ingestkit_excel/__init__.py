"""Turn Excel workbooks into SQL tables and text chunks."""

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError, IngestError, IngestKitError
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.protocols import (
    EmbeddingBackend,
    ExecutionBackend,
    LLMBackend,
    StructuredDBBackend,
    VectorStoreBackend,
)

__all__ = [
    "EmbeddingBackend",
    "ErrorCode",
    "ExcelProcessorConfig",
    "ExecutionBackend",
    "ExecutionError",
    "IngestError",
    "IngestKitError",
    "LLMBackend",
    "ProcessingResult",
    "StructuredDBBackend",
    "VectorStoreBackend",
]
