"""What a call has acknowledged survives a power cut, even on a disk that keeps nothing unsynced."""

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.spool import (
    Cancellation,
    Claim,
    Completion,
    JobDraft,
    JobState,
    Outcome,
    Spool,
    SpoolSettings,
    SpoolWorker,
)
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, SimulatedCrash
from ingestkit_excel.testing.volatile import VolatileFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")
CONTENT = b"a workbook"
OPERATIONS_MAX = 200  # far more than any scenario takes


@dataclass
class World:
    """A spool on a disk whose power can be cut."""

    clock: FakeClock
    disk: VolatileFileSystem
    spool: Spool

    def cut_power(self) -> Spool:
        """Cut it, and open what is left."""
        self.disk.cut_power()
        self.spool = Spool.open(DIRECTORY, fs=self.disk, clock=self.clock)
        return self.spool

    def work(self) -> list[str]:
        """Let one worker do all there is to do, taking back what others held."""
        worker = self.spool.enlist(host="another")
        done = []
        for _ in range(20):
            self.clock.advance(10.0)
            worker.renew()
            worker.reap()
            while (claim := worker.try_claim()) is not None:
                worker.complete(claim, outcome_of(claim, run_s=2.0))
                done.append(claim.job.job_id)
        return done


@pytest.fixture
def world() -> World:
    """Make one."""
    return make_world()


def make_world() -> World:
    """Make an empty spool."""
    clock = FakeClock()
    disk = VolatileFileSystem(clock)
    settings = SpoolSettings(retry_backoff_s=0.0)
    return World(clock, disk, Spool.create(DIRECTORY, settings, fs=disk, clock=clock))


def outcome_of(claim: Claim, run_s: float = 1.0) -> Outcome:
    """Give what a worker that succeeded would publish."""
    return Outcome(
        job_id=claim.job.job_id,
        status="done",
        worker_id=claim.worker_id,
        attempt=claim.attempt,
        run_s=run_s,
    )


def claim_one(world: World) -> tuple[SpoolWorker, Claim]:
    """Claim the job that is there."""
    worker = world.spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    return worker, claim


def test_new_spool_survives(world: World) -> None:
    """All its directories are there, so it can be used at once."""
    spool = world.cut_power()
    job_id = spool.submit(DRAFT)
    assert world.work() == [job_id]


@pytest.mark.parametrize("key", [None, "invoice-7"])
@pytest.mark.parametrize("not_before_s", [None, 30.0])
def test_submitted_job_survives(world: World, key: str | None, not_before_s: float | None) -> None:
    """Whole, once, and under its key.

    Broken on purpose: not syncing the bucket, or what holds the bucket, loses the job.
    """
    job_id = world.spool.submit(DRAFT, key=key, not_before_s=not_before_s)
    spool = world.cut_power()
    assert spool.find_state(job_id) is not JobState.UNKNOWN
    if key is not None:
        assert spool.submit(DRAFT, key=key) == job_id
    assert world.work() == [job_id]


def test_attached_workbook_survives_with_its_job(world: World, tmp_path: Path) -> None:
    """Whole, or the job would be for nothing."""
    (tmp_path / "a.xlsx").write_bytes(CONTENT)
    world.spool.submit(DRAFT, attach=tmp_path / "a.xlsx")
    world.cut_power()
    _, claim = claim_one(world)
    assert claim.job.blob_sha256 is not None
    world.spool.fetch_attachment(claim.job.blob_sha256, tmp_path / "copy", max_bytes=99)
    assert (tmp_path / "copy").read_bytes() == CONTENT


def test_outcome_survives(world: World) -> None:
    """The work of the first attempt is not done again.

    Broken on purpose: not syncing prep before the fence loses an outcome that was committed.
    """
    job_id = world.spool.submit(DRAFT)
    worker, claim = claim_one(world)
    assert worker.complete(claim, outcome_of(claim)) is Completion.PUBLISHED
    spool = world.cut_power()
    assert world.work() == []
    outcome = spool.find_outcome(job_id)
    assert outcome is not None
    assert outcome.run_s == 1.0


def give_up(worker: SpoolWorker, claim: Claim) -> None:
    """Do nothing more."""


def fail(worker: SpoolWorker, claim: Claim) -> None:
    """Report a failure."""
    worker.retry(claim, code=ErrorCode.E_INTERNAL, message="boom")


def release(worker: SpoolWorker, claim: Claim) -> None:
    """Give the job back."""
    worker.release(claim)


def put_off(worker: SpoolWorker, claim: Claim) -> None:
    """Give the job back for later."""
    worker.release(claim, delay_s=30.0)


@pytest.mark.parametrize("end", [give_up, fail, release, put_off])
def test_claimed_job_survives_whatever_became_of_the_claim(
    world: World, end: Callable[[SpoolWorker, Claim], None]
) -> None:
    """It stands once, and is done once."""
    job_id = world.spool.submit(DRAFT)
    end(*claim_one(world))
    world.cut_power()
    status = world.spool.status()
    assert status.pending + status.delayed + status.claimed == 1
    assert world.work() == [job_id]


def test_wish_to_cancel_survives(world: World) -> None:
    """It was acknowledged."""
    job_id = world.spool.submit(DRAFT)
    assert world.spool.cancel(job_id) is Cancellation.REQUESTED
    spool = world.cut_power()
    assert world.work() == []
    assert spool.find_state(job_id) is JobState.CANCELLED


def test_rejected_job_stays_rejected(world: World) -> None:
    """An outcome that the spool made itself is as durable."""
    job_id = world.spool.submit(DRAFT)
    (bucket,) = world.disk.list_directory("pending/5")
    (name,) = world.disk.list_directory(f"pending/5/{bucket}")
    world.disk.rewrite(f"pending/5/{bucket}/{name}", b"{}")
    assert world.work() == []
    spool = world.cut_power()
    assert spool.find_state(job_id) is JobState.DEAD


def submit_and_work(spool: Spool, acknowledged: list[str]) -> None:
    """Submit a job and do it; note what was promised."""
    acknowledged.append(spool.submit(DRAFT))
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    worker.complete(claim, outcome_of(claim))
    worker.retire()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_TORN])
def test_job_ends_exactly_once_wherever_the_power_is_cut(fault: Fault) -> None:
    """Between any two operations on its way.

    Broken on purpose: not syncing prep before the fence leaves a job committed without outcome.
    """
    for fault_at in itertools.count(1):
        assert fault_at < OPERATIONS_MAX
        world = make_world()
        fs = FaultyFileSystem(world.disk, fault, fault_at + 1)  # after opening
        acknowledged: list[str] = []
        with contextlib.suppress(SimulatedCrash):
            submit_and_work(Spool.open(DIRECTORY, fs=fs, clock=world.clock), acknowledged)
        spool = world.cut_power()
        world.work()
        for job_id in acknowledged:
            assert spool.find_outcome(job_id) is not None
        status = spool.status()
        assert (status.pending, status.delayed, status.claimed, status.dead) == (0, 0, 0, 0)
        assert status.done >= len(acknowledged)
        if not fs.was_hit:
            return
