"""Error codes, the exception tree, and the record of an error that is stored.

The tree::

    IngestKitError
    ├── ConfigurationError
    ├── ParseError
    ├── ClassificationError
    ├── BackendError
    ├── ProcessingError
    ├── ExecutionError
    └── SpoolError

Every exception carries a code of `ErrorCode`, a message of the form
``cannot <verb> <thing>: <cause>; <what to do>``, and facts as keyword arguments. All of them
survive pickling. `IngestError` is the stored form: a value, never raised.
"""

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = [
    "BackendError",
    "ClassificationError",
    "ConfigurationError",
    "ErrorCode",
    "ExecutionError",
    "IngestError",
    "IngestKitError",
    "ParseError",
    "ProcessingError",
    "SpoolError",
]


class ErrorCode(StrEnum):
    """Every way in which a workbook, a job or a spool can fail, and every warning (``W_``)."""

    E_CONFIG_INVALID = "E_CONFIG_INVALID"
    E_SOURCE_NOT_FOUND = "E_SOURCE_NOT_FOUND"
    E_SOURCE_PERMISSION = "E_SOURCE_PERMISSION"
    E_SOURCE_UNREADABLE = "E_SOURCE_UNREADABLE"
    E_SOURCE_CHANGED = "E_SOURCE_CHANGED"
    E_PARSE_CORRUPT = "E_PARSE_CORRUPT"
    E_PARSE_OPENPYXL_FAIL = "E_PARSE_OPENPYXL_FAIL"
    E_PARSE_CALAMINE_FAIL = "E_PARSE_CALAMINE_FAIL"
    E_PARSE_PASSWORD = "E_PARSE_PASSWORD"
    E_PARSE_EMPTY = "E_PARSE_EMPTY"
    E_PARSE_TOO_LARGE = "E_PARSE_TOO_LARGE"
    E_PARSE_UNSAFE = "E_PARSE_UNSAFE"
    E_PARSE_UNSUPPORTED = "E_PARSE_UNSUPPORTED"
    E_CLASSIFY_INCONCLUSIVE = "E_CLASSIFY_INCONCLUSIVE"
    E_LLM_TIMEOUT = "E_LLM_TIMEOUT"
    E_LLM_MALFORMED_JSON = "E_LLM_MALFORMED_JSON"
    E_LLM_SCHEMA_INVALID = "E_LLM_SCHEMA_INVALID"
    E_LLM_CONFIDENCE_OOB = "E_LLM_CONFIDENCE_OOB"
    E_BACKEND_VECTOR_TIMEOUT = "E_BACKEND_VECTOR_TIMEOUT"
    E_BACKEND_VECTOR_CONNECT = "E_BACKEND_VECTOR_CONNECT"
    E_BACKEND_DB_TIMEOUT = "E_BACKEND_DB_TIMEOUT"
    E_BACKEND_DB_CONNECT = "E_BACKEND_DB_CONNECT"
    E_BACKEND_EMBED_TIMEOUT = "E_BACKEND_EMBED_TIMEOUT"
    E_BACKEND_EMBED_CONNECT = "E_BACKEND_EMBED_CONNECT"
    E_PROCESS_REGION_DETECT = "E_PROCESS_REGION_DETECT"
    E_PROCESS_SERIALIZE = "E_PROCESS_SERIALIZE"
    E_PROCESS_SCHEMA_GEN = "E_PROCESS_SCHEMA_GEN"
    E_EXECUTION_TIMEOUT = "E_EXECUTION_TIMEOUT"
    E_EXECUTION_SUBMIT = "E_EXECUTION_SUBMIT"
    E_EXECUTION_NOT_FOUND = "E_EXECUTION_NOT_FOUND"
    E_EXECUTION_RESULT_LOST = "E_EXECUTION_RESULT_LOST"
    E_EXECUTION_CANCELLED = "E_EXECUTION_CANCELLED"
    E_EXECUTION_CRASHED = "E_EXECUTION_CRASHED"
    E_EXECUTION_REJECTED = "E_EXECUTION_REJECTED"
    E_SPOOL_NOT_FOUND = "E_SPOOL_NOT_FOUND"
    E_SPOOL_INVALID = "E_SPOOL_INVALID"
    E_SPOOL_NEWER_FORMAT = "E_SPOOL_NEWER_FORMAT"
    E_SPOOL_READ_ONLY = "E_SPOOL_READ_ONLY"
    E_SPOOL_FULL = "E_SPOOL_FULL"
    E_SPOOL_PERMISSION = "E_SPOOL_PERMISSION"
    E_SPOOL_UNREACHABLE = "E_SPOOL_UNREACHABLE"
    E_INTERNAL = "E_INTERNAL"
    W_SHEET_SKIPPED_CHART = "W_SHEET_SKIPPED_CHART"
    W_SHEET_SKIPPED_HIDDEN = "W_SHEET_SKIPPED_HIDDEN"
    W_SHEET_SKIPPED_PASSWORD = "W_SHEET_SKIPPED_PASSWORD"
    W_SHEET_SKIPPED_EMPTY = "W_SHEET_SKIPPED_EMPTY"
    W_SHEET_UNREADABLE = "W_SHEET_UNREADABLE"
    W_PARSER_FALLBACK = "W_PARSER_FALLBACK"
    W_LLM_RETRY = "W_LLM_RETRY"
    W_ROWS_TRUNCATED = "W_ROWS_TRUNCATED"
    W_CLASSIFY_BEST_EFFORT = "W_CLASSIFY_BEST_EFFORT"
    W_FORMULA_UNCACHED = "W_FORMULA_UNCACHED"


class IngestError(BaseModel):
    """One error or warning as it stands in a result."""

    model_config = ConfigDict(frozen=True)

    code: ErrorCode
    message: str
    sheet_name: str | None = None
    stage: str | None = None
    recoverable: bool = False


class IngestKitError(Exception):
    """Root of everything this package raises on purpose."""

    retryable: ClassVar[bool] = False

    def __init__(self, code: ErrorCode | str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = ErrorCode(code)
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code.value, self.message, self.facts)

    def to_record(self, *, stage: str | None = None) -> IngestError:
        """Give the stored form of this error."""
        return IngestError(
            code=self.code,
            message=self.message,
            sheet_name=self.facts.get("sheet_name"),
            stage=stage,
            recoverable=self.retryable,
        )


def _rebuild(
    kind: type[IngestKitError], code: str, message: str, facts: dict[str, Any]
) -> IngestKitError:
    return kind(code, message, **facts)


class ConfigurationError(IngestKitError):
    """A setting, an extra or an argument does not fit; the message says which and why."""


class ParseError(IngestKitError):
    """The workbook cannot be read."""


class ClassificationError(IngestKitError):
    """A sheet could not be classified and the policy is to fail closed."""


class BackendError(IngestKitError):
    """A store, an embedder or an LLM failed or did not answer in time."""

    retryable = True


class ProcessingError(IngestKitError):
    """A region could not be turned into tables or chunks."""


class ExecutionError(IngestKitError):
    """A job could not be submitted, found, finished in time, or its result is gone."""

    @property
    def job_id(self) -> str | None:
        """The job that failed, where there is one."""
        value = self.facts.get("job_id")
        return None if value is None else str(value)


class SpoolError(IngestKitError):
    """The spool directory is missing, foreign, full or out of reach."""

    retryable = True
