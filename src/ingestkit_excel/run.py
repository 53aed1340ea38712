"""What is known of one run over a workbook, from its start to its result."""

import uuid
from dataclasses import dataclass, field

from ingestkit_excel.classification import Classification
from ingestkit_excel.clock import Clock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import IngestError
from ingestkit_excel.models import (
    ClassificationStageResult,
    FileType,
    IngestionMethod,
    IngestKey,
    ParseStageResult,
    ProcessingResult,
)
from ingestkit_excel.storing import Stored

__all__ = ["Run"]

_METHODS = {
    FileType.TABULAR_DATA: IngestionMethod.SQL_AGENT,
    FileType.FORMATTED_DOCUMENT: IngestionMethod.TEXT_SERIALIZATION,
    FileType.HYBRID: IngestionMethod.HYBRID_SPLIT,
}


@dataclass
class Run:
    """What is known of one run so far; becomes a result at any stage."""

    file_path: str
    source_uri: str
    clock: Clock
    started: float
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: IngestKey | None = None
    parse: ParseStageResult | None = None
    stage: ClassificationStageResult | None = None
    classification: Classification | None = None
    stored: Stored | None = None
    details: list[IngestError] = field(default_factory=list)

    def result(self, config: ExcelProcessorConfig) -> ProcessingResult:
        """Give everything known by now as a result."""
        verdict = None if self.classification is None else self.classification.result
        written = {} if self.stored is None else {"written": self.stored.written}
        tables = [] if self.stored is None else self.stored.written.db_table_names
        chunks = 0 if self.stored is None else len(self.stored.written.vector_point_ids)
        return ProcessingResult(
            file_path=self.file_path,
            ingest_key="" if self.key is None else self.key.key,
            ingest_run_id=self.run_id,
            tenant_id=config.tenant_id,
            parse_result=self.parse,
            classification_result=self.stage,
            embed_result=None if self.stored is None else self.stored.embed_result,
            classification=verdict,
            ingestion_method=None if verdict is None else _METHODS[verdict.file_type],
            chunks_created=chunks,
            tables_created=len(tables),
            tables=list(tables),
            errors=[d.code.value for d in self.details if d.code.startswith("E_")],
            warnings=[d.code.value for d in self.details if d.code.startswith("W_")],
            error_details=self.details,
            processing_time_seconds=self.clock.monotonic() - self.started,
            **written,
        )
