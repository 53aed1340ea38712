"""A key stays good when its submitter stops anywhere, for however long."""

import contextlib
import itertools
from pathlib import Path

import pytest

from ingestkit_excel.spool import JobDraft, JobState, Spool
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import (
    Fault,
    FaultyFileSystem,
    MemoryFileSystem,
    SimulatedCrash,
)

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")
KEY = "invoice-7"
DAY_S = 86400.0
OPERATIONS_MAX = 100


class World:
    """A spool in memory, in which one submitter may stop."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.disk = MemoryFileSystem(self.clock)
        self.spool = Spool.create(DIRECTORY, fs=self.disk, clock=self.clock)

    def stop_at(self, operation: int) -> bool:
        """Submit, and stop after an operation; whether it was reached."""
        opening = 1
        fs = FaultyFileSystem(self.disk, Fault.CRASH_AFTER, operation + opening)
        spool = Spool.open(DIRECTORY, fs=fs, clock=self.clock)
        with contextlib.suppress(SimulatedCrash):
            spool.submit(DRAFT, key=KEY)
        return fs.was_hit

    def reap_after(self, seconds: float) -> None:
        """Do a janitor's round some time later."""
        self.clock.advance(seconds)
        worker = self.spool.enlist(host="here")
        worker.reap()
        worker.retire()


def test_key_is_good_a_week_after_its_submitter_stopped_anywhere() -> None:
    """Sweep the stop over the submission; days later the key gives a job that exists.

    Broken on purpose: sweeping staged files without a look at the keys makes this fail.
    """
    for operation in itertools.count(1):
        assert operation < OPERATIONS_MAX
        world = World()
        was_hit = world.stop_at(operation)
        for _ in range(9):
            world.reap_after(DAY_S)
        assert world.disk.list_directory("tmp") == []
        job_id = world.spool.submit(DRAFT, key=KEY)
        assert world.spool.find_state(job_id) is JobState.PENDING
        assert world.spool.status().pending == 1
        if not was_hit:
            return


def test_janitor_finishes_a_submission_that_owns_its_key() -> None:
    """Nobody has to submit again; of all places to stop at there is one for it."""
    finished = 0
    for operation in itertools.count(1):
        assert operation < OPERATIONS_MAX
        world = World()
        was_hit = world.stop_at(operation)
        waiting = world.spool.status().pending
        world.reap_after(300.0)
        assert world.spool.status().pending == waiting
        world.reap_after(400.0)
        finished += world.spool.status().pending - waiting
        if not was_hit:
            break
    assert finished > 0


@pytest.mark.parametrize("rel", ["a.xlsx", "b.xlsx"])
def test_key_whose_job_is_gone_is_free_again(rel: str) -> None:
    """Someone removed the job; when it cannot come back, the key is another job's."""
    world = World()
    job_id = world.spool.submit(DRAFT, key=KEY)
    bucket = f"pending/5/{job_id[1:10]}"
    (name,) = world.disk.list_directory(bucket)
    world.disk.remove(f"{bucket}/{name}")
    assert world.spool.submit(DRAFT, key=KEY) == job_id
    world.clock.advance(8 * DAY_S)
    draft = DRAFT.model_copy(update={"rel": rel})
    again = world.spool.submit(draft, key=KEY)
    assert again != job_id
    assert world.spool.find_state(again) is JobState.PENDING
    assert world.spool.submit(draft, key=KEY) == again


def test_old_key_of_a_waiting_job_stays_its_own() -> None:
    """A long queue is no reason to submit again."""
    world = World()
    job_id = world.spool.submit(DRAFT, key=KEY)
    world.reap_after(30 * DAY_S)
    assert world.spool.submit(DRAFT, key=KEY) == job_id
