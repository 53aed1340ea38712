"""What runs in the child process: one job's text in, its result's text out.

The router is built once for each store and kept for the jobs that follow.
"""

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, IngestKitError, SpoolError
from ingestkit_excel.execution import failed_result
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.router import ExcelRouter, create_default_router
from ingestkit_excel.spool import Spool

__all__ = ["run_job"]

_LOG = logging.getLogger(__name__)
_ROUTERS_MAX = 4  # one store, but settings differ between jobs of different submitters


def run_job(text: str) -> str:
    """Process one workbook; whatever goes wrong is a coded error in the result.

    The payload holds ``store``, ``path`` (here), ``file_path`` (as submitted), ``source_uri``,
    ``config``, and ``attachment``: null, or the ``spool`` that ``path`` is to be copied from,
    and the ``sha256`` and ``size_bytes`` of the workbook there.
    """
    fields = json.loads(text)
    try:
        result = _process(fields)
    except IngestKitError as error:
        result = failed_result(
            fields["file_path"], error.code, error.message, recoverable=error.retryable
        )
    except Exception as error:  # noqa: BLE001 - one job never ends the child for the next one
        _LOG.error("job_failed", extra={"error_type": type(error).__name__})
        result = failed_result(
            fields["file_path"],
            ErrorCode.E_INTERNAL,
            f"cannot process the workbook: unexpected {type(error).__name__}; "
            "this is a defect, please report it",
        )
    return result.model_dump_json()


def _process(fields: dict[str, Any]) -> ProcessingResult:
    if fields["attachment"] is not None:
        _fetch(Path(fields["path"]), **fields["attachment"])
    config = json.dumps(fields["config"], sort_keys=True)
    router = _router(fields["store"], config)
    result = router.process(fields["path"], fields["source_uri"])
    return _as_submitted(result, fields["path"], fields["file_path"])


def _fetch(path: Path, *, spool: str, sha256: str, size_bytes: int) -> None:
    try:
        Spool.open(Path(spool)).fetch_attachment(sha256, path, max_bytes=size_bytes)
    except OSError as error:
        # Another worker may have room for it.
        raise SpoolError(
            ErrorCode.E_SOURCE_UNREADABLE,
            f"cannot copy an attached workbook to {path.parent}: {error.strerror}; "
            "free space there or set TMPDIR for the worker",
        ) from error


def _as_submitted(result: ProcessingResult, path: str, file_path: str) -> ProcessingResult:
    # Where this host has the workbook tells its submitter nothing.
    details = [
        detail.model_copy(update={"message": detail.message.replace(path, file_path)})
        for detail in result.error_details
    ]
    return result.model_copy(update={"file_path": file_path, "error_details": details})


@lru_cache(maxsize=_ROUTERS_MAX)
def _router(store: str, config: str) -> ExcelRouter:
    settings = ExcelProcessorConfig.from_mapping(json.loads(config))
    return create_default_router(store, config=settings)
