"""One workbook from file to stored artifacts: parse, classify, process, store, result.

Knows no format and no store. `ExcelRouter.process` never raises for what a workbook contains:
every failure is a coded error in the result.
"""

import logging
from collections.abc import Sequence
from pathlib import PurePath

from ingestkit_excel.backends import EmbeddedStore, HashingEmbedder, open_store
from ingestkit_excel.classification import Classification, classify_workbook
from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import (
    ErrorCode,
    ExecutionError,
    IngestError,
    IngestKitError,
    ParseError,
    ProcessingError,
)
from ingestkit_excel.execution import LocalExecutionBackend, create_execution_backend, failed_result
from ingestkit_excel.identity import canonical_source_uri
from ingestkit_excel.models import (
    FileType,
    IngestKey,
    ParseStageResult,
    ProcessingResult,
    TableData,
)
from ingestkit_excel.parsing import parse_workbook, profile_workbook
from ingestkit_excel.processors import ProcessContext, SheetOutput, build_payloads, process_sheet
from ingestkit_excel.protocols import (
    EmbeddingBackend,
    ExecutionBackend,
    LLMBackend,
    StructuredDBBackend,
    VectorStoreBackend,
)
from ingestkit_excel.run import Run
from ingestkit_excel.storing import WorkbookWriter
from ingestkit_excel.workbook import Sheet, Workbook

__all__ = ["ExcelRouter", "create_default_router"]

_LOG = logging.getLogger(__name__)


class ExcelRouter:
    """Processes workbooks with the given stores, LLM and embedder.

    Args:
        llm: ``None`` when no LLM is configured; rules alone decide then.
        execution: Where `process_batch` runs; ``None`` follows ``config.execution_backend``.

    Close the router, or use it as a context manager, to end the children that it started.
    """

    def __init__(
        self,
        vector_store: VectorStoreBackend,
        structured_db: StructuredDBBackend,
        llm: LLMBackend | None,
        embedder: EmbeddingBackend,
        config: ExcelProcessorConfig | None = None,
        execution: ExecutionBackend | None = None,
    ) -> None:
        self.config = config or ExcelProcessorConfig()
        self._vector_store = vector_store
        self._structured_db = structured_db
        self._llm = llm
        self._embedder = embedder
        self._execution = execution
        self._made_execution: ExecutionBackend | None = None
        self._made_store: EmbeddedStore | None = None
        self._clock: Clock = SystemClock()

    def __enter__(self) -> "ExcelRouter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what the router made itself; what was handed in stays open.

        The router can be used again: it makes anew what it needs.
        """
        if isinstance(self._made_execution, LocalExecutionBackend):
            self._made_execution.close()
            self._made_execution = self._execution = None
        if self._made_store is not None:
            self._made_store.close()

    def process(
        self,
        file_path: str,
        source_uri: str | None = None,
        config: ExcelProcessorConfig | None = None,
    ) -> ProcessingResult:
        """Ingest one workbook; every failure is a coded error in the result."""
        config = config or self.config
        run = Run(
            file_path=_printable(str(file_path)),
            source_uri=source_uri or "",
            clock=self._clock,
            started=self._clock.monotonic(),
        )
        try:
            run.source_uri = source_uri or _source_uri(file_path)
            self._run_stages(run, config)
        except IngestKitError as error:
            run.details.append(error.to_record())
        except Exception as error:  # noqa: BLE001 - the promise of this method: nothing crashes it
            _LOG.error("workbook_failed", extra={"error_type": type(error).__name__})
            run.details.append(_internal_error(error))
        return run.result(config)

    def process_batch(self, paths: Sequence[str]) -> list[ProcessingResult]:
        """Submit all workbooks, then collect their results in the order given.

        One workbook's failure or timeout becomes its own result; a timed-out job goes on and
        its id stands in the error.
        """
        backend = self._execution_backend()
        jobs = [_submit(backend, path, self.config) for path in paths]
        return [
            job if isinstance(job, ProcessingResult) else self._collect(backend, path, job)
            for path, job in zip(paths, jobs, strict=True)
        ]

    def _execution_backend(self) -> ExecutionBackend:
        if self._execution is None:
            self._made_execution = create_execution_backend(self.config, self._process_job)
            self._execution = self._made_execution
        return self._execution

    def _process_job(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None
    ) -> ProcessingResult:
        return self.process(file_path, source_uri, config)

    def _collect(self, backend: ExecutionBackend, path: str, job_id: str) -> ProcessingResult:
        # A distributed job may wait for a worker, so the limit is the job's own time again.
        try:
            return backend.get_result(job_id, timeout=self.config.execution_job_timeout)
        except ExecutionError as error:
            return _failed(path, self.config, error)

    def _run_stages(self, run: Run, config: ExcelProcessorConfig) -> None:
        workbook = self._parse(run, config)
        classification = self._classify(run, workbook, config)
        context = ProcessContext(
            config=config,
            ingest_key=_key_of(run),
            workbook_name=PurePath(run.source_uri).stem,
            db_uri=self._structured_db.get_connection_uri(),
        )
        outputs = [
            (sheet, _process(sheet, _type_of(sheet, classification), context))
            for sheet in workbook.sheets
        ]
        for _, output in outputs:
            run.details.extend(output.warnings)
        writer = WorkbookWriter(
            self._vector_store, self._structured_db, self._embedder, config, self._clock
        )
        run.stored = writer.write(
            ingest_key=_key_of(run),
            source_uri=run.source_uri,
            tables=_tables(outputs),
            chunks=build_payloads(outputs, context, source_uri=run.source_uri, run_id=run.run_id),
        )

    def _parse(self, run: Run, config: ExcelProcessorConfig) -> Workbook:
        started = self._clock.monotonic()
        workbook = parse_workbook(run.file_path, config)
        run.key = IngestKey(
            content_hash=workbook.content_hash,
            source_uri=run.source_uri,
            parser_version=config.parser_version,
            tenant_id=config.tenant_id,
        )
        run.parse = ParseStageResult(
            parser_used=workbook.parser_used,
            fallback_reason_code=workbook.fallback_reason_code,
            sheets_parsed=len(workbook.sheets),
            sheets_skipped=len(workbook.skipped),
            skipped_reasons=dict(workbook.skipped),
            parse_duration_seconds=self._clock.monotonic() - started,
        )
        run.details.extend(workbook.warnings)
        return workbook

    def _classify(
        self, run: Run, workbook: Workbook, config: ExcelProcessorConfig
    ) -> Classification:
        started = self._clock.monotonic()
        profile = profile_workbook(workbook, config)
        classification = classify_workbook(profile, config, self._llm)
        run.classification = classification
        run.stage = classification.stage_result(self._clock.monotonic() - started)
        run.details.extend(classification.warnings)
        return classification


def _printable(path: str) -> str:
    # A file name may hold bytes that are no UTF-8; a result must still be written as JSON.
    return path.encode("utf-8", "backslashreplace").decode()


def _source_uri(file_path: str) -> str:
    try:
        uri = canonical_source_uri(file_path)
        uri.encode()
    # A name that is no UTF-8, links in a circle, a NUL in the path.
    except (RuntimeError, ValueError, OSError) as error:
        raise ParseError(
            ErrorCode.E_SOURCE_UNREADABLE,
            f"cannot read workbook {file_path!a}: its path cannot be used "
            f"({type(error).__name__}); rename the file or its directory",
        ) from error
    return uri


def _key_of(run: Run) -> str:
    assert run.key is not None, "the parse stage sets the key before anyone asks for it"
    return run.key.key


def _type_of(sheet: Sheet, classification: Classification) -> FileType:
    types = classification.result.per_sheet_types or {}
    return types.get(sheet.name, classification.result.file_type)


def _tables(outputs: Sequence[tuple[Sheet, SheetOutput]]) -> list[tuple[str, TableData]]:
    return [(table.name, table.data) for _, output in outputs for table in output.tables]


def _process(sheet: Sheet, file_type: FileType, context: ProcessContext) -> SheetOutput:
    """Process a sheet and see to it that something came of its cells."""
    output = process_sheet(sheet, file_type, context)
    if sheet.extent is not None and not output.tables and not output.chunks:
        # A sheet with an extent has a cell with something to see: success would lose it.
        raise ProcessingError(
            ErrorCode.E_PROCESS_SERIALIZE,
            f"cannot process cells {sheet.extent.a1}: neither a table nor text came of them; "
            "this is a defect, please report it",
            sheet_name=sheet.name,
        )
    return output


def _submit(
    backend: ExecutionBackend, path: str, config: ExcelProcessorConfig
) -> str | ProcessingResult:
    try:
        return backend.submit(path, config)
    except ExecutionError as error:
        return _failed(path, config, error)


def _failed(path: str, config: ExcelProcessorConfig, error: ExecutionError) -> ProcessingResult:
    return failed_result(
        str(path),
        error.code,
        error.message,
        tenant_id=config.tenant_id,
        recoverable=error.retryable,
    )


def _internal_error(error: Exception) -> IngestError:
    # The text of a foreign exception may hold cell content, so only its type is told.
    return IngestError(
        code=ErrorCode.E_INTERNAL,
        message=(
            f"cannot process the workbook: unexpected {type(error).__name__}; "
            "this is a defect, please report it"
        ),
    )


def create_default_router(
    store: str = "sqlite:///ingestkit.db",
    *,
    config: ExcelProcessorConfig | None = None,
    llm: LLMBackend | None = None,
    embedder: EmbeddingBackend | None = None,
    execution: ExecutionBackend | None = None,
) -> ExcelRouter:
    """Make a router over an embedded store, named by URL or path.

    Raises:
        ConfigurationError: The store's URL or place does not fit.
    """
    config = config or ExcelProcessorConfig()
    opened = open_store(store)
    router = ExcelRouter(
        opened,
        opened,
        llm,
        embedder or HashingEmbedder(config.embedding_dimension),
        config,
        execution,
    )
    router._made_store = opened
    return router
