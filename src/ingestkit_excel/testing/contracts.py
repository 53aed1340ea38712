"""What every execution backend promises, as tests to inherit.

Subclass in a test module and give the fixtures ``backend`` (an `ExecutionBackend`) and
``workbook`` (the path of one it can ingest); pytest then runs the promises over it.
"""

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.protocols import ExecutionBackend

__all__ = ["ExecutionBackendContract"]

_WAIT_S = 60.0  # far more than any test workbook needs


class ExecutionBackendContract:
    """The promises of `ExecutionBackend`."""

    def test_it_is_an_execution_backend(self, backend: ExecutionBackend) -> None:
        """The protocol's methods are there."""
        assert isinstance(backend, ExecutionBackend)

    def test_a_result_names_the_path_as_submitted(
        self, backend: ExecutionBackend, workbook: str
    ) -> None:
        """Wherever it ran, the caller recognises the workbook."""
        job_id = backend.submit(workbook, ExcelProcessorConfig())
        assert backend.get_result(job_id, timeout=_WAIT_S).file_path == workbook

    def test_a_result_can_be_asked_for_again(
        self, backend: ExecutionBackend, workbook: str
    ) -> None:
        """Reading a result does not use it up."""
        job_id = backend.submit(workbook, ExcelProcessorConfig())
        first = backend.get_result(job_id, timeout=_WAIT_S)
        assert backend.get_result(job_id, timeout=_WAIT_S) == first

    def test_each_submission_is_a_job_of_its_own(
        self, backend: ExecutionBackend, workbook: str
    ) -> None:
        """The same workbook twice gives two ids."""
        ids = {backend.submit(workbook, ExcelProcessorConfig()) for _ in range(2)}
        assert len(ids) == 2

    def test_an_unknown_job_is_not_found(self, backend: ExecutionBackend) -> None:
        """An id that was never given out is a coded error, not a wait."""
        try:
            backend.get_result("j" + "0" * 32, timeout=_WAIT_S)
        except ExecutionError as error:
            assert error.code is ErrorCode.E_EXECUTION_NOT_FOUND  # noqa: PT017 - no pytest here
        else:
            raise AssertionError("an unknown job gave a result")
