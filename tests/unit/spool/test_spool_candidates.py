"""Which names a worker tries, and what its listings cost."""

import contextlib
import os
from pathlib import Path

import pytest

from ingestkit_excel.errors import ErrorCode, SpoolError
from ingestkit_excel.spool import JobDraft, Spool, SpoolSettings, SpoolWorker
from ingestkit_excel.spool.fs import Denied
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Hook, HookedFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")


class World:
    """A spool in memory and one worker, whose view of it can be spoiled and watched."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fs = HookedFileSystem(MemoryFileSystem(self.clock))
        settings = SpoolSettings(claim_window=8)
        self.spool = Spool.create(DIRECTORY, settings, fs=self.fs, clock=self.clock)
        self.worker = self.spool.enlist(host="here")


def claim_id(worker: SpoolWorker) -> str | None:
    """Claim a job and give its id."""
    claim = worker.try_claim()
    return None if claim is None else claim.job.job_id


def denying(operation: str, *parts: str) -> Hook:
    """Give a hook that denies an operation on paths with any of these parts."""

    def deny(name: str, path: str) -> None:
        if name == operation and any(part in path for part in parts):
            raise Denied(path, "made to fail")

    return deny


@pytest.mark.parametrize(("count", "priority"), [(20, 5), (1, 0), (200, 5)])
def test_jobs_that_may_not_be_moved_hide_no_others(count: int, priority: int) -> None:
    """Neither when they fill the window nor when they are more urgent.

    Broken on purpose: filling the window with the same names each time makes this fail.
    """
    world = World()
    stuck = [world.spool.submit(DRAFT, priority=priority) for _ in range(count)]
    world.clock.advance(10.0)
    good = [world.spool.submit(DRAFT) for _ in range(5)]
    world.fs.before = denying("rename", *stuck)
    claimed = []
    for _ in range(10):
        with contextlib.suppress(SpoolError):
            claimed.append(claim_id(world.worker))
    assert [job_id for job_id in claimed if job_id] == good
    world.fs.before = None
    world.clock.advance(61.0)
    assert claim_id(world.worker) == stuck[0]


def test_bucket_that_may_not_be_listed_hides_no_others() -> None:
    """The worker says so once there is nothing else to do, and once a minute from then on."""
    world = World()
    closed = world.spool.submit(DRAFT)
    world.clock.advance(10.0)
    good = world.spool.submit(DRAFT)
    world.fs.before = denying("list_directory", f"pending/5/{closed[1:10]}")
    assert claim_id(world.worker) == good
    for _ in range(2):
        with pytest.raises(SpoolError) as caught:
            world.worker.try_claim()
        assert caught.value.code is ErrorCode.E_SPOOL_PERMISSION
        assert claim_id(world.worker) is None
        world.clock.advance(61.0)


def test_burst_is_listed_seldom() -> None:
    """Jobs of one bucket are served from one listing, though each takes a while."""
    world = World()
    jobs = [world.spool.submit(DRAFT) for _ in range(300)]
    bucket = f"pending/5/{jobs[0][1:10]}"
    listings: list[str] = []
    world.fs.before = lambda name, path: (
        listings.append(path) if (name, path) == ("list_directory", bucket) else None
    )
    claimed = []
    for _ in range(50):
        claimed.append(claim_id(world.worker))
        world.clock.advance(6.0)
    assert claimed == jobs[:50]
    assert len(listings) <= 6


def test_more_urgent_job_comes_next_in_the_middle_of_a_burst() -> None:
    """It waits no longer than the relist interval, and the burst goes on after it."""
    world = World()
    jobs = [world.spool.submit(DRAFT) for _ in range(30)]
    assert [claim_id(world.worker) for _ in range(10)] == jobs[:10]
    urgent = world.spool.submit(DRAFT, priority=4)
    world.clock.advance(5.1)
    assert claim_id(world.worker) == urgent
    assert [claim_id(world.worker) for _ in range(20)] == jobs[10:]


def test_worker_leaves_a_window_that_others_work_on() -> None:
    """After some lost races it goes on behind; nothing stays behind for long."""
    world = World()
    jobs = [world.spool.submit(DRAFT) for _ in range(40)]
    assert claim_id(world.worker) == jobs[0]
    other = world.spool.enlist(host="other")
    assert [claim_id(other) for _ in range(24)] == jobs[1:25]
    assert claim_id(world.worker) == jobs[25]
    assert {claim_id(world.worker) for _ in range(14)} == set(jobs[26:])


def test_umask_closes_nothing_to_the_group(tmp_path: Path) -> None:
    """Submitters and workers may be different accounts of one group."""
    before = os.umask(0o077)
    try:
        spool = Spool.create(tmp_path / "s", SpoolSettings(durability="none"))
        spool.submit(DRAFT)
    finally:
        os.umask(before)
    for path in (tmp_path / "s").rglob("*"):
        expected = 0o770 if path.is_dir() else 0o660
        assert path.stat().st_mode & 0o777 == expected, path
