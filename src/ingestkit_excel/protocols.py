"""What we ask of stores, LLMs, embedders and of a place to run; method signatures only."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ChunkPayload, ProcessingResult, TableData

__all__ = [
    "EmbeddingBackend",
    "ExecutionBackend",
    "IngestSessions",
    "LLMBackend",
    "StructuredDBBackend",
    "VectorStoreBackend",
]


@runtime_checkable
class VectorStoreBackend(Protocol):
    """Keeps chunks with their vectors."""

    def upsert_chunks(self, collection: str, chunks: Sequence[ChunkPayload]) -> int:
        """Insert or replace chunks by id; give how many were written."""
        ...

    def ensure_collection(self, collection: str, vector_size: int) -> None:
        """Create the collection unless it exists."""
        ...

    def create_payload_index(self, collection: str, field: str, field_type: str) -> None:
        """Make a metadata field fast to filter by."""
        ...

    def delete_by_ids(self, collection: str, ids: Sequence[str]) -> int:
        """Delete chunks; give how many were there."""
        ...


@runtime_checkable
class StructuredDBBackend(Protocol):
    """Keeps tables."""

    def create_table(self, table_name: str, table: TableData) -> None:
        """Create the table with its rows, replacing one of that name."""
        ...

    def drop_table(self, table_name: str) -> None:
        """Drop the table if it exists."""
        ...

    def table_exists(self, table_name: str) -> bool:
        """Whether there is such a table."""
        ...

    def get_table_schema(self, table_name: str) -> dict[str, Any]:
        """Give column names and their types."""
        ...

    def get_connection_uri(self) -> str:
        """Give a URI without credentials under which the tables are reached."""
        ...


@runtime_checkable
class IngestSessions(Protocol):
    """Optional capability of a store: all of one workbook becomes visible at once or not at all.

    Committing a session replaces what an older version of the same ``source_uri`` had written.
    An exception inside the context discards everything.
    """

    def ingest_session(self, ingest_key: str, source_uri: str) -> AbstractContextManager[None]:
        """Open a session; chunks and tables written inside it belong to it."""
        ...


@runtime_checkable
class LLMBackend(Protocol):
    """Answers prompts."""

    def classify(
        self, prompt: str, model: str, temperature: float = 0.1, timeout: float | None = None
    ) -> dict[str, Any]:
        """Give the model's answer as parsed JSON."""
        ...

    def generate(
        self, prompt: str, model: str, temperature: float = 0.7, timeout: float | None = None
    ) -> str:
        """Give the model's answer as text."""
        ...


@runtime_checkable
class EmbeddingBackend(Protocol):
    """Turns texts into vectors."""

    def embed(self, texts: Sequence[str], timeout: float | None = None) -> list[list[float]]:
        """Give one vector of `dimension` floats for each text, in order."""
        ...

    def dimension(self) -> int:
        """Length of the vectors."""
        ...


@runtime_checkable
class ExecutionBackend(Protocol):
    """Decides where a workbook is processed."""

    def submit(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None = None
    ) -> str:
        """Accept a workbook; give the id of its job.

        Raises:
            ExecutionError: ``E_EXECUTION_SUBMIT``: it was not accepted and nothing was kept.
        """
        ...

    def get_result(self, job_id: str, timeout: float | None = None) -> ProcessingResult:
        """Wait up to ``timeout`` seconds (``None``: without limit) for the job's result.

        Raises:
            ExecutionError: ``E_EXECUTION_TIMEOUT`` (the job still exists, ask again),
                ``E_EXECUTION_NOT_FOUND``, ``E_EXECUTION_RESULT_LOST`` or
                ``E_EXECUTION_CANCELLED``.
        """
        ...
