"""An execution backend that lives in memory, for tests of code that submits workbooks."""

from collections.abc import Mapping

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.models import ProcessingResult

__all__ = ["MockExecutionBackend"]


class MockExecutionBackend:
    """Accepts every workbook and answers as told; nothing is read and nothing runs.

    Args:
        answers: What `get_result` gives for a path: a result, or an error it raises. A path
            without an answer gives an empty, successful result.
    """

    def __init__(self, answers: Mapping[str, ProcessingResult | ExecutionError] | None = None):
        self._answers = dict(answers or {})
        self._paths: dict[str, str] = {}
        self.submitted: list[tuple[str, ExcelProcessorConfig, str | None]] = []
        """Every accepted submission in order: path, config, source URI."""

    def submit(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None = None
    ) -> str:
        """Note the submission; give an id that counts up."""
        self.submitted.append((str(file_path), config, source_uri))
        job_id = f"mock-{len(self.submitted)}"
        self._paths[job_id] = str(file_path)
        return job_id

    def get_result(self, job_id: str, timeout: float | None = None) -> ProcessingResult:  # noqa: ARG002 - the answer is always there
        """Give the answer for the job's path at once, as often as asked.

        Raises:
            ExecutionError: ``E_EXECUTION_NOT_FOUND`` for an id not given out here, or the error
                that stands as the answer.
        """
        if job_id not in self._paths:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_NOT_FOUND,
                f"cannot find job {job_id}: it was not submitted here; use an id submit gave",
                job_id=job_id,
            )
        path = self._paths[job_id]
        answer = self._answers.get(path)
        if isinstance(answer, ExecutionError):
            raise answer
        return answer or ProcessingResult(file_path=path, ingest_key="", ingest_run_id=job_id)
