"""Real workers on two mounts of one spool, through lost clients and a lost server."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import openpyxl
import pytest
from lab_mounts import Pair

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.execution import DistributedExecutionBackend
from ingestkit_excel.spool import Outcome, Spool, SpoolSettings
from ingestkit_excel.spool.fs import FileSystemError, RealFileSystem
from ingestkit_excel.spool.layout import result_path
from spool_worker.cli import ExitCode

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = ExcelProcessorConfig(execution_job_timeout=120.0)
_LEASE_S = 15.0
_ALL_S = 400.0
_COME_AGAIN = {ExitCode.SPOOL_UNAVAILABLE, ExitCode.STALLED, ExitCode.CHILD_UNKILLABLE}
"""After these a service manager starts the worker again."""


def _write_workbooks(directory: Path, count: int) -> list[Path]:
    paths = [directory / f"book{number:02d}.xlsx" for number in range(count)]
    for path in paths:
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        assert sheet is not None
        for row in (["item", "amount"], ["bolt", 3], ["nut", 5]):
            sheet.append(row)
        workbook.save(path)
    return paths


class _Service(threading.Thread):
    """Keeps one worker running, as a service manager would."""

    def __init__(self, spool: Path, host: str) -> None:
        super().__init__(daemon=True)
        self.codes: list[int] = []
        self._is_over = threading.Event()
        self._command = [sys.executable, "-m", "spool_worker", "--spool", str(spool)]
        if os.geteuid() == 0 and shutil.which("unshare") is not None:
            # A name of its own makes it a host of its own: nobody asks its lock whether it lives.
            naming = f'hostname {host} && exec "$0" "$@"'
            self._command = ["unshare", "--uts", "sh", "-c", naming, *self._command]
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, start_new_session=True)

    def run(self) -> None:
        while not self._is_over.is_set():
            self.codes.append(self._process.wait())
            if self._is_over.is_set() or self.codes[-1] not in set(_COME_AGAIN):
                return
            self._process = self._start()

    def stop(self) -> None:
        """Ask the worker to end, and insist after a minute."""
        self._is_over.set()
        self._process.terminate()
        self.join(60.0)
        if self.is_alive():
            self._process.kill()
            self.join(60.0)


@contextmanager
def _serving(spool: Path, host: str) -> Iterator[_Service]:
    service = _Service(spool, host)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def _make_spool(pair: Pair, count: int) -> tuple[Spool, list[str]]:
    settings = SpoolSettings(lease_duration_s=_LEASE_S, retry_backoff_s=1.0)
    spool = Spool.create(pair.first / "spool", settings)
    backend = DistributedExecutionBackend(spool.directory)
    jobs = [backend.submit(str(path), CONFIG) for path in _write_workbooks(pair.first, count)]
    return spool, jobs


def _wait_for_all(pair: Pair, spool: Spool, jobs: list[str]) -> list[Outcome]:
    ends_s = pair.clock.monotonic() + _ALL_S
    found = [spool.wait_for_outcome(job, max(0.0, ends_s - pair.clock.monotonic())) for job in jobs]
    lost = [job for job, outcome in zip(jobs, found, strict=True) if outcome is None]
    assert lost == []
    return [outcome for outcome in found if outcome is not None]


def _bytes_of(pair: Pair, mount: Path, jobs: list[str]) -> list[bytes]:
    disk, found = RealFileSystem(mount / "spool"), dict[str, bytes]()

    def has_all() -> bool:
        for job in jobs:
            path = result_path(job)
            try:
                disk.refresh(path.rpartition("/")[0])
                found[job] = disk.read(path, max_bytes=1 << 25)
            except FileSystemError:
                return False
        return True

    pair.wait_until(has_all, 90.0, f"all results on {mount}")
    return [found[job] for job in jobs]


def test_workers_of_one_mount_run_jobs_of_the_other(pair: Pair) -> None:
    """Each result is whole, names the workbook as submitted, and is the same by both mounts."""
    spool, jobs = _make_spool(pair, 4)
    with _serving(pair.second / "spool", "two"):
        outcomes = _wait_for_all(pair, spool, jobs)
    results = [outcome.result for outcome in outcomes]
    assert [result is not None and result.errors for result in results] == [[]] * 4
    assert {Path(r.file_path).parent for r in results if r is not None} == {pair.first}
    assert _bytes_of(pair, pair.first, jobs) == _bytes_of(pair, pair.second, jobs)
    assert all(outcome.attempt == 1 for outcome in outcomes)


def test_workers_of_both_mounts_share_the_work(pair: Pair) -> None:
    """No job is lost or has two results, and none is charged a failure."""
    spool, jobs = _make_spool(pair, 10)
    with _serving(pair.first / "spool", "one"), _serving(pair.second / "spool", "two"):
        outcomes = _wait_for_all(pair, spool, jobs)
    assert [outcome.status for outcome in outcomes] == ["done"] * 10
    assert spool.status().done == 10
    assert _bytes_of(pair, pair.first, jobs) == _bytes_of(pair, pair.second, jobs)


def _claims(spool: Spool) -> list[str]:
    disk = RealFileSystem(spool.directory)
    workers = [w for w in disk.list_directory("claims") if w.startswith("w")]
    return [name for worker in workers for name in disk.list_directory(f"claims/{worker}")]


def test_a_client_cut_off_beyond_its_lease_loses_its_jobs_only(
    pair: Pair, run_lab: Callable[..., None]
) -> None:
    """Others do them; when it comes back, nothing that was published changes, and it works on."""
    spool, jobs = _make_spool(pair, 8)
    client = pair.second.parent.name
    with ExitStack() as healed:
        two = healed.enter_context(_serving(pair.second / "spool", "two"))
        pair.wait_until(lambda: _claims(spool) != [], 90.0, "a claim of it")
        run_lab("lab-partition", client)
        healed.callback(run_lab, "lab-heal", client)
        pair.clock.sleep(_LEASE_S)
        healed.enter_context(_serving(pair.first / "spool", "one"))
        outcomes = _wait_for_all(pair, spool, jobs)
        before = _bytes_of(pair, pair.first, jobs)
        run_lab("lab-heal", client)
        pair.clock.sleep(2 * _LEASE_S)
        backend = DistributedExecutionBackend(pair.second / "spool")
        more = [
            backend.submit(str(path), CONFIG) for path in sorted(pair.second.glob("book*.xlsx"))[:2]
        ]
        assert [o.status for o in _wait_for_all(pair, spool, more)] == ["done"] * 2
        assert set(two.codes) <= set(_COME_AGAIN)
    assert [outcome.status for outcome in outcomes] == ["done"] * 8
    assert any(outcome.attempt > 1 for outcome in outcomes)
    assert _bytes_of(pair, pair.first, jobs) == before
    assert _bytes_of(pair, pair.second, jobs) == before


def test_a_server_that_restarts_loses_no_job(pair: Pair, run_lab: Callable[..., None]) -> None:
    """Workers wait it out, or leave and are started again."""
    spool, jobs = _make_spool(pair, 10)
    with (
        _serving(pair.first / "spool", "one") as one,
        _serving(pair.second / "spool", "two") as two,
    ):
        pair.wait_until(lambda: _claims(spool) != [], 90.0, "a claim")
        run_lab("lab-restart-server", "5")
        outcomes = _wait_for_all(pair, spool, jobs)
        assert set(one.codes + two.codes) <= set(_COME_AGAIN)
    assert [outcome.status for outcome in outcomes] == ["done"] * 10
    assert _bytes_of(pair, pair.first, jobs) == _bytes_of(pair, pair.second, jobs)
