"""Runs workbooks on this host: one after the other, or in several child processes."""

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from multiprocessing.reduction import ForkingPickler

from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError
from ingestkit_excel.execution.child import Reply, WarmChild
from ingestkit_excel.execution.failure import failed_result
from ingestkit_excel.models import ProcessingResult

__all__ = ["LocalExecutionBackend", "ProcessFunction"]

ProcessFunction = Callable[[str, ExcelProcessorConfig, str | None], ProcessingResult]


class LocalExecutionBackend:
    """Runs ``process_fn`` for each workbook on this host.

    With one worker the work is done inside `submit`. With more, child processes do it: a
    workbook that crashes its process or exceeds ``execution_job_timeout`` fails alone. Close
    the backend, or use it as a context manager, to end the children.

    Args:
        process_fn: Called with path, settings and source URI. For several workers it must be
            picklable, so a function of a module or a method of a picklable object.

    Raises:
        ConfigurationError: ``max_workers`` is below 1, or ``process_fn`` cannot be sent to
            another process.
    """

    def __init__(
        self, process_fn: ProcessFunction, max_workers: int = 1, *, clock: Clock | None = None
    ) -> None:
        if max_workers < 1:
            raise _unfit(f"max_workers is {max_workers}; give 1 or more")
        if max_workers > 1:
            _check_picklable(process_fn)
        self._process_fn = process_fn
        self._clock = clock or SystemClock()
        self._futures: dict[str, Future[ProcessingResult]] = {}
        self._children = threading.local()
        self._opened: list[WarmChild] = []
        self._pool = ThreadPoolExecutor(max_workers, "ingest") if max_workers > 1 else None

    def __getstate__(self) -> ProcessFunction:
        # The owner of ``process_fn`` may hold this backend too, and is sent to the children.
        return self._process_fn

    def __setstate__(self, process_fn: ProcessFunction) -> None:
        LocalExecutionBackend.__init__(self, process_fn)  # no jobs, and no children of a child

    def __enter__(self) -> "LocalExecutionBackend":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None = None
    ) -> str:
        """Accept a workbook; give the id of its job."""
        job_id = f"l{uuid.uuid4().hex}"
        if self._pool is None:
            future: Future[ProcessingResult] = Future()
            future.set_result(self._process_fn(file_path, config, source_uri))
        else:
            future = self._pool.submit(self._run_in_child, file_path, config, source_uri)
        self._futures[job_id] = future
        return job_id

    def get_result(self, job_id: str, timeout: float | None = None) -> ProcessingResult:
        """Wait for the job's result; it can be asked for again until the backend is closed."""
        future = self._futures.get(job_id)
        if future is None:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_NOT_FOUND,
                f"cannot get the result of {job_id}: it was not submitted to this backend",
                job_id=job_id,
            )
        try:
            return future.result(timeout)
        except FutureTimeoutError as error:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_TIMEOUT,
                f"cannot get the result of {job_id}: not finished within {timeout:g} s; ask again",
                job_id=job_id,
            ) from error

    def close(self) -> None:
        """Finish what runs, drop what waits, end the children."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        while self._opened:
            self._opened.pop().close()

    def _run_in_child(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None
    ) -> ProcessingResult:
        payload = json.dumps(
            {
                "file_path": str(file_path),
                "config": config.model_dump(mode="json"),
                "source_uri": source_uri,
            }
        )
        reply = self._child().call(payload, timeout_s=config.execution_job_timeout)
        return _read_reply(reply, str(file_path), config)

    def _child(self) -> WarmChild:
        child: WarmChild | None = getattr(self._children, "child", None)
        if child is None:
            child = WarmChild(partial(_process_text, self._process_fn), clock=self._clock)
            self._children.child = child
            self._opened.append(child)
        return child


def _read_reply(reply: Reply, file_path: str, config: ExcelProcessorConfig) -> ProcessingResult:
    if reply.text is not None:
        return ProcessingResult.model_validate_json(reply.text)
    code = reply.code or ErrorCode.E_INTERNAL
    return failed_result(file_path, code, reply.message, tenant_id=config.tenant_id)


def _process_text(process_fn: ProcessFunction, text: str) -> str:
    fields = json.loads(text)
    config = ExcelProcessorConfig.model_validate(fields["config"])
    result = process_fn(fields["file_path"], config, fields["source_uri"])
    return result.model_dump_json()


def _check_picklable(process_fn: ProcessFunction) -> None:
    try:
        ForkingPickler.dumps(process_fn)
    except Exception as error:  # its own pickling code may raise anything
        raise _unfit(
            f"process_fn cannot be sent to another process ({type(error).__name__}); "
            "use a function of a module, or max_workers=1"
        ) from error


def _unfit(cause: str) -> ConfigurationError:
    return ConfigurationError(ErrorCode.E_CONFIG_INVALID, f"cannot set up local execution: {cause}")
