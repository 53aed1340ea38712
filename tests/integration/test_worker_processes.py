"""Real workers, as processes, on a real spool."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import pytest

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.execution import DistributedExecutionBackend
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.router import create_default_router
from ingestkit_excel.spool import JobState, Spool, SpoolSettings
from spool_worker.cli import ExitCode

pytestmark = pytest.mark.slow

CONFIG = ExcelProcessorConfig(execution_job_timeout=60.0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Give a spool on a share of its own."""
    (tmp_path / "share").mkdir()
    settings = SpoolSettings(durability="none", retry_backoff_s=0.0)
    return Spool.create(tmp_path / "share" / "spool", settings)


def _write_workbook(path: Path, rows: int = 20) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(["item", "amount", "price"])
    for row in range(rows):
        sheet.append([f"part {row}", row, row * 1.5])
    workbook.save(path)
    return path


@contextmanager
def _worker(spool: Spool, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "spool_worker", "--spool", str(spool.directory), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + timeout_s
    while not condition():
        assert clock.monotonic() < deadline, "it did not happen in time"
        clock.sleep(0.02)


def _wait_for_state(spool: Spool, job_id: str, state: JobState) -> None:
    _wait_until(lambda: spool.find_state(job_id) is state)


def _children_of(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def test_a_draining_worker_ingests_what_was_submitted(spool: Spool) -> None:
    """The result comes back with the path as submitted, and the store is beside the spool."""
    share = spool.directory.parent
    backend = DistributedExecutionBackend(f"spool://{spool.directory}")
    paths = [_write_workbook(share / f"{name}.xlsx") for name in ("a", "b", "c")]
    jobs = [backend.submit(str(path), CONFIG) for path in paths]
    with _worker(spool, "--drain", "--concurrency", "2") as worker:
        results = [backend.get_result(job, timeout=60) for job in jobs]
        assert worker.wait(30) == ExitCode.OK
    assert [result.file_path for result in results] == [str(path) for path in paths]
    assert [result.errors for result in results] == [[], [], []]
    assert all(result.tables_created == 1 for result in results)
    assert (share / "ingestkit-store").is_dir()


def test_a_worker_gives_the_same_results_as_this_process(spool: Spool) -> None:
    """Apart from run ids and times, where a workbook is processed makes no difference."""
    share = spool.directory.parent
    paths = [str(_write_workbook(share / "a.xlsx")), str(_write_workbook(share / "b.xlsx", rows=3))]
    (share / "broken.xlsx").write_bytes(b"no workbook")
    paths.append(str(share / "broken.xlsx"))
    here = create_default_router(f"bundle://{share / 'here'}", config=CONFIG).process_batch(paths)
    there = create_default_router(
        "memory://", config=CONFIG, execution=DistributedExecutionBackend(spool.directory)
    )
    with _worker(spool):
        results = there.process_batch(paths)
    assert [_comparable(result) for result in results] == [_comparable(result) for result in here]


def test_attached_workbooks_give_the_same_results_as_here(spool: Spool, tmp_path: Path) -> None:
    """A worker that cannot see them names tables and errors as this process does."""
    home = tmp_path / "home"
    home.mkdir()
    paths = [str(_write_workbook(home / "Sales 2024.xlsx")), str(home / "broken.xlsx")]
    (home / "broken.xlsx").write_bytes(b"no workbook")
    here = create_default_router(f"bundle://{home / 'here'}", config=CONFIG).process_batch(paths)
    backend = DistributedExecutionBackend(spool.directory, attach=True)
    jobs = [backend.submit(path, CONFIG) for path in paths]
    for path in paths:
        Path(path).unlink()
    with _worker(spool, "--drain") as worker:
        assert worker.wait(60) == ExitCode.OK
    results = [backend.get_result(job, timeout=5) for job in jobs]
    assert results[0].tables_created == 1
    assert [_comparable(result) for result in results] == [_comparable(result) for result in here]


def _comparable(result: ProcessingResult) -> dict[str, object]:
    times = {"parse_duration_seconds", "classification_duration_seconds", "embed_duration_seconds"}
    fields = result.model_dump(exclude={"ingest_run_id", "processing_time_seconds"})
    for stage in fields.values():
        if isinstance(stage, dict):
            for name in times & stage.keys():
                del stage[name]
    return fields


def test_a_job_of_a_killed_worker_is_finished_by_another(spool: Spool) -> None:
    """SIGKILL loses no job, and its child does not outlive the worker."""
    backend = DistributedExecutionBackend(spool.directory)
    path = _write_workbook(spool.directory.parent / "a.xlsx", rows=2000)
    job = backend.submit(str(path), CONFIG)
    with _worker(spool) as first:
        _wait_for_state(spool, job, JobState.CLAIMED)
        children = _children_of(first.pid)
        first.send_signal(signal.SIGKILL)
        first.wait(30)
    assert spool.find_outcome(job) is None
    _wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    with _worker(spool) as second:
        result = backend.get_result(job, timeout=60)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == ExitCode.OK
    assert result.errors == []
    outcome = spool.find_outcome(job)
    assert outcome is not None
    assert outcome.attempt == 2


def test_a_worker_told_to_stop_finishes_its_job(spool: Spool) -> None:
    """SIGTERM within the grace loses no work and claims no more."""
    backend = DistributedExecutionBackend(spool.directory)
    paths = [_write_workbook(spool.directory.parent / f"{name}.xlsx") for name in ("a", "b")]
    jobs = [backend.submit(str(path), CONFIG) for path in paths]
    with _worker(spool) as worker:
        _wait_for_state(spool, jobs[0], JobState.CLAIMED)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == ExitCode.OK
    assert [spool.find_state(job) for job in jobs] == [JobState.DONE, JobState.PENDING]


def test_a_second_signal_gives_the_job_back_uncharged(spool: Spool) -> None:
    """The job waits again, as if it had not been tried."""
    backend = DistributedExecutionBackend(spool.directory)
    path = _write_workbook(spool.directory.parent / "a.xlsx", rows=20_000)
    job = backend.submit(str(path), CONFIG)
    with _worker(spool) as worker:
        _wait_for_state(spool, job, JobState.CLAIMED)
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        assert worker.wait(30) == ExitCode.OK
    assert spool.find_state(job) is JobState.PENDING


def test_a_workbook_deleted_before_its_turn_fails_with_its_reason(spool: Spool) -> None:
    """The submitter gets a result, not a dead job."""
    backend = DistributedExecutionBackend(spool.directory)
    share = spool.directory.parent
    jobs = [
        backend.submit(str(_write_workbook(share / f"{name}.xlsx")), CONFIG)
        for name in ("gone", "changed")
    ]
    (share / "gone.xlsx").unlink()
    _write_workbook(share / "changed.xlsx", rows=50)
    with _worker(spool, "--drain") as worker:
        assert worker.wait(60) == ExitCode.OK
    results = [backend.get_result(job, timeout=5) for job in jobs]
    assert [r.errors for r in results] == [["E_SOURCE_NOT_FOUND"], ["E_SOURCE_CHANGED"]]


def test_a_worker_waits_for_a_spool_that_goes_away(spool: Spool, tmp_path: Path) -> None:
    """As when a share is unmounted and mounted again: it takes up its work."""
    away, log = tmp_path / "share" / "away", tmp_path / "worker.log"
    path = _write_workbook(spool.directory.parent / "a.xlsx")
    command = [sys.executable, "-m", "spool_worker", "--spool", str(spool.directory)]
    with open(log, "wb") as stream, subprocess.Popen(command, stderr=stream) as worker:
        try:
            _wait_until(lambda: "worker_started" in log.read_text())
            spool.directory.rename(away)
            spool.directory.mkdir()
            # A janitor's round may fail first; that it is over is told of claims only.
            _wait_until(lambda: "cannot claim a job" in log.read_text())
            spool.directory.rmdir()
            away.rename(spool.directory)
            backend = DistributedExecutionBackend(spool)
            job = backend.submit(str(path), CONFIG)
            assert backend.get_result(job, timeout=60).errors == []
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == ExitCode.OK
        finally:
            worker.kill()
    assert "spool_recovered" in log.read_text()


def test_a_running_job_is_stopped_when_it_is_cancelled(spool: Spool) -> None:
    """The worker goes on with the next job."""
    backend = DistributedExecutionBackend(spool.directory)
    share = spool.directory.parent
    large = backend.submit(str(_write_workbook(share / "large.xlsx", rows=40_000)), CONFIG)
    small = backend.submit(str(_write_workbook(share / "small.xlsx")), CONFIG)
    with _worker(spool):
        _wait_for_state(spool, large, JobState.CLAIMED)
        backend.cancel(large)
        _wait_for_state(spool, large, JobState.CANCELLED)
        assert backend.get_result(small, timeout=60).errors == []


def test_a_job_cancelled_before_its_turn_is_not_run(spool: Spool) -> None:
    """Asking for its result raises the code for it."""
    backend = DistributedExecutionBackend(spool.directory)
    job = backend.submit(str(_write_workbook(spool.directory.parent / "a.xlsx")), CONFIG)
    backend.cancel(job)
    with _worker(spool, "--drain") as worker:
        assert worker.wait(60) == ExitCode.OK
    with pytest.raises(ExecutionError) as caught:
        backend.get_result(job, timeout=5)
    assert caught.value.code is ErrorCode.E_EXECUTION_CANCELLED


def _exit_of_worker(directory: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "spool_worker", "--spool", str(directory)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (None, ExitCode.SPOOL_NOT_FOUND),
        ("garbage", ExitCode.SPOOL_INVALID),
        ('{"format": 99}', ExitCode.SPOOL_NEWER_FORMAT),
    ],
)
def test_a_directory_that_cannot_be_used_has_its_own_exit_code(
    tmp_path: Path, settings: str | None, code: ExitCode
) -> None:
    """One line tells the reason."""
    if settings is not None:
        (tmp_path / "spool.json").write_text(settings)
    returncode, stderr = _exit_of_worker(tmp_path)
    assert returncode == code
    assert stderr.count("\n") == 1
    assert str(tmp_path) in stderr


def test_a_spool_everybody_may_write_to_is_refused(spool: Spool) -> None:
    """Whoever can write jobs decides what is read and where results go."""
    spool.directory.chmod(0o777)
    returncode, stderr = _exit_of_worker(spool.directory)
    assert returncode == ExitCode.SPOOL_PERMISSION
    assert "chmod o-w" in stderr
