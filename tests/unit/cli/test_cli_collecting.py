"""Waiting for jobs: order, limits, and what is said while nothing ends."""

from pathlib import Path

import pytest

from ingestkit_excel.cli.ingest import collect_jobs, submit_jobs
from ingestkit_excel.cli.places import Place
from ingestkit_excel.cli.summary import Ingestion
from ingestkit_excel.clock import SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.spool import Spool
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.execution import MockExecutionBackend

_PATHS = ["a.xlsx", "b.xlsx", "c.xlsx"]


class _Jobs:
    """Jobs that end when the clock says so; ``None`` never ends."""

    def __init__(self, ends_s: dict[str, float | None]) -> None:
        self.clock = FakeClock()
        self.away_until_s = 0.0
        self._ends_s = ends_s

    def has_ended(self, job_id: str, wait_s: float) -> bool:
        """Look, let the time pass when there is nothing, and look again."""
        if self.clock.monotonic() < self.away_until_s:
            raise SpoolError(ErrorCode.E_SPOOL_UNREACHABLE, "cannot read the spool: it is away")
        if not self._is_over(job_id):
            self.clock.advance(wait_s)
        return self._is_over(job_id)

    def _is_over(self, job_id: str) -> bool:
        end_s = self._ends_s[job_id]
        return end_s is not None and self.clock.monotonic() >= end_s


def _run(jobs: _Jobs, *, timeout_s: float | None = None, spool: Spool | None = None) -> Ingestion:
    backend = MockExecutionBackend()
    place = Place(backend, jobs.has_ended, "ask again", spool=spool)
    run = submit_jobs(place, [Path(name) for name in _PATHS], ExcelProcessorConfig())
    collect_jobs(place, run, timeout_s=timeout_s, clock=jobs.clock)
    return run


def test_a_slow_first_job_does_not_hide_that_others_have_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Results are taken as they come."""
    run = _run(_Jobs({"mock-1": 30.0, "mock-2": 0.0, "mock-3": 5.0}))
    assert list(run.results) == ["b.xlsx", "c.xlsx", "a.xlsx"]
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == list(run.results)


def test_the_limit_counts_from_the_last_job_that_ended() -> None:
    """A long queue that moves is not given up; one that stands still is."""
    jobs = _Jobs({"mock-1": 8.0, "mock-2": 16.0, "mock-3": None})
    run = _run(jobs, timeout_s=10.0)
    assert list(run.results) == ["a.xlsx", "b.xlsx"]
    assert run.waiting == {"c.xlsx"}
    assert 26.0 <= jobs.clock.monotonic() < 27.0


def test_without_time_to_wait_each_job_is_looked_at_once() -> None:
    """What has ended is there, however late it was submitted."""
    jobs = _Jobs({"mock-1": None, "mock-2": None, "mock-3": 0.0})
    run = _run(jobs, timeout_s=0.0)
    assert list(run.results) == ["c.xlsx"]
    assert jobs.clock.monotonic() == 0.0


def test_a_share_that_is_away_for_a_while_fails_no_workbook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is said once, and the jobs are waited for."""
    jobs = _Jobs({"mock-1": 0.0, "mock-2": 0.0, "mock-3": 0.0})
    jobs.away_until_s = 20.0
    run = _run(jobs)
    assert len(run.results) == len(_PATHS)
    assert run.failed == 0
    assert capsys.readouterr().err.count("it is away") == 1


def test_silence_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a worker the line says how to start one."""
    spool = Spool.create(tmp_path / "spool", clock=SystemClock())
    # The mock answers when it is asked for the job itself, which is done with each remark.
    _run(_Jobs({"mock-1": None, "mock-2": 30.0, "mock-3": 30.0}), spool=spool)
    told = capsys.readouterr().err
    assert told.count("still waiting: 0 jobs wait") == 1
    assert f"spool-worker --spool {spool.directory}" in told


def test_a_result_that_is_lost_is_that_workbooks_failure() -> None:
    """The others are collected."""
    lost = ExecutionError(ErrorCode.E_EXECUTION_RESULT_LOST, "cannot read the outcome: damaged")
    place = Place(MockExecutionBackend({"a.xlsx": lost}), lambda *_: True, "ask again")
    run = submit_jobs(place, [Path(name) for name in _PATHS], ExcelProcessorConfig())
    collect_jobs(place, run, timeout_s=None)
    assert run.results["a.xlsx"].errors == ["E_EXECUTION_RESULT_LOST"]
    assert run.failed == 1
