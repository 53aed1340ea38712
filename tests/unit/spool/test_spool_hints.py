"""The kernel's hints on a local disk, and doing without them elsewhere."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.mounts import filesystem_of, is_network_filesystem, read_mountinfo
from ingestkit_excel.spool import JobDraft, Outcome, Spool, SpoolSettings
from ingestkit_excel.spool.hints import open_native_hint

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
GENEROUS_S = 30.0


def _is_local(directory: Path) -> bool:
    kind = filesystem_of(directory, read_mountinfo())
    return kind is not None and not is_network_filesystem(kind)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    """Give a local directory, and see that no thread and no descriptor is left."""
    if sys.platform != "linux" or not _is_local(tmp_path):
        pytest.skip("the temporary directory is not on a local disk of Linux")
    threads = set(threading.enumerate())
    descriptors = len(os.listdir("/proc/self/fd"))
    yield tmp_path
    assert set(threading.enumerate()) == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_name_that_is_moved_into_place_ends_the_pause(local: Path) -> None:
    """Long before its time, and only once."""
    (local / "in").mkdir()
    hint = open_native_hint(local / "in", "result")
    assert hint is not None
    clock = SystemClock()
    started_s = clock.monotonic()
    (local / "other").touch()
    (local / "other").rename(local / "in" / "result")
    hint.wait(GENEROUS_S)
    assert clock.monotonic() - started_s < GENEROUS_S / 2
    hint.close()


def test_other_names_and_looks_end_no_pause(local: Path) -> None:
    """A waiter that opens the directory must not wake itself."""
    hint = open_native_hint(local, "result")
    assert hint is not None
    clock = SystemClock()
    started_s = clock.monotonic()
    (local / "another").touch()
    list(local.iterdir())
    hint.wait(0.1)
    assert clock.monotonic() - started_s >= 0.1
    hint.close()


def test_directory_that_cannot_be_watched_gives_no_hint(local: Path) -> None:
    """The wait goes on without, and nothing is left running."""
    assert open_native_hint(local / "none", "result") is None


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="needs a mount table")
def test_place_of_unknown_kind_gives_no_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is assumed about a file system that is not listed."""
    monkeypatch.setattr("ingestkit_excel.spool.hints.read_mountinfo", lambda: "")
    assert open_native_hint(tmp_path, "result") is None
    nfs = "22 1 0:35 / / rw,relatime - nfs4 server:/export rw"
    monkeypatch.setattr("ingestkit_excel.spool.hints.read_mountinfo", lambda: nfs)
    assert open_native_hint(tmp_path, "result") is None


@pytest.mark.slow
def test_long_wait_on_a_local_spool_ends_with_the_outcome(local: Path) -> None:
    """By then an observer runs; it ends with the wait."""
    spool = Spool.create(local / "spool", SpoolSettings(durability="none"))
    job_id = spool.submit(DRAFT)
    found: list[Outcome | None] = []
    waiter = threading.Thread(target=lambda: found.append(spool.wait_for_outcome(job_id, 60.0)))
    waiter.start()
    clock = SystemClock()
    deadline_s = clock.monotonic() + GENEROUS_S
    while not any("Inotify" in type(t).__name__ for t in threading.enumerate()):
        assert clock.monotonic() < deadline_s
        clock.sleep(0.02)
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    outcome = Outcome(job_id=job_id, status="done", worker_id="w", attempt=1)
    worker.complete(claim, outcome)
    worker.retire()
    waiter.join(GENEROUS_S)
    assert found == [outcome]
