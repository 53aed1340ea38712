"""How soon a result published through one mount is had through the other."""

import os
import statistics
import threading
from pathlib import Path

import pytest
from lab_mounts import Pair

from ingestkit_excel.clock import Clock
from ingestkit_excel.spool import JobDraft, Outcome, Spool, SpoolSettings
from ingestkit_excel.spool.fs import RealFileSystem
from ingestkit_excel.spool.layout import result_path, shard_of
from ingestkit_excel.testing.filesystem import HookedFileSystem

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]

_WAITED = 12
_PLAIN = 4
_SETTLE_S = 8.0  # by then the wait has reached its longest pause
_BOUND_S = 1.5  # the promise, at the default pace of looking
_PAUSE_S = 2.5  # what a file system that keeps P4 late adds to its lateness
_GIVE_UP_S = 120.0


class _Seer(threading.Thread):
    """Waits for one job through the other mount and notes when it has the result."""

    def __init__(self, directory: Path, job_id: str, clock: Clock, *, is_plain: bool) -> None:
        super().__init__(daemon=True)
        self.job_id = job_id
        self.seen_s: float | None = None
        self._directory, self._clock, self._is_plain = directory, clock, is_plain

    def run(self) -> None:
        if self._is_plain:
            path = self._directory / result_path(self.job_id)
            ends_s = self._clock.monotonic() + _GIVE_UP_S
            while not os.path.exists(path) and self._clock.monotonic() < ends_s:
                self._clock.sleep(0.1)
            is_there = os.path.exists(path)
        else:
            spool = Spool.open(self._directory)
            is_there = spool.wait_for_outcome(self.job_id, _GIVE_UP_S) is not None
        self.seen_s = self._clock.monotonic() if is_there else None


def _submit(spool: Spool, count: int) -> list[str]:
    """Submit jobs in shards of their own, so that no look refreshes another's directory."""
    jobs: dict[str, str] = {}
    while len(jobs) < count:
        job = spool.submit(JobDraft(root="share", rel="a", file_path="a", size_bytes=0, mtime_ns=0))
        jobs.setdefault(shard_of(job), job)
    return list(jobs.values())


def test_a_result_is_had_soon_on_the_other_mount(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the default wait it takes about a second; a plain poller needs what the caches last."""
    first, second, clock = pair.first, pair.second, pair.clock
    Spool.create(first / "spool", SpoolSettings())
    shown_s: dict[str, float] = {}

    def note(operation: str, path: str) -> None:
        _, _, target = path.partition(" -> ")
        if operation == "rename" and target.startswith("results/"):
            shown_s[Path(target).stem] = clock.monotonic()

    disk = HookedFileSystem(RealFileSystem(first / "spool"))
    disk.after = note
    here = Spool.open(first / "spool", fs=disk, clock=clock)
    jobs = _submit(here, _WAITED + _PLAIN)
    seers = [
        _Seer(second / "spool", job, clock, is_plain=index >= _WAITED)
        for index, job in enumerate(jobs)
    ]
    for seer in seers:
        seer.start()
    clock.sleep(_SETTLE_S)
    worker = here.enlist(host="first")
    while (claim := worker.try_claim()) is not None:
        outcome = Outcome(job_id=claim.job.job_id, status="failed", worker_id="w", attempt=1)
        worker.complete(claim, outcome)
        clock.sleep(0.37)  # so that the looks of the waits are met at all phases
    for seer in seers:
        seer.join(_GIVE_UP_S + 30.0)
    worker.retire()
    ours, plain = (
        [max(0.0, seer.seen_s - shown_s[seer.job_id]) for seer in group if seer.seen_s is not None]
        for group in (seers[:_WAITED], seers[_WAITED:])
    )
    text = "\n".join(
        f"{name}: median {statistics.median(delays):.2f} s, max {max(delays):.2f} s, of {count}"
        for name, delays, count in (
            ("get_result", ours, _WAITED),
            ("os.path.exists", plain, _PLAIN),
        )
        if delays
    )
    with capsys.disabled():
        print(f"\nvisibility on {first.parent} and {second.parent}\n{text}")
    assert len(ours) == _WAITED
    bound_s = pair.staleness_s + _PAUSE_S if pair.staleness_s else _BOUND_S
    assert max(ours) < bound_s, text
