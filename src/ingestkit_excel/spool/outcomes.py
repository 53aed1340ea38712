"""Outcomes that the spool itself makes: of jobs that cannot, may not or must not run. Pure."""

from ingestkit_excel.errors import ErrorCode, IngestError
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool.claim import Claim
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.records import AttemptRecord, Outcome

__all__ = ["cancelled_outcome", "dead_outcome", "error_result", "rejected_outcome"]


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
