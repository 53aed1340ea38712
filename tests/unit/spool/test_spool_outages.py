"""What becomes of a worker and its jobs when the share was away for a while."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestkit_excel.errors import SpoolError
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
from ingestkit_excel.spool.fs import Denied, FileSystemError, Unreachable
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Hook, HookedFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")


@dataclass
class World:
    """One disk; a sound view of it and one that a test may spoil."""

    clock: FakeClock
    disk: MemoryFileSystem
    spool: Spool
    fs: HookedFileSystem

    def enlist(self, host: str = "spoiled") -> SpoolWorker:
        """Start a worker on the view that may be spoiled."""
        return Spool.open(DIRECTORY, fs=self.fs, clock=self.clock).enlist(host=host)

    def run_for(self, seconds: float, *workers: SpoolWorker) -> None:
        """Let workers do their rounds."""
        for _ in range(int(seconds / 5)):
            self.clock.advance(5.0)
            for worker in workers:
                worker.renew()
                worker.reap()


@pytest.fixture
def world() -> World:
    """Make an empty spool."""
    clock = FakeClock()
    disk = MemoryFileSystem(clock)
    settings = SpoolSettings(retry_backoff_s=0.0)
    spool = Spool.create(DIRECTORY, settings, fs=disk, clock=clock)
    return World(clock, disk, spool, HookedFileSystem(disk))


def claim_of(worker: SpoolWorker) -> Claim:
    """Claim a job that is there."""
    claim = worker.try_claim()
    assert claim is not None
    return claim


def done(claim: Claim) -> Outcome:
    """Give what a worker that succeeded would publish."""
    return Outcome(
        job_id=claim.job.job_id,
        status="done",
        worker_id=claim.worker_id,
        attempt=claim.attempt,
        job_digest=claim.stem.digest,
    )


def failing(operation: str, beginning: str, error: type[FileSystemError] = Unreachable) -> Hook:
    """Give a hook that fails an operation on paths that begin so."""

    def fail(name: str, path: str) -> None:
        if name == operation and path.startswith(beginning):
            raise error(path, "made to fail")

    return fail


def test_reaped_worker_enlists_anew_though_it_still_holds_claims(world: World) -> None:
    """A worker that was cut off longer than a lease works again; its old claims are nobody's.

    Broken on purpose: waiting until no claim is held makes it never enlist again.
    """
    world.spool.submit(DRAFT)
    cut_off = world.enlist()
    lost = claim_of(cut_off)
    old_id = cut_off.worker_id
    other = world.spool.enlist(host="other")
    world.run_for(90.0, other)
    cut_off.renew()
    claim = claim_of(cut_off)
    assert cut_off.worker_id != old_id
    assert (claim.job.job_id, claim.attempt) == (lost.job.job_id, 2)
    assert cut_off.complete(lost, done(lost)) is Completion.SUPERSEDED
    assert cut_off.complete(claim, done(claim)) is Completion.PUBLISHED


def test_job_taken_again_after_a_release_that_seemed_to_fail(world: World) -> None:
    """The earlier attempt, of which the worker does not know the end, hides no later one."""
    job_id = world.spool.submit(DRAFT)
    worker = world.enlist()
    claim = claim_of(worker)

    def lose_the_reply(name: str, path: str) -> None:
        if name == "rename":
            world.fs.before = failing("refresh", "pending")
            raise Unreachable(path, "reply lost")

    world.fs.after = lose_the_reply
    with pytest.raises(SpoolError):
        worker.release(claim)
    world.fs.before = world.fs.after = None
    again = claim_of(worker)
    assert (again.job.job_id, again.attempt) == (job_id, 2)
    assert worker.complete(claim, done(claim)) is Completion.SUPERSEDED
    assert worker.complete(again, done(again)) is Completion.PUBLISHED
    assert world.spool.find_state(job_id) is JobState.DONE


def test_job_that_a_late_answer_gave_to_a_worker_goes_back(world: World) -> None:
    """The server did the rename of a claim after its client had given up and looked for it.

    Broken on purpose: never listing our own claims leaves the job there for ever.
    """
    job_id = world.spool.submit(DRAFT)
    worker = world.enlist()
    requests: list[str] = []

    def time_out(name: str, path: str) -> None:
        if name == "rename" and not requests:
            requests.append(path)
            raise Unreachable(path, "timed out")

    world.fs.before = time_out
    with pytest.raises(SpoolError):
        worker.try_claim()
    looks: list[str] = []

    def act_late(name: str, path: str) -> None:
        if looks and requests:
            world.disk.rename(*requests.pop().split(" -> "))
        if name in ("stamp", "read") and path.startswith("claims"):
            looks.append(path)

    world.fs.before = act_late
    assert worker.try_claim() is None
    world.fs.before = None
    assert world.spool.find_state(job_id) is JobState.CLAIMED
    world.run_for(15.0, worker)
    claim = claim_of(worker)
    assert (claim.attempt, claim.charged_failures) == (2, 0)


def test_claims_that_are_held_stay_where_they_are(world: World) -> None:
    """Only what the worker does not know of goes back."""
    world.spool.submit(DRAFT)
    worker = world.enlist()
    claim = claim_of(worker)
    world.run_for(60.0, worker)
    assert worker.complete(claim, done(claim)) is Completion.PUBLISHED


def test_worker_without_claims_directory_enlists_anew(world: World) -> None:
    """A janitor died before it removed the lease, so renewing tells the worker nothing.

    Broken on purpose: taking each failed claim for a lost race makes it claim nothing any more.
    """
    job_id = world.spool.submit(DRAFT)
    worker = world.spool.enlist(host="paused")
    old_id = worker.worker_id
    world.disk.remove_directory(f"claims/{old_id}")
    worker.renew()
    assert claim_of(worker).job.job_id == job_id
    assert worker.worker_id != old_id


def test_idle_worker_finds_out_in_its_rounds_that_it_was_reaped(world: World) -> None:
    """No round fails for it."""
    worker = world.spool.enlist(host="paused")
    world.disk.remove_directory(f"claims/{worker.worker_id}")
    old_id = worker.worker_id
    world.run_for(20.0, worker)
    assert worker.try_claim() is None
    assert worker.worker_id != old_id


def test_job_that_may_not_be_read_is_rejected(world: World) -> None:
    """Its submitter is told, and the jobs behind it are served."""
    refused, served = (world.spool.submit(DRAFT) for _ in range(2))
    worker = world.enlist()

    def deny(name: str, path: str) -> None:
        if name in ("read", "stamp") and refused in path and not path.startswith("prep"):
            raise Denied(path, "made to fail")

    world.fs.before = deny
    assert claim_of(worker).job.job_id == served
    outcome = world.spool.find_outcome(refused)
    assert outcome is not None
    assert outcome.status == "rejected"
    assert outcome.result is not None
    assert "may not read" in outcome.result.error_details[0].message


def test_job_on_a_bad_block_is_put_off(world: World) -> None:
    """Those behind it are served, and it comes back uncharged.

    Broken on purpose: trying the same job in each call wedges the worker.
    """
    bad, served = (world.spool.submit(DRAFT) for _ in range(2))
    worker = world.enlist()

    def fail_to_read(name: str, path: str) -> None:
        if name == "read" and bad in path:
            raise Unreachable(path, "EIO")

    world.fs.before = fail_to_read
    with pytest.raises(SpoolError):
        worker.try_claim()
    assert claim_of(worker).job.job_id == served
    assert world.spool.find_state(bad) is JobState.DELAYED
    world.fs.before = None
    world.run_for(10.0, worker)
    claim = claim_of(worker)
    assert (claim.job.job_id, claim.attempt, claim.charged_failures) == (bad, 2, 0)


def test_job_that_can_never_be_read_is_rejected_at_last(world: World) -> None:
    """It is put off less and less often, for hours, and then ended."""
    bad = world.spool.submit(DRAFT)
    worker = world.enlist()

    def fail_to_read(name: str, path: str) -> None:
        if name == "read" and path.startswith("claims"):
            raise Unreachable(path, "EIO")

    world.fs.before = fail_to_read
    for _ in range(100):
        with contextlib.suppress(SpoolError):
            worker.try_claim()
        world.run_for(10.0, worker)
    outcome = world.spool.find_outcome(bad)
    assert outcome is not None
    assert (outcome.status, outcome.attempt) == ("rejected", 50)


@pytest.mark.parametrize("kind", ["link", "socket", "directory"])
def test_what_is_no_file_goes_to_quarantine(tmp_path: Path, kind: str) -> None:
    """And the job behind it is served."""
    spool = Spool.create(tmp_path / "s", SpoolSettings(durability="none"))
    job_id = spool.submit(DRAFT)
    (path,) = (tmp_path / "s" / "pending").rglob("*.job")
    odd = path.with_name("j" + "0" * 32 + path.name[33:])
    if kind == "link":
        odd.symlink_to("/etc/hostname")
    elif kind == "directory":
        odd.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.open(odd.parent, os.O_RDONLY)  # the path of a socket may not be long
            listener.bind(f"/proc/self/fd/{here}/{odd.name}")
            os.close(here)
    worker = spool.enlist(host="here")
    assert claim_of(worker).job.job_id == job_id
    assert spool.status().quarantined == 1
    worker.retire()


def test_share_that_answers_no_renewal_condemns_nobody(world: World) -> None:
    """Right after an outage others had no time to show that they live."""
    world.spool.submit(DRAFT)
    quiet = world.spool.enlist(host="quiet")
    claim_of(quiet)
    observer = world.enlist()
    world.run_for(55.0, observer)
    world.fs.before = failing("touch", "workers/")
    with pytest.raises(SpoolError):
        observer.renew()
    world.fs.before = None
    world.run_for(30.0, observer)
    assert world.spool.status().claimed == 1
    world.run_for(40.0, observer)
    assert world.spool.status().claimed == 0


def test_renewing_tells_whether_the_lease_stands(world: World) -> None:
    """And is told again until the worker has enlisted anew."""
    worker = world.enlist()
    assert worker.renew()
    world.disk.remove(f"workers/{worker.worker_id}.lease")
    assert not worker.renew()
    assert not worker.renew()
    assert worker.is_fenced
    assert worker.try_claim() is None
    assert worker.renew()
