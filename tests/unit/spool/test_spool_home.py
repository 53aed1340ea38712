"""A share that is unmounted, or another one in its place, is never taken for the spool."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")
NEVER = 1 << 60


class MountPoint(FaultyFileSystem):
    """A directory on which one disk or another is mounted."""

    def __init__(self, disk: MemoryFileSystem) -> None:
        super().__init__(disk, Fault.FAILED, NEVER)

    def mount(self, disk: MemoryFileSystem) -> None:
        """Mount another disk."""
        self._inner = disk


@dataclass
class World:
    """A spool on a mount point, and what may be there in its place."""

    clock: FakeClock
    disk: MemoryFileSystem
    point: MountPoint
    spool: Spool

    def unmount(self) -> ErrorCode:
        """Leave an empty directory."""
        self.point.mount(MemoryFileSystem(self.clock))
        return ErrorCode.E_SPOOL_NOT_FOUND

    def mount_another(self) -> ErrorCode:
        """Mount a share with a spool of its own, in which jobs wait."""
        other = MemoryFileSystem(self.clock)
        for _ in range(2):
            Spool.create(DIRECTORY, fs=other, clock=self.clock).submit(DRAFT)
        self.point.mount(other)
        return ErrorCode.E_SPOOL_INVALID

    def damage(self) -> ErrorCode:
        """Leave everything but the settings."""
        half = MemoryFileSystem(self.clock)
        Spool.create(DIRECTORY, fs=half, clock=self.clock)
        half.rewrite("spool.json", b"{")
        self.point.mount(half)
        return ErrorCode.E_SPOOL_INVALID

    def mount_back(self) -> None:
        """Mount the spool's share again."""
        self.point.mount(self.disk)


Accident = Callable[[World], ErrorCode]
ACCIDENTS = [World.unmount, World.mount_another, World.damage]


@pytest.fixture
def world() -> World:
    """Make one."""
    clock = FakeClock()
    disk = MemoryFileSystem(clock)
    point = MountPoint(disk)
    settings = SpoolSettings(retry_backoff_s=0.0, relist_interval_s=0.0)
    return World(clock, disk, point, Spool.create(DIRECTORY, settings, fs=point, clock=clock))


def outcome_of(claim: Claim) -> Outcome:
    """Give what a worker that succeeded would publish."""
    return Outcome(job_id=claim.job.job_id, status="done", worker_id="w", attempt=claim.attempt)


def check_refused(code: ErrorCode, step: Callable[[], object]) -> None:
    """See that a step fails for the reason that the spool is not there."""
    with pytest.raises(SpoolError) as caught:
        step()
    assert caught.value.code is code


def test_each_spool_has_its_own_id(world: World) -> None:
    """It stands in the settings file; creating again changes nothing."""
    first = json.loads(world.disk.read("spool.json", max_bytes=9999))["spool_id"]
    Spool.create(DIRECTORY, fs=world.point, clock=world.clock)
    assert json.loads(world.disk.read("spool.json", max_bytes=9999))["spool_id"] == first
    world.mount_another()
    assert json.loads(world.point.read("spool.json", max_bytes=9999))["spool_id"] != first


def test_spool_without_an_id_is_used_as_it_is(world: World) -> None:
    """A spool that another program made may have none."""
    settings = json.loads(world.disk.read("spool.json", max_bytes=9999))
    del settings["spool_id"]
    world.disk.rewrite("spool.json", json.dumps(settings).encode())
    spool = Spool.open(DIRECTORY, fs=world.point, clock=world.clock)
    job_id = spool.submit(DRAFT)
    assert spool.find_state(job_id) is JobState.PENDING


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_worker_claims_nothing_until_its_spool_is_back(world: World, accident: Accident) -> None:
    """Jobs of another spool are not touched, and an empty directory is no empty queue.

    Broken on purpose: listing without the check claims the other spool's job.
    """
    job_id = world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    code = accident(world)
    check_refused(code, worker.try_claim)
    check_refused(code, worker.reap)
    check_refused(code, worker.renew)
    world.mount_back()
    worker.renew()
    claim = worker.try_claim()
    assert claim is not None
    assert claim.job.job_id == job_id
    assert worker.complete(claim, outcome_of(claim)) is Completion.PUBLISHED


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("step", ["complete", "retry", "release"])
def test_claim_stands_while_its_spool_is_away(world: World, accident: Accident, step: str) -> None:
    """A worker that cannot find its claim there has not lost it.

    Broken on purpose: taking the missing name for a lost race throws the work away.
    """
    job_id = world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    held = claim
    steps: dict[str, Callable[[], Completion]] = {
        "complete": lambda: worker.complete(held, outcome_of(held)),
        "retry": lambda: worker.retry(held, code=ErrorCode.E_INTERNAL, message="boom"),
        "release": lambda: worker.release(held),
    }
    accident(world)
    with pytest.raises(SpoolError):
        steps[step]()
    world.mount_back()
    assert steps[step]() in (Completion.PUBLISHED, Completion.REQUEUED)
    state = JobState.DONE if step == "complete" else JobState.PENDING
    assert world.spool.find_state(job_id) is state


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_callers_are_told_that_the_spool_is_away(world: World, accident: Accident) -> None:
    """Nobody gets an empty count, an unknown job, or a job in another spool."""
    job_id = world.spool.submit(DRAFT)
    code = accident(world)
    for step in (
        world.spool.status,
        world.spool.collect_garbage,
        lambda: world.spool.submit(DRAFT),
        lambda: world.spool.submit(DRAFT, key="k"),
        lambda: world.spool.find_state(job_id),
        lambda: world.spool.cancel(job_id),
        lambda: world.spool.enlist(host="here"),
    ):
        check_refused(code, step)
    world.mount_back()
    assert world.spool.status().pending == 1


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_worker_reaped_while_away_enlists_only_in_its_own_spool(
    world: World, accident: Accident
) -> None:
    """Where it was not known before it makes nothing."""
    worker = world.spool.enlist(host="elsewhere")
    janitor = Spool.open(DIRECTORY, fs=world.disk, clock=world.clock).enlist(host="here")
    reap_for(world, janitor, 100.0)
    worker.renew()
    assert worker.is_fenced
    code = accident(world)
    check_refused(code, worker.try_claim)
    world.mount_back()
    job_id = world.spool.submit(DRAFT)
    claim = worker.try_claim()
    assert claim is not None
    assert claim.job.job_id == job_id


def reap_for(world: World, janitor: SpoolWorker, seconds: float) -> None:
    """Let a janitor do its rounds."""
    for _ in range(int(seconds / 10)):
        world.clock.advance(10.0)
        janitor.renew()
        janitor.reap()
