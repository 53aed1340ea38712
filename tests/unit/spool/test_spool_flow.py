"""The way of a job through the spool, on a real directory."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestkit_excel.errors import ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.models import ProcessingResult, WrittenArtifacts
from ingestkit_excel.spool import (
    AttemptRecord,
    Completion,
    JobDraft,
    JobState,
    Outcome,
    Spool,
    SpoolSettings,
)
from ingestkit_excel.spool.failures import spool_failure
from ingestkit_excel.spool.fs import NoSpace
from ingestkit_excel.spool.records import OUTCOME_BYTES_MAX
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.slow)])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    """Make a spool that neither syncs nor waits, in memory and on a real disk."""
    settings = SpoolSettings(durability="none", retry_backoff_s=0.0)
    if request.param == "real":
        return Spool.create(tmp_path / "spool", settings)
    clock = FakeClock()
    return Spool.create(tmp_path / "spool", settings, fs=MemoryFileSystem(clock), clock=clock)


def test_submitted_job_is_claimed_and_its_outcome_is_found(spool: Spool) -> None:
    """A job goes from submit over claim to a visible outcome."""
    job_id = spool.submit(DRAFT)
    assert spool.find_state(job_id) is JobState.PENDING
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    assert claim.job.rel == "a.xlsx"
    assert spool.find_state(job_id) is JobState.CLAIMED
    outcome = Outcome(
        job_id=job_id, status="done", worker_id=worker.worker_id, attempt=claim.attempt
    )
    assert worker.complete(claim, outcome) is Completion.PUBLISHED
    assert spool.wait_for_outcome(job_id, 0.0) == outcome
    assert spool.find_state(job_id) is JobState.DONE
    worker.retire()


def test_third_failure_makes_the_job_dead_with_its_history(spool: Spool) -> None:
    """A job that always fails ends with the error and one record for each attempt."""
    job_id = spool.submit(DRAFT)
    worker = spool.enlist(host="here")
    ends = []
    for _ in range(3):
        claim = worker.try_claim()
        assert claim is not None
        ends.append(worker.retry(claim, code=ErrorCode.E_EXECUTION_CRASHED, message="killed"))
    assert ends == [Completion.REQUEUED, Completion.REQUEUED, Completion.DEAD]
    outcome = spool.find_outcome(job_id)
    assert outcome is not None
    assert outcome.status == "dead"
    assert outcome.result is not None
    assert outcome.result.errors == ["E_EXECUTION_CRASHED"]
    assert [record.attempt for record in outcome.attempts] == [1, 2, 3]
    worker.retire()


def test_opening_a_directory_without_a_spool_says_so(tmp_path: Path) -> None:
    """The error names the missing file and what to do."""
    with pytest.raises(SpoolError, match="create the spool there") as caught:
        Spool.open(tmp_path)
    assert caught.value.code is ErrorCode.E_SPOOL_NOT_FOUND


@pytest.mark.slow
def test_outcome_no_reader_would_accept_is_published_smaller(spool: Spool) -> None:
    """The job ends at once, with a code, the counts and where to look.

    Broken on purpose: publishing the large one leaves a result that nobody can ever read.
    """
    job_id = spool.submit(DRAFT)
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    names = [f"{number:036d}" for number in range(OUTCOME_BYTES_MAX // 36)]
    result = ProcessingResult(
        file_path="/x/a.xlsx",
        ingest_key="key-7",
        ingest_run_id="run",
        chunks_created=len(names),
        written=WrittenArtifacts(vector_point_ids=names),
    )
    outcome = Outcome(job_id=job_id, status="done", result=result, worker_id="w", attempt=1)
    assert worker.complete(claim, outcome) is Completion.PUBLISHED
    found = spool.find_outcome(job_id)
    assert found is not None
    assert found.result is not None
    assert (found.status, found.result.errors) == ("failed", ["E_EXECUTION_RESULT_LOST"])
    assert found.result.chunks_created == len(names)
    assert "key-7" in found.result.error_details[0].message
    worker.retire()


@pytest.mark.slow
def test_outcome_whose_history_is_too_large_is_published_too(spool: Spool) -> None:
    """Long tales of failed attempts are cut, not the job."""
    job_id = spool.submit(DRAFT)
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    record = AttemptRecord(
        attempt=1, worker_id="w", code=ErrorCode.E_INTERNAL, message="x" * (OUTCOME_BYTES_MAX // 4)
    )
    outcome = Outcome(
        job_id=job_id, status="dead", worker_id="w", attempt=1, attempts=(record,) * 5
    )
    assert worker.complete(claim, outcome) is Completion.PUBLISHED
    found = spool.find_outcome(job_id)
    assert found is not None
    assert (found.status, len(found.attempts)) == ("dead", 5)
    worker.retire()


@pytest.mark.parametrize("size", [10, OUTCOME_BYTES_MAX + 1])
def test_result_that_is_none_is_told_as_lost(tmp_path: Path, size: int) -> None:
    """Whoever wrote it, waiting longer would not help."""
    disk = MemoryFileSystem()
    spool = Spool.create(tmp_path, fs=disk, clock=FakeClock())
    job_id = spool.submit(DRAFT)
    disk.create(f"results/{job_id[-2:]}/{job_id}.json", b" " * size, durable=False)
    with pytest.raises(ExecutionError) as caught:
        spool.find_outcome(job_id)
    assert caught.value.code is ErrorCode.E_EXECUTION_RESULT_LOST


def test_spool_under_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    """The message names the directory that is not there; the share may not be mounted."""
    with pytest.raises(
        SpoolError, match=f"no directory {re.escape(str(tmp_path))}/none;"
    ) as caught:
        Spool.create(tmp_path / "none" / "spool")
    assert caught.value.code is ErrorCode.E_SPOOL_NOT_FOUND
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("make", [Spool.create, Spool.open])
def test_file_in_place_of_a_spool_is_told(make: Callable[[Path], Spool], tmp_path: Path) -> None:
    """It is not taken for a share that is away."""
    (tmp_path / "spool").touch()
    with pytest.raises(SpoolError, match="correct the path") as caught:
        make(tmp_path / "spool")
    assert caught.value.code is ErrorCode.E_SPOOL_INVALID


@pytest.mark.parametrize("path", ["", ".", "pending/5"])
def test_failure_of_the_disk_is_told_without_gaps(path: str) -> None:
    """A path that says nothing is left out."""
    error = spool_failure("submit to", Path("/spool"), NoSpace(path, "quota exceeded"))
    place = f"{path}: " if path == "pending/5" else ""
    assert error.message.startswith(f"cannot submit to /spool: {place}quota exceeded; free space")
    assert error.code is ErrorCode.E_SPOOL_FULL
