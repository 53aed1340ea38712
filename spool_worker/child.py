"""What runs in the child process: one job's text in, its result's text out.

The router is built once for each store and kept for the jobs that follow.
"""

import json
import logging
from functools import lru_cache

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, IngestKitError
from ingestkit_excel.execution import failed_result
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.router import ExcelRouter, create_default_router

__all__ = ["run_job"]

_LOG = logging.getLogger(__name__)
_ROUTERS_MAX = 4  # one store, but settings differ between jobs of different submitters


def run_job(text: str) -> str:
    """Process one workbook; whatever goes wrong is a coded error in the result.

    The payload holds ``store``, ``path`` (here), ``file_path`` (as submitted), ``source_uri``
    and ``config``.
    """
    fields = json.loads(text)
    try:
        result = _process(fields)
    except IngestKitError as error:
        result = failed_result(fields["file_path"], error.code, error.message)
    except Exception as error:  # noqa: BLE001 - one job never ends the child for the next one
        _LOG.error("job_failed", extra={"error_type": type(error).__name__})
        result = failed_result(
            fields["file_path"],
            ErrorCode.E_INTERNAL,
            f"cannot process the workbook: unexpected {type(error).__name__}; "
            "this is a defect, please report it",
        )
    return result.model_dump_json()


def _process(fields: dict[str, str]) -> ProcessingResult:
    config = json.dumps(fields["config"], sort_keys=True)
    router = _router(fields["store"], config)
    result = router.process(fields["path"], fields["source_uri"])
    return result.model_copy(update={"file_path": fields["file_path"]})


@lru_cache(maxsize=_ROUTERS_MAX)
def _router(store: str, config: str) -> ExcelRouter:
    settings = ExcelProcessorConfig.from_mapping(json.loads(config))
    return create_default_router(store, config=settings)
