"""Jobs and outcomes, and their bytes. Pure.

Owns: what stands inside the files of the spool.
Promises: bytes that do not say exactly what they should raise `RecordError`; nothing is guessed.
A job's digest stands in its file name, an outcome's in its own first line.
"""

import hashlib
import json
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool.layout import FORMAT

__all__ = [
    "JOB_BYTES_MAX",
    "OUTCOME_BYTES_MAX",
    "AttemptRecord",
    "Job",
    "JobDraft",
    "Outcome",
    "RecordError",
    "decode_attempt",
    "decode_job",
    "decode_outcome",
    "digest_of",
    "encode_attempt",
    "encode_job",
    "encode_outcome",
    "load_strict",
    "short_digest",
]

JOB_BYTES_MAX: Final = 256 * 1024  # a job is settings and a path; more is an attack or a mistake
OUTCOME_BYTES_MAX: Final = 32 * 1024**2  # each chunk takes 39 bytes, so some 800 000 of them
_DEPTH_MAX: Final = 32  # deeper than any record, shallower than the parser's recursion
_DIGEST_DIGITS: Final = 12


class RecordError(ValueError):
    """The bytes are not a record of the expected kind; the message says why."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


R = TypeVar("R", bound=_Record)


class JobDraft(_Record):
    """What a submitter knows about a job. Holds no credentials."""

    root: str
    rel: str
    blob_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """The workbook's content, which is in the spool; ``root`` and ``rel`` do not count then."""
    file_path: str
    """As the submitter named it; for display."""
    source_uri: str | None = None
    config: ExcelProcessorConfig = Field(default_factory=ExcelProcessorConfig)
    size_bytes: int = Field(ge=0)
    mtime_ns: int
    timeout_s: float = Field(default=300.0, gt=0)
    max_attempts: int = Field(default=3, ge=1, le=99)
    submitter_host: str = ""
    submitter_user: str = ""
    submitter_pid: int = 0


class Job(JobDraft):
    """A submitted job."""

    job_id: str = Field(pattern=r"^j[0-9a-f]{32}$")
    format: Literal[1] = 1
    priority: int = Field(default=5, ge=0, le=9)
    submitted_at: float
    """The submitter's clock, for display."""


class AttemptRecord(_Record):
    """What became of one attempt that gave no outcome."""

    attempt: int
    worker_id: str
    host: str = ""
    code: ErrorCode
    message: str


class Outcome(_Record):
    """What became of a job."""

    job_id: str = Field(pattern=r"^j[0-9a-f]{32}$")
    status: Literal["done", "failed", "dead", "rejected", "cancelled"]
    result: ProcessingResult | None = None
    worker_id: str
    host: str = ""
    attempt: int = Field(ge=1)
    queued_s: float = 0.0
    run_s: float = 0.0
    job_digest: str = ""
    attempts: tuple[AttemptRecord, ...] = ()


def digest_of(data: bytes) -> str:
    """Give the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def short_digest(data: bytes) -> str:
    """Give the part of the digest that stands in file names."""
    return digest_of(data)[:_DIGEST_DIGITS]


def encode_job(job: Job) -> bytes:
    """Give the bytes of a job.

    Raises:
        RecordError: They would be larger than any reader accepts.
    """
    data = job.model_dump_json().encode()
    _check_size(data, "job", JOB_BYTES_MAX)
    return data


def decode_job(data: bytes, *, job_id: str, digest: str) -> Job:
    """Read a job that must be the one its file name promises."""
    _check_size(data, "job", JOB_BYTES_MAX)
    if short_digest(data) != digest:
        raise RecordError("the bytes of the job do not match the digest in its name")
    job = _validated(Job, load_strict(data))
    if job.job_id != job_id:
        raise RecordError("the job inside the file is not the one in its name")
    return job


def encode_attempt(record: AttemptRecord) -> bytes:
    """Give the bytes of the record of an attempt."""
    return record.model_dump_json().encode()


def decode_attempt(data: bytes) -> AttemptRecord:
    """Read the record of an attempt."""
    return _validated(AttemptRecord, load_strict(data))


def encode_outcome(outcome: Outcome) -> bytes:
    """Give two lines of JSON: format and digest of the second line, then the outcome.

    Raises:
        RecordError: They would be larger than any reader accepts.
    """
    body = outcome.model_dump_json().encode()
    data = b'{"format":%d,"sha256":"%s"}\n%s\n' % (FORMAT, digest_of(body).encode(), body)
    _check_size(data, "outcome", OUTCOME_BYTES_MAX)
    return data


def decode_outcome(data: bytes, *, job_id: str) -> Outcome:
    """Read an outcome that must be whole and of this job."""
    _check_size(data, "outcome", OUTCOME_BYTES_MAX)
    head_bytes, _, body = data.partition(b"\n")
    body = body.removesuffix(b"\n")
    head = load_strict(head_bytes)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise RecordError("the outcome is of another format; use a newer version to read it")
    if head.get("sha256") != digest_of(body):
        raise RecordError("the bytes of the outcome do not match their digest")
    outcome = _validated(Outcome, load_strict(body))
    if outcome.job_id != job_id:
        raise RecordError("the outcome inside the file is of another job")
    return outcome


def _check_size(data: bytes, kind: str, bytes_max: int) -> None:
    if len(data) > bytes_max:
        raise RecordError(f"the {kind} takes {len(data)} bytes, at most {bytes_max} are allowed")


def load_strict(data: bytes) -> object:
    """Parse JSON; doubled keys, NaN, infinities, deep nesting and bad UTF-8 are errors."""
    _check_depth(data)
    try:
        value: object = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it is no valid JSON: {error}") from error
    return value


def _check_depth(data: bytes) -> None:
    depth, in_string, is_escaped = 0, False, False
    for byte in data:
        if in_string:
            if is_escaped:
                is_escaped = False
            elif byte == 0x5C:
                is_escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > _DEPTH_MAX:
                raise RecordError(f"it nests deeper than {_DEPTH_MAX} levels")
        elif byte in b"]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return mapping


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _validated(kind: type[R], value: object) -> R:
    try:
        return kind.model_validate_json(json.dumps(value), strict=True)
    except (ValidationError, ValueError) as error:
        raise RecordError(f"it is no valid {kind.__name__}: {_first_cause(error)}") from error


def _first_cause(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
