"""Where a workbook is processed: in this process, in children of it, or by workers elsewhere.

Takes a callable and knows nothing of the pipeline behind it.
"""

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode
from ingestkit_excel.execution.child import ChildFunction, Reply, WarmChild
from ingestkit_excel.execution.distributed import DistributedExecutionBackend
from ingestkit_excel.execution.failure import failed_result
from ingestkit_excel.execution.local import LocalExecutionBackend, ProcessFunction
from ingestkit_excel.execution.paths import DEFAULT_ROOT, Roots, look_at
from ingestkit_excel.protocols import ExecutionBackend

__all__ = [
    "DEFAULT_ROOT",
    "ChildFunction",
    "DistributedExecutionBackend",
    "ExecutionBackend",
    "LocalExecutionBackend",
    "ProcessFunction",
    "Reply",
    "Roots",
    "WarmChild",
    "create_execution_backend",
    "failed_result",
    "look_at",
]


def create_execution_backend(
    config: ExcelProcessorConfig, process_fn: ProcessFunction
) -> ExecutionBackend:
    """Make the backend that ``config.execution_backend`` names.

    Raises:
        ConfigurationError: ``execution_queue_url`` is missing or unknown, or ``process_fn``
            does not fit ``execution_max_workers``.
    """
    if config.execution_backend == "local":
        return LocalExecutionBackend(process_fn, config.execution_max_workers)
    if config.execution_queue_url is None:
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            "cannot set up distributed execution: execution_queue_url is not set; "
            "give spool:///path of a directory on a share",
        )
    return DistributedExecutionBackend(config.execution_queue_url)
