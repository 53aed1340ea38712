"""Every operation of a job's way is made to fail once; afterwards the job must still end once."""

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from ingestkit_excel.errors import ErrorCode, SpoolError
from ingestkit_excel.spool import (
    Claim,
    Completion,
    JobDraft,
    JobState,
    Outcome,
    Spool,
    SpoolSettings,
    SpoolWorker,
)
from ingestkit_excel.spool.fs import NoSpace, Unreachable
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import (
    Fault,
    FaultyFileSystem,
    HookedFileSystem,
    MemoryFileSystem,
    SimulatedCrash,
)

T = TypeVar("T")
DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")
OPERATIONS_MAX = 200  # far more than any scenario takes


@dataclass
class World:
    """One disk and one clock, with a healthy view and one that fails."""

    clock: FakeClock
    disk: MemoryFileSystem
    healthy: Spool

    def faulty(self, fault: Fault, fault_at: int) -> tuple[FaultyFileSystem, Spool]:
        """Give a view whose operation ``fault_at`` counts from after opening."""
        opening = 1
        fs = FaultyFileSystem(self.disk, fault, fault_at + opening)
        return fs, Spool.open(DIRECTORY, fs=fs, clock=self.clock)


def make_world() -> World:
    """Make an empty spool in memory."""
    clock = FakeClock()
    disk = MemoryFileSystem(clock)
    settings = SpoolSettings(retry_backoff_s=0.0)
    return World(clock, disk, Spool.create(DIRECTORY, settings, fs=disk, clock=clock))


def outcome_of(claim: Claim, worker: SpoolWorker) -> Outcome:
    """Give what a worker that succeeded would publish."""
    return Outcome(
        job_id=claim.job.job_id, status="done", worker_id=worker.worker_id, attempt=claim.attempt
    )


def run_healthy_worker(world: World) -> None:
    """Let one sound worker do all there is to do, with time for leases to lapse."""
    worker = world.healthy.enlist(host="healthy")
    for _ in range(20):  # ten seconds each: lapsed leases need 60 s and four looks
        world.clock.advance(10.0)
        worker.renew()
        worker.reap()
        while (claim := worker.try_claim()) is not None:
            worker.complete(claim, outcome_of(claim, worker))
    worker.retire()


def work_once(spool: Spool) -> None:
    """Take one job and complete it, calling again after errors, as the daemon does."""
    worker = again(lambda: spool.enlist(host="faulty"))
    claim = again(worker.try_claim)
    if claim is not None:
        held = claim
        again(lambda: worker.complete(held, outcome_of(held, worker)))
    again(worker.reap)
    again(worker.retire)


def again(step: Callable[[], T]) -> T:
    """Call until the disk lets it happen; faults strike once."""
    for _ in range(2):
        with contextlib.suppress(SpoolError):
            return step()
    return step()


def check_ended_once(world: World, job_id: str) -> Outcome:
    """Check that a job has one outcome and stands in one place."""
    outcome = world.healthy.find_outcome(job_id)
    assert outcome is not None
    assert outcome.status == "done"
    status = world.healthy.status()
    assert (status.pending, status.delayed, status.claimed, status.dead) == (0, 0, 0, 0)
    assert status.quarantined == 0
    assert world.healthy.find_state(job_id) is JobState.DONE
    assert world.disk.list_directory("claims") == []
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("fault", list(Fault))
def test_job_ends_exactly_once_whatever_operation_fails(fault: Fault) -> None:
    """Sweep the fault over enlist, claim, complete, reap and retire.

    Broken on purpose: revealing before fencing makes the crash cases fail.
    """
    for fault_at in itertools.count(1):
        assert fault_at < OPERATIONS_MAX
        world = make_world()
        job_id = world.healthy.submit(DRAFT)
        fs, spool = world.faulty(fault, fault_at)
        with contextlib.suppress(SimulatedCrash):
            work_once(spool)
        was_hit = fs.was_hit
        fs.crash()  # whatever it was, this process is gone now
        run_healthy_worker(world)
        outcome = check_ended_once(world, job_id)
        assert outcome.attempt <= 3
        if not was_hit:
            return


@pytest.mark.parametrize("fault", list(Fault))
def test_submit_is_whole_or_nothing_whatever_operation_fails(fault: Fault) -> None:
    """A submit that returns has made the job; one that fails has made at most one whole job."""
    for fault_at in itertools.count(1):
        assert fault_at < OPERATIONS_MAX
        world = make_world()
        fs, spool = world.faulty(fault, fault_at)
        job_id = None
        with contextlib.suppress(SimulatedCrash, SpoolError):
            job_id = spool.submit(DRAFT)
        status = world.healthy.status()
        assert status.pending <= 1
        worker = world.healthy.enlist(host="healthy")
        claim = worker.try_claim()
        assert (claim is not None) == (status.pending == 1)
        if job_id is not None:
            assert claim is not None
            assert claim.job.job_id == job_id
        if not fs.was_hit:
            assert job_id is not None
            return


@pytest.mark.parametrize("fault", list(Fault))
def test_key_gives_one_job_whatever_operation_fails(fault: Fault) -> None:
    """After a first submitter of a key failed anywhere, the next gets a job that exists."""
    for fault_at in itertools.count(1):
        assert fault_at < OPERATIONS_MAX
        world = make_world()
        fs, spool = world.faulty(fault, fault_at)
        with contextlib.suppress(SimulatedCrash, SpoolError):
            spool.submit(DRAFT, key="invoice-7")
        job_id = world.healthy.submit(DRAFT, key="invoice-7")
        assert world.healthy.find_state(job_id) is JobState.PENDING
        assert world.healthy.status().pending == 1
        if not fs.was_hit:
            return


@pytest.mark.parametrize("fault", list(Fault))
def test_failed_job_is_tried_again_whatever_operation_fails(fault: Fault) -> None:
    """A retry that fails anywhere charges the job once and loses nothing."""
    for fault_at in itertools.count(1):
        assert fault_at < OPERATIONS_MAX
        world = make_world()
        job_id = world.healthy.submit(DRAFT)
        fs, spool = world.faulty(fault, 1_000_000)
        worker = spool.enlist(host="faulty")
        claim = worker.try_claim()
        assert claim is not None
        arm(fs, fault_at)
        with contextlib.suppress(SimulatedCrash):
            fail_once(worker, claim)
        was_hit = fs.was_hit
        fs.crash()
        run_healthy_worker(world)
        outcome = check_ended_once(world, job_id)
        assert outcome.attempt == 2
        assert len(outcome.attempts) <= 1
        if not was_hit:
            return


def fail_once(worker: SpoolWorker, claim: Claim) -> None:
    """Report one failure of a job, calling again after errors."""
    again(lambda: worker.retry(claim, code=ErrorCode.E_INTERNAL, message="boom"))


def arm(fs: FaultyFileSystem, fault_at: int) -> None:
    """Count the fault from now on."""
    fs.operations = 0
    fs.fault_at = fault_at


def test_superseded_worker_cannot_publish() -> None:
    """A worker that was taken for dead while it ran gets nothing published."""
    world = make_world()
    job_id = world.healthy.submit(DRAFT)
    paused = world.healthy.enlist(host="elsewhere")
    claim = paused.try_claim()
    assert claim is not None
    run_healthy_worker(world)
    published = world.healthy.find_outcome(job_id)
    assert published is not None
    assert published.attempt == 2
    late = outcome_of(claim, paused)
    assert paused.complete(claim, late) is Completion.SUPERSEDED
    assert world.healthy.find_outcome(job_id) == published


def test_superseded_worker_shows_nothing_before_the_new_one_commits() -> None:
    """While another worker runs the job, the late one is stopped by the fence alone.

    Broken on purpose: revealing without a successful fence makes this fail.
    """
    world = make_world()
    job_id = world.healthy.submit(DRAFT)
    paused = world.healthy.enlist(host="elsewhere")
    late = paused.try_claim()
    assert late is not None
    worker = world.healthy.enlist(host="healthy")
    for _ in range(10):
        world.clock.advance(10.0)
        worker.reap()
    claim = worker.try_claim()
    assert claim is not None
    assert paused.complete(late, outcome_of(late, paused)) is Completion.SUPERSEDED
    assert world.healthy.find_outcome(job_id) is None
    assert worker.complete(claim, outcome_of(claim, worker)) is Completion.PUBLISHED


@pytest.mark.parametrize("fault", [Fault.RETRIED, Fault.REPORTED_FAILED, Fault.FAILED])
def test_worker_that_lives_learns_that_it_published(fault: Fault) -> None:
    """A lost reply is not taken for a lost race.

    Broken on purpose: answering "no such file" without a look at the target makes this fail.
    """
    for fault_at in itertools.count(1):
        assert fault_at < OPERATIONS_MAX
        world = make_world()
        world.healthy.submit(DRAFT)
        fs, spool = world.faulty(fault, 1_000_000)
        worker = spool.enlist(host="faulty")
        arm(fs, fault_at)
        claim = again(worker.try_claim)
        assert claim is not None
        assert complete_at_last(worker, claim) is Completion.PUBLISHED
        if not fs.was_hit:
            return


def complete_at_last(worker: SpoolWorker, claim: Claim) -> Completion:
    """Complete, calling again after errors."""
    return again(lambda: worker.complete(claim, outcome_of(claim, worker)))


def test_torn_preparation_is_never_shown() -> None:
    """Torn bytes under the attempt's name make the worker take the next number.

    Broken on purpose: taking any existing preparation for ours makes this fail.
    """
    world = make_world()
    job_id = world.healthy.submit(DRAFT)
    worker = world.healthy.enlist(host="healthy")
    claim = worker.try_claim()
    assert claim is not None
    world.disk.create(f"prep/{claim.stem}.out", b'{"format":1', durable=False)
    assert worker.complete(claim, outcome_of(claim, worker)) is Completion.PUBLISHED
    outcome = world.healthy.find_outcome(job_id)
    assert outcome is not None
    assert outcome.attempt == 2


def test_outcome_whose_sync_failed_is_written_anew() -> None:
    """What the system shows of a file that it could not sync may never have reached the disk.

    Broken on purpose: taking equal bytes for a preparation that succeeded makes this fail.
    """
    world = make_world()
    world.healthy.submit(DRAFT)
    fs = HookedFileSystem(world.disk)
    worker = Spool.open(DIRECTORY, fs=fs, clock=world.clock).enlist(host="healthy")
    claim = worker.try_claim()
    assert claim is not None
    outcome = outcome_of(claim, worker)
    unsynced: list[int] = []

    def fail_to_sync(name: str, path: str) -> None:
        if name == "create" and path.startswith("prep/") and not unsynced:
            unsynced.append(world.disk.stamp(path).inode)
            raise Unreachable(path, "EIO in fsync")

    fs.after = fail_to_sync
    fs.before = lambda name, path: refuse(name, path, "remove", "prep/")
    with pytest.raises(SpoolError):
        worker.complete(claim, outcome)
    fs.before = None
    assert worker.complete(claim, outcome) is Completion.PUBLISHED
    job_id = claim.job.job_id
    assert world.disk.stamp(f"results/{job_id[-2:]}/{job_id}.json").inode not in unsynced


def refuse(name: str, path: str, operation: str, beginning: str) -> None:
    """Fail one kind of operation below a directory."""
    if name == operation and path.startswith(beginning):
        raise Unreachable(path, "made to fail")


def test_full_disk_costs_an_outcome_no_names() -> None:
    """However often a worker tries, the attempt number and prep/ do not grow."""
    world = make_world()
    world.healthy.submit(DRAFT)
    fs = HookedFileSystem(world.disk)
    worker = Spool.open(DIRECTORY, fs=fs, clock=world.clock).enlist(host="healthy")
    claim = worker.try_claim()
    assert claim is not None

    def run_full(name: str, path: str) -> None:
        if name == "create" and path.startswith("prep/"):
            raise NoSpace(path, "quota")

    fs.after = run_full
    for _ in range(100):
        with pytest.raises(SpoolError):
            worker.complete(claim, outcome_of(claim, worker))
    fs.after = None
    assert worker.complete(claim, outcome_of(claim, worker)) is Completion.PUBLISHED
    outcome = world.healthy.find_outcome(claim.job.job_id)
    assert outcome is not None
    assert outcome.attempt == 1


def test_something_odd_under_a_prepared_name_is_walked_round() -> None:
    """A directory there makes the worker take the next number."""
    world = make_world()
    world.healthy.submit(DRAFT)
    worker = world.healthy.enlist(host="healthy")
    claim = worker.try_claim()
    assert claim is not None
    world.disk.make_directory(f"prep/{claim.stem}.out")
    assert worker.complete(claim, outcome_of(claim, worker)) is Completion.PUBLISHED


def test_worker_taken_for_dead_enlists_anew() -> None:
    """It learns of it by renewing, and claims under a new id."""
    world = make_world()
    paused = world.healthy.enlist(host="elsewhere")
    old_id = paused.worker_id
    run_healthy_worker(world)
    job_id = world.healthy.submit(DRAFT)
    paused.renew()
    claim = paused.try_claim()
    assert claim is not None
    assert claim.job.job_id == job_id
    assert paused.worker_id != old_id
