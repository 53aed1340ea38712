"""The result of a workbook that was never processed to an end."""

from ingestkit_excel.errors import ErrorCode, IngestError
from ingestkit_excel.models import ProcessingResult

__all__ = ["failed_result"]


def failed_result(
    file_path: str,
    code: ErrorCode,
    message: str,
    *,
    tenant_id: str | None = None,
    recoverable: bool = False,
) -> ProcessingResult:
    """Give a result that holds nothing but one coded error of the stage ``execution``."""
    return ProcessingResult(
        file_path=file_path,
        ingest_key="",
        ingest_run_id="",
        tenant_id=tenant_id,
        errors=[code.value],
        error_details=[
            IngestError(code=code, message=message, stage="execution", recoverable=recoverable)
        ],
    )
