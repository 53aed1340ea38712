"""The local backend runs workbooks here."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the child imports its function by name

import child_functions

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError
from ingestkit_excel.execution.local import LocalExecutionBackend
from ingestkit_excel.protocols import ExecutionBackend

CONFIG = ExcelProcessorConfig(tenant_id="north")


def test_one_worker_runs_in_this_process() -> None:
    """The result is there when submit returns."""
    backend = LocalExecutionBackend(child_functions.ingest)
    result = backend.get_result(backend.submit("a.xlsx", CONFIG, "uri"), timeout=0)
    assert (result.file_path, result.ingest_key, result.tenant_id) == ("a.xlsx", "uri", "north")
    assert isinstance(backend, ExecutionBackend)


def test_an_id_from_elsewhere_is_not_found() -> None:
    """Only what was submitted here can be asked for."""
    with pytest.raises(ExecutionError) as caught:
        LocalExecutionBackend(child_functions.ingest).get_result("other")
    assert caught.value.code is ErrorCode.E_EXECUTION_NOT_FOUND
    assert caught.value.job_id == "other"


def test_a_function_that_cannot_be_sent_is_refused_at_once() -> None:
    """Several workers need a function other processes can import."""
    with pytest.raises(ConfigurationError, match="max_workers=1"):
        LocalExecutionBackend(lambda *_: None, 2)  # type: ignore[arg-type]


def test_fewer_than_one_worker_is_refused() -> None:
    """Zero workers would never run anything."""
    with pytest.raises(ConfigurationError):
        LocalExecutionBackend(child_functions.ingest, 0)


@pytest.mark.slow
def test_a_crash_in_a_child_fails_its_workbook_alone() -> None:
    """The others give their results."""
    with LocalExecutionBackend(child_functions.ingest, 2) as backend:
        jobs = [backend.submit(path, CONFIG) for path in ("a", "crash", "b")]
        results = [backend.get_result(job, timeout=60) for job in jobs]
    assert [result.errors for result in results] == [[], ["E_EXECUTION_CRASHED"], []]
    assert [result.file_path for result in results] == ["a", "crash", "b"]


@pytest.mark.slow
def test_the_owner_of_the_function_may_hold_the_backend() -> None:
    """As a router does: it is sent to the children, which have no children themselves."""
    owner = child_functions.Owner()
    with LocalExecutionBackend(owner.ingest, 2) as backend:
        owner.execution = backend
        result = backend.get_result(backend.submit("a", CONFIG), timeout=60)
    assert result.errors == []
    assert result.ingest_run_id != str(os.getpid())
