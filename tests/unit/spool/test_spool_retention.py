"""What is forgotten, and what never is."""

from pathlib import Path

from ingestkit_excel.spool import JobDraft, JobState, Outcome, Spool, SpoolSettings
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import HookedFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
RETENTION_S = 1000.0


def make_spool() -> tuple[FakeClock, MemoryFileSystem, Spool]:
    """Make a spool that forgets soon."""
    clock = FakeClock()
    disk = MemoryFileSystem(clock)
    settings = SpoolSettings(retention_s=RETENTION_S)
    return clock, disk, Spool.create(Path("/spool"), settings, fs=disk, clock=clock)


def finish_one(spool: Spool) -> None:
    """Complete the next job."""
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    outcome = Outcome(
        job_id=claim.job.job_id, status="done", worker_id=worker.worker_id, attempt=claim.attempt
    )
    worker.complete(claim, outcome)
    worker.retire()


def test_old_outcome_and_its_key_are_forgotten() -> None:
    """After the retention nothing of the job is left, and its key is free again."""
    clock, disk, spool = make_spool()
    job_id = spool.submit(DRAFT, key="k")
    finish_one(spool)
    clock.advance(RETENTION_S - 1)
    assert spool.collect_garbage() == 0
    clock.advance(2)
    assert spool.collect_garbage() == 1
    assert spool.find_state(job_id) is JobState.UNKNOWN
    assert spool.status().done == 0
    assert spool.submit(DRAFT, key="k") != job_id
    assert disk.list_directory("tmp") == []


def test_waiting_job_and_its_workbook_are_never_forgotten() -> None:
    """However old, a job without an outcome stays, and so does the workbook it carries."""
    clock, disk, spool = make_spool()
    wanted, unwanted = "a" * 64, "b" * 64
    disk.make_directory("blobs/aa")
    for blob in (wanted, unwanted):
        disk.create(f"blobs/aa/{blob}", b"workbook", durable=False)
    job_id = spool.submit(DRAFT.model_copy(update={"blob_sha256": wanted}))
    clock.advance(RETENTION_S * 10)
    spool.collect_garbage()
    assert spool.find_state(job_id) is JobState.PENDING
    assert disk.list_directory("blobs/aa") == [wanted]


def test_preparation_of_a_slow_worker_stays() -> None:
    """It may commit at any moment, and then nothing else has the outcome.

    Broken on purpose: removing what has no commit yet loses the outcome for ever.
    """
    clock, disk, spool = make_spool()
    job_id = spool.submit(DRAFT)
    fs = HookedFileSystem(disk)
    worker = Spool.open(Path("/spool"), fs=fs, clock=clock).enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None

    def pause(name: str, path: str) -> None:
        if name == "rename" and "done/" in path:
            clock.advance(RETENTION_S * 2)
            spool.collect_garbage()

    fs.before = pause
    outcome = Outcome(job_id=job_id, status="done", worker_id=worker.worker_id, attempt=1)
    worker.complete(claim, outcome)
    assert spool.find_outcome(job_id) == outcome


def test_preparation_that_lost_goes_when_its_job_is_over() -> None:
    """With the outcome of a later attempt visible, nobody can want it."""
    clock, disk, spool = make_spool()
    spool.submit(DRAFT)
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    disk.create(f"prep/{claim.stem}.out", b"torn", durable=False)
    worker.release(claim)
    clock.advance(RETENTION_S + 1)
    spool.collect_garbage()
    assert len(disk.list_directory("prep")) == 1
    finish_one(spool)
    assert spool.collect_garbage() == 0
    assert disk.list_directory("prep") == []
    clock.advance(RETENTION_S + 1)
    assert spool.collect_garbage() == 1


def test_collecting_much_does_not_hold_a_worker_up() -> None:
    """A round takes its share and goes on next time, until all is done."""
    clock, disk, _ = make_spool()
    for number in range(600):
        job_id = f"j018bcfe568{number:06x}7000{number:012x}"
        disk.create(f"results/{job_id[-2:]}/{job_id}.json", b"", durable=False)
    fs = HookedFileSystem(disk)
    worker = Spool.open(Path("/spool"), fs=fs, clock=clock).enlist(host="here")
    clock.advance(3600.0)
    fs.before = lambda _name, _path: clock.advance(0.002)
    rounds = 0
    while any(disk.list_directory(f"results/{shard:02x}") for shard in range(256)):
        started_s = clock.monotonic()
        worker.reap()
        assert clock.monotonic() - started_s < 1.0
        rounds += 1
    assert 3 < rounds < 50


def test_worker_collects_once_an_hour() -> None:
    """Retention needs nobody to think of it."""
    clock, _, spool = make_spool()
    spool.submit(DRAFT)
    finish_one(spool)
    worker = spool.enlist(host="here")
    clock.advance(3599.0)
    worker.reap()
    assert spool.status().done == 1
    clock.advance(1.0)
    worker.reap()
    assert spool.status().done == 0
