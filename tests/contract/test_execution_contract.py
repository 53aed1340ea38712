"""Every execution backend keeps the same promises, the one for tests included."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.execution import DistributedExecutionBackend, LocalExecutionBackend
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.protocols import ExecutionBackend
from ingestkit_excel.router import create_default_router
from ingestkit_excel.spool import Spool, SpoolSettings
from ingestkit_excel.testing.contracts import ExecutionBackendContract
from ingestkit_excel.testing.execution import MockExecutionBackend


@pytest.fixture
def workbook(tmp_path: Path) -> str:
    """Give a workbook with a small table."""
    book = Workbook()
    assert book.active is not None
    for row in [("Id", "Name"), (1, "Ada"), (2, "Bram")]:
        book.active.append(row)
    book.save(tmp_path / "people.xlsx")
    return str(tmp_path / "people.xlsx")


class TestMock(ExecutionBackendContract):
    """The backend in memory."""

    @pytest.fixture
    def backend(self) -> ExecutionBackend:
        """Give an empty one."""
        return MockExecutionBackend()

    def test_an_answer_may_be_an_error(self) -> None:
        """Callers can try how they take a timeout."""
        late = ExecutionError(ErrorCode.E_EXECUTION_TIMEOUT, "cannot wait longer: late")
        backend = MockExecutionBackend({"a.xlsx": late})
        with pytest.raises(ExecutionError) as caught:
            backend.get_result(backend.submit("a.xlsx", ExcelProcessorConfig()))
        assert caught.value is late


class TestLocal(ExecutionBackendContract):
    """The backend that runs workbooks here."""

    @pytest.fixture
    def backend(self) -> ExecutionBackend:
        """Give one over a store in memory."""
        router = create_default_router("memory://")

        def process(
            path: str, config: ExcelProcessorConfig, source_uri: str | None
        ) -> ProcessingResult:
            return router.process(path, source_uri, config)

        return LocalExecutionBackend(process)


@pytest.mark.slow
class TestDistributed(ExecutionBackendContract):
    """The backend over a spool, with a worker process on the other side."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[ExecutionBackend]:
        """Give one whose share is the workbook's folder."""
        spool = Spool.create(tmp_path / "spool", SpoolSettings(durability="none"))
        command = [sys.executable, "-m", "spool_worker", "--spool", str(spool.directory)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
            yield DistributedExecutionBackend(spool.directory)
            worker.kill()
