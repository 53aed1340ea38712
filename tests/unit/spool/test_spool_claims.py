"""Which job comes next, and what becomes of jobs that cannot be run."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestkit_excel.errors import ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.spool import (
    Cancellation,
    Completion,
    JobDraft,
    JobState,
    Outcome,
    Spool,
    SpoolSettings,
    SpoolWorker,
)
from ingestkit_excel.spool.fs import Denied, FileSystemError, NoSpace, ReadOnly, Unreachable
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")


@dataclass
class World:
    """A spool in memory."""

    clock: FakeClock
    disk: MemoryFileSystem
    spool: Spool

    def path_of(self, job_id: str) -> str:
        """Where a pending job's file is."""
        for priority in range(10):
            parent = f"pending/{priority}"
            for bucket in self.disk.list_directory(parent):
                for name in self.disk.list_directory(f"{parent}/{bucket}"):
                    if name.startswith(job_id):
                        return f"{parent}/{bucket}/{name}"
        raise AssertionError(job_id)


@pytest.fixture
def world() -> World:
    """Make an empty spool."""
    clock = FakeClock()
    disk = MemoryFileSystem(clock)
    return World(clock, disk, Spool.create(DIRECTORY, fs=disk, clock=clock))


def claim_id(worker: SpoolWorker) -> str | None:
    """Claim a job and give its id."""
    claim = worker.try_claim()
    return None if claim is None else claim.job.job_id


def test_jobs_are_served_in_order_of_submission(world: World) -> None:
    """One worker is strictly first in, first out, also within one millisecond and over buckets."""
    ids = []
    for number in range(100):
        ids.append(world.spool.submit(DRAFT))
        world.clock.advance(0.0 if number % 3 else 1.7)
    assert ids == sorted(ids)
    worker = world.spool.enlist(host="here")
    assert [claim_id(worker) for _ in ids] == ids
    assert claim_id(worker) is None


def test_urgent_job_waits_no_longer_than_the_relist_interval(world: World) -> None:
    """The window of less urgent jobs is put aside for it."""
    for _ in range(5):
        world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    claim_id(worker)
    urgent = world.spool.submit(DRAFT, priority=0)
    assert claim_id(worker) != urgent
    world.clock.advance(world.spool.settings.relist_interval_s + 0.1)
    assert claim_id(worker) == urgent


def test_each_job_goes_to_one_of_two_workers(world: World) -> None:
    """Both work from stale windows and never get the same job."""
    ids = {world.spool.submit(DRAFT) for _ in range(20)}
    one, two = world.spool.enlist(host="one"), world.spool.enlist(host="two")
    claimed = [claim_id(worker) for _ in range(11) for worker in (one, two)]
    served = [job_id for job_id in claimed if job_id is not None]
    assert len(served) == 20
    assert set(served) == ids


def test_priority_out_of_range_is_the_callers_mistake(world: World) -> None:
    """It is a `ValueError`."""
    with pytest.raises(ValueError, match="0 to 9"):
        world.spool.submit(DRAFT, priority=10)


def test_delayed_job_waits_for_its_time(world: World) -> None:
    """A janitor moves it when it is due, and it keeps its priority."""
    job_id = world.spool.submit(DRAFT, not_before_s=30.0, priority=2)
    worker = world.spool.enlist(host="here")
    world.clock.advance(29.0)
    worker.reap()
    assert world.spool.find_state(job_id) is JobState.DELAYED
    world.clock.advance(3.0)
    worker.reap()
    assert world.path_of(job_id).startswith("pending/2/")
    assert claim_id(worker) == job_id


def test_backoff_doubles_up_to_its_cap(world: World) -> None:
    """Failures 0, 1, 2 ... wait 5, 10, 20 ... seconds, at most five minutes."""
    draft = DRAFT.model_copy(update={"max_attempts": 12})
    world.spool.submit(draft)
    worker = world.spool.enlist(host="here")
    for failures in range(10):
        claim = worker.try_claim()
        assert claim is not None
        assert claim.charged_failures == failures
        assert worker.retry(claim, code=ErrorCode.E_INTERNAL, message="") is Completion.REQUEUED
        (name,) = world.disk.list_directory("delayed")
        delay_s = int(name[1 : name.index(".")], 16) - world.clock.wall()
        full_s = min(300.0, 5.0 * 2**failures)
        assert 0.75 * full_s <= delay_s <= full_s + 1
        world.clock.advance(302.0)
        worker.reap()


def test_released_job_comes_back_uncharged(world: World) -> None:
    """The attempt counts as a fence, not as a failure."""
    world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    assert worker.release(claim) is Completion.REQUEUED
    assert worker.release(claim) is Completion.SUPERSEDED
    again = worker.try_claim()
    assert again is not None
    assert (again.attempt, again.charged_failures) == (2, 0)


def test_retiring_worker_gives_its_claims_back(world: World) -> None:
    """Nobody has to wait for its lease."""
    job_id = world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    assert claim_id(worker) == job_id
    worker.retire()
    assert world.spool.find_state(job_id) is JobState.PENDING
    assert world.spool.status().workers == ()


def test_dead_worker_of_the_same_host_is_reaped_at_once(world: World) -> None:
    """Its lock is free, so nobody waits for its lease; the failure is charged."""
    job_id = world.spool.submit(DRAFT)
    fs = FaultyFileSystem(world.disk, Fault.FAILED, 1_000_000)
    dying = Spool.open(DIRECTORY, fs=fs, clock=world.clock).enlist(host="here")
    assert claim_id(dying) == job_id
    living = world.spool.enlist(host="here")
    living.reap()
    assert world.spool.find_state(job_id) is JobState.CLAIMED
    fs.crash()
    living.reap()
    claim = living.try_claim()
    assert claim is not None
    assert (claim.attempt, claim.charged_failures) == (2, 1)


def test_stuck_janitor_lock_delays_reaping_and_does_not_stop_it(world: World) -> None:
    """The lock saves work; where it hangs, the round is done all the same."""
    job_id = world.spool.submit(DRAFT, not_before_s=1.0)
    worker = world.spool.enlist(host="here")
    host_hash = worker.worker_id.rpartition("-")[2]
    assert world.disk.try_lock(f"workers/janitor-{host_hash}.lock") is not None
    world.clock.advance(5.0)
    states = []
    for _ in range(3):
        worker.reap()
        states.append(world.spool.find_state(job_id))
    assert states == [JobState.DELAYED, JobState.DELAYED, JobState.PENDING]


def test_job_whose_workers_keep_dying_becomes_dead(world: World) -> None:
    """After the last allowed failure the next claimer gives it up instead of running it."""
    job_id = world.spool.submit(DRAFT)
    living = world.spool.enlist(host="here")
    for _ in range(3):
        fs = FaultyFileSystem(world.disk, Fault.FAILED, 1_000_000)
        dying = Spool.open(DIRECTORY, fs=fs, clock=world.clock).enlist(host="here")
        assert claim_id(dying) == job_id
        fs.crash()
        living.reap()
    assert claim_id(living) is None
    outcome = world.spool.find_outcome(job_id)
    assert outcome is not None
    assert outcome.status == "dead"
    assert [record.code for record in outcome.attempts] == [ErrorCode.E_EXECUTION_CRASHED] * 3
    assert world.spool.find_state(job_id) is JobState.DEAD


def test_altered_job_is_rejected_with_an_outcome(world: World) -> None:
    """Its submitter learns why; it is not tried again."""
    job_id = world.spool.submit(DRAFT)
    world.disk.rewrite(world.path_of(job_id), b'{"root": "etc"}')
    worker = world.spool.enlist(host="here")
    assert claim_id(worker) is None
    outcome = world.spool.find_outcome(job_id)
    assert outcome is not None
    assert outcome.status == "rejected"
    assert outcome.result is not None
    assert outcome.result.errors == ["E_EXECUTION_REJECTED"]
    assert "digest" in outcome.result.error_details[0].message


def test_strange_names_are_left_alone_and_strange_files_put_aside(world: World) -> None:
    """A name off the grammar is not ours; a directory under a job's name goes to quarantine."""
    job_id = world.spool.submit(DRAFT)
    path = world.path_of(job_id)
    bucket = path.rpartition("/")[0]
    world.disk.create(f"{bucket}/.nfs0001", b"", durable=False)
    world.disk.create(f"{bucket}/notes.txt", b"", durable=False)
    world.disk.remove(path)
    world.disk.make_directory(path)
    worker = world.spool.enlist(host="here")
    assert claim_id(worker) is None
    assert world.spool.status().quarantined == 1
    assert sorted(world.disk.list_directory(bucket)) == [".nfs0001", "notes.txt"]


def test_job_of_a_newer_format_is_left_for_newer_workers(world: World) -> None:
    """It stays pending, whole."""
    job_id = world.spool.submit(DRAFT)
    path = world.path_of(job_id)
    world.disk.rename(path, path.replace(".v1.", ".v2."))
    assert claim_id(world.spool.enlist(host="here")) is None
    assert world.spool.find_state(job_id) is JobState.PENDING


def test_cancelled_job_is_ended_by_the_next_claimer(world: World) -> None:
    """Whoever takes it publishes the cancellation instead of running it."""
    job_id = world.spool.submit(DRAFT)
    assert world.spool.cancel(job_id) is Cancellation.REQUESTED
    assert world.spool.cancel(job_id) is Cancellation.REQUESTED
    assert claim_id(world.spool.enlist(host="here")) is None
    assert world.spool.find_state(job_id) is JobState.CANCELLED
    assert world.spool.cancel(job_id) is Cancellation.TOO_LATE
    assert world.spool.cancel("j" + "0" * 32) is Cancellation.UNKNOWN


def test_running_job_can_be_cancelled(world: World) -> None:
    """Its worker sees the wish."""
    job_id = world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    assert not worker.is_cancelled(claim)
    world.spool.cancel(job_id)
    assert worker.is_cancelled(claim)


def test_committed_outcome_is_revealed_by_any_janitor(world: World) -> None:
    """A worker that died between commit and reveal loses nothing."""
    job_id = world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    outcome = Outcome(job_id=job_id, status="done", worker_id=worker.worker_id, attempt=1)
    worker.complete(claim, outcome)
    shown = f"results/{job_id[-2:]}/{job_id}.json"
    world.disk.rename(shown, f"prep/{claim.stem}.out")
    assert world.spool.find_outcome(job_id) is None
    assert world.spool.find_state(job_id) is JobState.DONE
    world.spool.enlist(host="other").reap()
    assert world.spool.find_outcome(job_id) == outcome


def test_wait_gives_up_after_its_timeout(world: World) -> None:
    """The job still stands."""
    job_id = world.spool.submit(DRAFT)
    started_s = world.clock.monotonic()
    assert world.spool.wait_for_outcome(job_id, 10.0) is None
    assert world.clock.monotonic() - started_s == pytest.approx(10.0)
    assert world.spool.find_state(job_id) is JobState.PENDING


def test_damaged_outcome_is_waited_for_and_then_reported(world: World) -> None:
    """Bytes may arrive late; after a minute they will not."""
    job_id = world.spool.submit(DRAFT)
    shown = f"results/{job_id[-2:]}/{job_id}.json"
    world.disk.create(shown, b"{}\n{}\n", durable=False)
    started_s = world.clock.monotonic()
    with pytest.raises(ExecutionError) as caught:
        world.spool.wait_for_outcome(job_id, None)
    assert caught.value.code is ErrorCode.E_EXECUTION_RESULT_LOST
    assert caught.value.job_id == job_id
    assert world.clock.monotonic() - started_s >= 60.0


def test_key_of_another_workbook_is_refused(world: World) -> None:
    """One key is one request."""
    world.spool.submit(DRAFT, key="k")
    with pytest.raises(ExecutionError, match="use a new key") as caught:
        world.spool.submit(DRAFT.model_copy(update={"rel": "b.xlsx"}), key="k")
    assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT


def test_status_counts_each_state(world: World) -> None:
    """Counts, priorities, workers and the age of the oldest."""
    world.spool.submit(DRAFT, priority=1)
    world.clock.advance(7.0)
    for _ in range(2):
        world.spool.submit(DRAFT)
    world.spool.submit(DRAFT, not_before_s=60.0)
    status = world.spool.status()
    assert (status.pending, status.delayed, status.claimed) == (3, 1, 0)
    assert status.pending_by_priority == {1: 1, 5: 2}
    assert status.oldest_waiting_s == pytest.approx(7.0, abs=0.01)
    worker = world.spool.enlist(host="here")
    worker.try_claim()
    assert world.spool.status().claimed == 1
    assert world.spool.status().workers == (worker.worker_id,)


def test_newer_format_is_named_and_left_alone(world: World) -> None:
    """The message says to install a newer version."""
    world.disk.rewrite("spool.json", b'{"format": 2}')
    with pytest.raises(SpoolError, match="install a newer version") as caught:
        Spool.open(DIRECTORY, fs=world.disk)
    assert caught.value.code is ErrorCode.E_SPOOL_NEWER_FORMAT


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": 1, "lease_duration_s": -1}'])
def test_damaged_settings_are_invalid(world: World, data: bytes) -> None:
    """Nothing is guessed."""
    world.disk.rewrite("spool.json", data)
    with pytest.raises(SpoolError) as caught:
        Spool.open(DIRECTORY, fs=world.disk)
    assert caught.value.code is ErrorCode.E_SPOOL_INVALID


def test_creating_twice_keeps_the_first_settings(world: World) -> None:
    """The second creator opens what is there."""
    again = Spool.create(DIRECTORY, SpoolSettings(claim_window=3), fs=world.disk)
    assert again.settings == world.spool.settings


class FailingDisk(MemoryFileSystem):
    """A disk on which nothing can be made."""

    def __init__(self, kind: type[FileSystemError]) -> None:
        super().__init__()
        self.kind = kind

    def create(self, path: str, data: bytes, *, durable: bool) -> None:  # noqa: ARG002
        """Fail as told."""
        raise self.kind(path)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (NoSpace, ErrorCode.E_SPOOL_FULL),
        (Denied, ErrorCode.E_SPOOL_PERMISSION),
        (ReadOnly, ErrorCode.E_SPOOL_READ_ONLY),
        (Unreachable, ErrorCode.E_SPOOL_UNREACHABLE),
    ],
)
def test_each_failure_of_the_disk_has_its_code(
    kind: type[FileSystemError], code: ErrorCode
) -> None:
    """And the message says what to do."""
    with pytest.raises(SpoolError, match="; ") as caught:
        Spool.create(DIRECTORY, fs=FailingDisk(kind))
    assert caught.value.code is code
