"""Buckets come and go under the feet of submitters and workers."""

from pathlib import Path

import pytest

from ingestkit_excel.errors import SpoolError
from ingestkit_excel.spool import JobDraft, JobState, Outcome, Spool
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import HookedFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")


def make_spool() -> tuple[FakeClock, HookedFileSystem, Spool]:
    """Make an empty spool whose operations a test can watch."""
    clock = FakeClock()
    fs = HookedFileSystem(MemoryFileSystem(clock))
    return clock, fs, Spool.create(DIRECTORY, fs=fs, clock=clock)


def buckets(fs: HookedFileSystem) -> list[str]:
    """Give the buckets of the usual priority."""
    return sorted(fs.list_directory("pending/5"))


@pytest.mark.parametrize("key", [None, "invoice-7"])
def test_submission_whose_bucket_keeps_vanishing_is_not_acknowledged(key: str | None) -> None:
    """The job is still where it was staged, and would be swept there one day.

    Broken on purpose: taking the last failed move for someone else's success loses the job.
    """
    _, fs, spool = make_spool()
    removed: list[str] = []

    def remove(name: str, path: str) -> None:
        if name == "make_directory" and path.startswith("pending/") and len(removed) < 9:
            removed.append(path)
            fs.remove_directory(path)

    fs.after = remove
    with pytest.raises(SpoolError, match="vanishes"):
        spool.submit(DRAFT, key=key)
    fs.after = None
    assert len(removed) < 9
    assert spool.find_state(spool.submit(DRAFT, key=key)) is JobState.PENDING


def test_bucket_that_is_old_by_its_name_alone_stays() -> None:
    """A submitter's clock is an hour behind; its bucket is removed when nobody used it lately."""
    clock, fs, spool = make_spool()
    worker = spool.enlist(host="here")
    old = f"pending/5/{int(clock.wall() * 1000 - 3_600_000) >> 12:09x}"
    fs.make_directory(old)
    worker.reap()
    assert buckets(fs) == [old.rpartition("/")[2]]
    clock.advance(65.0)
    worker.reap()
    assert buckets(fs) == []


def test_empty_buckets_go_and_full_ones_stay() -> None:
    """Also those behind a job that nobody takes."""
    clock, fs, spool = make_spool()
    stuck = spool.submit(DRAFT)
    for _ in range(30):
        clock.advance(5.0)
        fs.make_directory(f"pending/5/{int(clock.wall() * 1000) >> 12:09x}")
    clock.advance(200.0)
    worker = spool.enlist(host="here")
    for _ in range(100):  # 4 of 30 at random each time: to miss one in all has odds of 1 in 20000
        worker.reap()
    assert buckets(fs) == [stuck[1:10]]


def test_a_long_queue_costs_a_janitor_little() -> None:
    """Its rounds come every few seconds on every host."""
    clock, fs, spool = make_spool()
    for _ in range(500):
        spool.submit(DRAFT)
        clock.advance(4.2)
    clock.advance(100.0)
    worker = spool.enlist(host="here")
    before = fs.operations
    worker.reap()
    assert fs.operations - before < 50
    claim = worker.try_claim()
    assert claim is not None
    outcome = Outcome(
        job_id=claim.job.job_id, status="done", worker_id=worker.worker_id, attempt=claim.attempt
    )
    worker.complete(claim, outcome)
    clock.advance(65.0)
    worker.reap()
    assert len(buckets(fs)) == 499


@pytest.mark.parametrize("key", [None, "invoice-7"])
def test_name_of_a_new_directory_is_synced_before_it_is_relied_on(key: str | None) -> None:
    """A power cut must not take the bucket of an accepted job, nor the shard of its key."""
    _, fs, spool = make_spool()
    unsynced: set[str] = set()

    def watch(name: str, path: str) -> None:
        if name == "make_directory" and not path.startswith("tmp/"):
            unsynced.add(path.rpartition("/")[0])
        if name == "sync_directory":
            unsynced.discard(path)

    fs.after = watch
    spool.submit(DRAFT, key=key)
    assert unsynced == set()


def test_directories_of_a_new_spool_are_synced() -> None:
    """Those in the root and those below."""
    fs = HookedFileSystem(MemoryFileSystem())
    synced: list[str] = []
    fs.after = lambda name, path: synced.append(path) if name == "sync_directory" else None
    Spool.create(DIRECTORY, fs=fs)
    assert {"", "pending", "done", "results"} <= set(synced)
