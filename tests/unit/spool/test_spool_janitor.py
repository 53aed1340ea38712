"""What a janitor does in a round when some of it fails."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestkit_excel.errors import SpoolError
from ingestkit_excel.spool import JobDraft, JobState, Outcome, Spool, SpoolWorker
from ingestkit_excel.spool.fs import Denied, Unreachable
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import HookedFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")


@dataclass
class World:
    """A spool in memory; the janitor's view of it can be spoiled."""

    clock: FakeClock
    disk: MemoryFileSystem
    spool: Spool
    fs: HookedFileSystem
    janitor: SpoolWorker

    def kill_with_claim(self, host: str) -> str:
        """Let a worker die that holds a job; give its id."""
        fs = HookedFileSystem(self.disk)
        self.spool.submit(DRAFT)
        worker = Spool.open(DIRECTORY, fs=fs, clock=self.clock).enlist(host=host)
        assert worker.try_claim() is not None
        fs.crash()
        return worker.worker_id

    def commit_hidden(self) -> str:
        """Let a worker die between commit and reveal; give the job's id."""
        job_id = self.spool.submit(DRAFT)
        worker = self.spool.enlist(host="elsewhere")
        claim = worker.try_claim()
        assert claim is not None
        outcome = Outcome(
            job_id=job_id, status="done", worker_id=worker.worker_id, attempt=claim.attempt
        )
        worker.complete(claim, outcome)
        worker.retire()
        self.disk.rename(f"results/{job_id[-2:]}/{job_id}.json", f"prep/{claim.stem}.out")
        return job_id

    def run_for(self, seconds: float) -> int:
        """Let the janitor do its rounds; give how many failed."""
        failed = 0
        for _ in range(int(seconds / 5)):
            self.clock.advance(5.0)
            self.janitor.renew()
            try:
                self.janitor.reap()
            except SpoolError:
                failed += 1
        return failed


@pytest.fixture
def world() -> World:
    """Make a spool with one living worker."""
    clock = FakeClock()
    disk = MemoryFileSystem(clock)
    spool = Spool.create(DIRECTORY, fs=disk, clock=clock)
    fs = HookedFileSystem(disk)
    janitor = Spool.open(DIRECTORY, fs=fs, clock=clock).enlist(host="janitor")
    return World(clock, disk, spool, fs, janitor)


@pytest.mark.parametrize("host", ["janitor", "elsewhere"])
def test_claim_that_cannot_be_moved_holds_up_nothing_else(world: World, host: str) -> None:
    """Outcomes are shown, due jobs move and the other dead workers are dismissed all the same.

    Broken on purpose: ending the round at the first error makes this fail.
    """
    dead = [world.kill_with_claim(host) for _ in range(4)]
    stuck = min(dead)
    hidden = world.commit_hidden()
    due = world.spool.submit(DRAFT, not_before_s=10.0)

    def deny(name: str, path: str) -> None:
        if name == "rename" and path.startswith(f"claims/{stuck}"):
            raise Denied(path, "made to fail")

    world.fs.before = deny
    assert world.run_for(90.0) > 0
    assert world.spool.find_outcome(hidden) is not None
    assert world.spool.find_state(due) is JobState.PENDING
    assert set(world.disk.list_directory("claims")) == {stuck, world.janitor.worker_id}
    world.fs.before = None
    world.run_for(90.0)
    assert world.disk.list_directory("claims") == [world.janitor.worker_id]


def test_one_claim_that_cannot_be_moved_holds_up_no_other_of_its_worker(world: World) -> None:
    """They are taken back one by one."""
    fs = HookedFileSystem(world.disk)
    worker = Spool.open(DIRECTORY, fs=fs, clock=world.clock).enlist(host="janitor")
    jobs = [world.spool.submit(DRAFT) for _ in range(3)]
    for _ in jobs:
        assert worker.try_claim() is not None
    fs.crash()

    def deny(name: str, path: str) -> None:
        if name == "rename" and jobs[0] in path:
            raise Denied(path, "made to fail")

    world.fs.before = deny
    assert world.run_for(5.0) == 1
    states = [world.spool.find_state(job_id) for job_id in jobs]
    assert states == [JobState.CLAIMED, JobState.PENDING, JobState.PENDING]


def test_round_on_a_slow_failing_disk_is_short(world: World) -> None:
    """Each call may hang for minutes before it fails, and the lease must be renewed."""
    for _ in range(20):
        world.spool.submit(DRAFT, not_before_s=1.0)

    def hang(name: str, path: str) -> None:
        if name == "rename":
            world.clock.advance(20.0)
            raise Unreachable(path, "timed out")

    world.clock.advance(5.0)
    world.fs.before = hang
    started_s = world.clock.monotonic()
    with pytest.raises(SpoolError):
        world.janitor.reap()
    assert world.clock.monotonic() - started_s < 60.0


def test_heartbeat_that_may_not_be_seen_condemns_nobody(world: World) -> None:
    """Another account's lease file may be closed to us; its worker may live."""
    world.kill_with_claim("elsewhere")

    def deny(name: str, path: str) -> None:
        if name == "stamp" and path.endswith(".lease"):
            raise Denied(path, "made to fail")

    world.fs.before = deny
    assert world.run_for(200.0) == 0
    assert world.spool.status().claimed == 1


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "012345678", "ab"])
@pytest.mark.parametrize(
    "where",
    ["pending", "pending/5", "claims", "workers", "prep", "done", "results", "ids", "blobs"],
)
def test_foreign_file_disturbs_nothing(world: World, where: str, name: str) -> None:
    """File managers leave files wherever they look, and some look like our directories."""
    if name not in world.disk.list_directory(where):
        world.disk.create(f"{where}/{name}", b"", durable=False)
    job_id = world.spool.submit(DRAFT, key="k")
    assert world.spool.status().pending == 1
    assert world.spool.find_state("j" + "0" * 32) is JobState.UNKNOWN
    assert world.run_for(15.0) == 0
    claim = world.janitor.try_claim()
    assert claim is not None
    outcome = Outcome(
        job_id=job_id, status="done", worker_id=claim.worker_id, attempt=claim.attempt
    )
    world.janitor.complete(claim, outcome)
    world.clock.advance(world.spool.settings.retention_s + 1.0)
    assert world.spool.collect_garbage() == 1
