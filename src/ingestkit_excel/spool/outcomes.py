"""Outcomes that the spool itself makes, and the bytes of any outcome, which always fit. Pure."""

from typing import Final

from ingestkit_excel.errors import ErrorCode, IngestError
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool.claim import Claim
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.records import (
    AttemptRecord,
    Outcome,
    RecordError,
    encode_outcome,
)

__all__ = [
    "cancelled_outcome",
    "dead_outcome",
    "encode_fitting",
    "error_result",
    "rejected_outcome",
]

_ATTEMPTS_TOLD: Final = 10  # of a job whose history alone is too large
_MESSAGE_CHARS_TOLD: Final = 1000


def error_result(file_path: str, job_id: str, code: ErrorCode, message: str) -> ProcessingResult:
    """Give the result of a workbook that was not processed."""
    return ProcessingResult(
        file_path=file_path,
        ingest_key="",
        ingest_run_id=job_id,
        errors=[code.value],
        error_details=[IngestError(code=code, message=message, stage="execute")],
    )


def dead_outcome(claim: Claim, host: str, attempts: tuple[AttemptRecord, ...]) -> Outcome:
    """Give up a job that failed too often; the last failure says why."""
    last = attempts[-1] if attempts else None
    code = last.code if last else ErrorCode.E_EXECUTION_CRASHED
    cause = last.message if last else "its workers died"
    message = (
        f"cannot finish job {claim.job.job_id}: gave up after {claim.attempt} attempts: {cause}"
    )
    return Outcome(
        job_id=claim.job.job_id,
        status="dead",
        result=error_result(claim.job.file_path, claim.job.job_id, code, message),
        worker_id=claim.worker_id,
        host=host,
        attempt=claim.attempt,
        job_digest=claim.stem.digest,
        attempts=attempts,
    )


def rejected_outcome(stem: Stem, worker_id: str, host: str, cause: str) -> Outcome:
    """Refuse a job whose file is not what its name promises."""
    message = f"cannot run job {stem.job_id}: {cause}; submit the workbook again"
    return Outcome(
        job_id=stem.job_id,
        status="rejected",
        result=error_result("", stem.job_id, ErrorCode.E_EXECUTION_REJECTED, message),
        worker_id=worker_id,
        host=host,
        attempt=max(1, stem.attempt),
        job_digest=stem.digest,
    )


def cancelled_outcome(claim: Claim, host: str) -> Outcome:
    """End a job whose submitter no longer wants it."""
    message = f"cannot give a result of job {claim.job.job_id}: it was cancelled; submit it again"
    code = ErrorCode.E_EXECUTION_CANCELLED
    return Outcome(
        job_id=claim.job.job_id,
        status="cancelled",
        result=error_result(claim.job.file_path, claim.job.job_id, code, message),
        worker_id=claim.worker_id,
        host=host,
        attempt=claim.attempt,
        job_digest=claim.stem.digest,
    )


def encode_fitting(outcome: Outcome) -> bytes:
    """Give the bytes of an outcome; of one that no reader would accept, those of a smaller one.

    The smaller one is a failure coded ``E_EXECUTION_RESULT_LOST`` that says how to find what was
    stored. It is as final as the large one would be: trying again would give the same.
    """
    try:
        return encode_outcome(outcome)
    except RecordError as error:
        cause = str(error)
    result = outcome.result
    where = f"look there under the ingest key {result.ingest_key}, or " if result else ""
    message = (
        f"cannot give the whole result of job {outcome.job_id}: {cause}; what it stored is in the "
        f"store, {where}split the workbook"
    )
    smaller = outcome.model_copy(
        update={
            "status": "failed" if outcome.status == "done" else outcome.status,
            "result": _bare_result(outcome, message),
            "attempts": tuple(map(_shortened, outcome.attempts[-_ATTEMPTS_TOLD:])),
        }
    )
    return encode_outcome(smaller)


def _bare_result(outcome: Outcome, message: str) -> ProcessingResult:
    code = ErrorCode.E_EXECUTION_RESULT_LOST
    full = outcome.result
    if full is None:
        return error_result("", outcome.job_id, code, message)
    # The fields that a job bounds, and counts; no list of names.
    return error_result(full.file_path, full.ingest_run_id, code, message).model_copy(
        update={
            "ingest_key": full.ingest_key,
            "tenant_id": full.tenant_id,
            "embed_result": full.embed_result,
            "ingestion_method": full.ingestion_method,
            "chunks_created": full.chunks_created,
            "tables_created": full.tables_created,
            "processing_time_seconds": full.processing_time_seconds,
        }
    )


def _shortened(record: AttemptRecord) -> AttemptRecord:
    return record.model_copy(update={"message": record.message[:_MESSAGE_CHARS_TOLD]})
