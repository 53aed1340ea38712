"""The distributed backend speaks through a spool."""

import hashlib
import re
import sys
import threading
from pathlib import Path

import pytest

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.execution import (
    DistributedExecutionBackend,
    ExecutionBackend,
    LocalExecutionBackend,
    create_execution_backend,
    failed_result,
)
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool import Job, Outcome, Spool, SpoolSettings
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import MemoryFileSystem

pytestmark = pytest.mark.slow  # a spool has hundreds of directories, which take a while to make

CONFIG = ExcelProcessorConfig(tenant_id="north", execution_job_timeout=12.0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Give a spool on a share with one workbook."""
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.xlsx").write_bytes(b"workbook")
    return Spool.create(share / "spool", SpoolSettings(durability="none", retry_backoff_s=0.0))


def _workbook(spool: Spool) -> Path:
    return spool.directory.parent / "a.xlsx"


def _result(job: Job) -> ProcessingResult:
    return ProcessingResult(file_path=job.file_path, ingest_key="key", ingest_run_id="run")


def _run_one(spool: Spool, *, crash: bool = False) -> Job:
    worker = spool.enlist(host="here")
    claim = worker.try_claim()
    assert claim is not None
    if crash:
        message = "cannot finish the workbook: SIGSEGV; look at it"
        worker.retry(claim, code=ErrorCode.E_EXECUTION_CRASHED, message=message)
    else:
        outcome = Outcome(
            job_id=claim.job.job_id,
            status="done",
            result=_result(claim.job),
            worker_id=claim.worker_id,
            attempt=claim.attempt,
        )
        worker.complete(claim, outcome)
    worker.retire()
    return claim.job


def test_a_job_names_its_workbook_and_carries_its_settings(spool: Spool) -> None:
    """A worker on another host finds everything it needs."""
    backend = DistributedExecutionBackend(f"spool://{spool.directory}")
    assert isinstance(backend, ExecutionBackend)
    job_id = backend.submit(str(_workbook(spool)), CONFIG, "uri")
    job = _run_one(spool)
    assert (job.job_id, job.root, job.rel, job.source_uri) == (job_id, "share", "a.xlsx", "uri")
    assert (job.config, job.timeout_s, job.size_bytes) == (CONFIG, 12.0, 8)
    assert backend.get_result(job_id, timeout=5) == _result(job)


def test_a_result_can_be_asked_for_from_another_process(spool: Spool) -> None:
    """The id is enough."""
    job_id = DistributedExecutionBackend(spool.directory).submit(str(_workbook(spool)), CONFIG)
    job = _run_one(spool)
    assert DistributedExecutionBackend(spool.directory).get_result(job_id) == _result(job)


def test_a_job_that_is_not_finished_in_time_can_be_asked_for_again(spool: Spool) -> None:
    """The error names the job."""
    backend = DistributedExecutionBackend(spool.directory)
    job_id = backend.submit(str(_workbook(spool)), CONFIG)
    with pytest.raises(ExecutionError, match=job_id) as caught:
        backend.get_result(job_id, timeout=0.0)
    assert caught.value.code is ErrorCode.E_EXECUTION_TIMEOUT
    assert caught.value.job_id == job_id
    job = _run_one(spool)
    assert backend.get_result(job_id, timeout=5) == _result(job)


@pytest.mark.parametrize("job_id", ["j" + "0" * 32, "no id at all"])
def test_an_id_nobody_submitted_is_not_found(spool: Spool, job_id: str) -> None:
    """Waiting for it would never end."""
    with pytest.raises(ExecutionError) as caught:
        DistributedExecutionBackend(spool.directory).get_result(job_id)
    assert caught.value.code is ErrorCode.E_EXECUTION_NOT_FOUND


def test_a_job_every_attempt_crashed_on_gives_a_coded_result(spool: Spool) -> None:
    """A poisonous workbook is a failed workbook, not an endless job."""
    backend = DistributedExecutionBackend(spool.directory)
    job_id = backend.submit(str(_workbook(spool)), CONFIG)
    for _ in range(3):
        _run_one(spool, crash=True)
    result = backend.get_result(job_id, timeout=5)
    assert result.errors == ["E_EXECUTION_CRASHED"]
    assert result.file_path == str(_workbook(spool))


def test_a_workbook_that_is_missing_or_elsewhere_is_refused(spool: Spool, tmp_path: Path) -> None:
    """Nothing is put into the spool."""
    backend = DistributedExecutionBackend(spool.directory)
    (tmp_path / "b.xlsx").touch()
    for path in (tmp_path / "b.xlsx", tmp_path / "share" / "none.xlsx"):
        with pytest.raises(ExecutionError, match=re.escape(str(path))) as caught:
            backend.submit(str(path), CONFIG)
        assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT
    assert spool.status().pending == 0


def test_an_attached_workbook_travels_with_its_job(spool: Spool, tmp_path: Path) -> None:
    """It is in the spool under its digest, once, and the job says so."""
    backend = DistributedExecutionBackend(spool.directory, attach=True)
    for name in ("b.xlsx", "copy.xlsx"):
        (tmp_path / name).write_bytes(b"off the share")
    jobs = [backend.submit(str(tmp_path / name), CONFIG) for name in ("b.xlsx", "copy.xlsx")]
    (tmp_path / "b.xlsx").unlink()
    job = _run_one(spool)
    digest = hashlib.sha256(b"off the share").hexdigest()
    assert (job.job_id, job.root, job.rel, job.size_bytes) == (jobs[0], "", "b.xlsx", 13)
    assert job.blob_sha256 == digest
    assert (job.file_path, job.source_uri) == (str(tmp_path / "b.xlsx"),) * 2
    blobs = list((spool.directory / "blobs").glob("*/*"))
    assert [(blob.parent.name, blob.name) for blob in blobs] == [(digest[-2:], digest)]
    assert blobs[0].read_bytes() == b"off the share"


def test_a_workbook_below_a_root_is_not_copied(spool: Spool) -> None:
    """Attaching is for those that workers cannot see."""
    DistributedExecutionBackend(spool.directory, attach=True).submit(str(_workbook(spool)), CONFIG)
    assert _run_one(spool).blob_sha256 is None
    assert list((spool.directory / "blobs").iterdir()) == []


def test_only_a_plain_file_of_allowed_size_is_attached(spool: Spool, tmp_path: Path) -> None:
    """The message tells the limit."""
    backend = DistributedExecutionBackend(spool.directory, attach=True)
    large, folder = tmp_path / "large.xlsx", tmp_path / "folder.xlsx"
    large.write_bytes(b"12345")
    folder.mkdir()
    config = ExcelProcessorConfig(max_file_size_bytes=4)
    for path, cause in ((large, "raise max_file_size_bytes"), (folder, "no plain file")):
        with pytest.raises(ExecutionError, match=cause) as caught:
            backend.submit(str(path), config)
        assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT
    assert spool.status().pending == 0
    assert list((spool.directory / "blobs").iterdir()) == []


def test_a_refusal_of_the_spool_is_told_once(spool: Spool) -> None:
    """Workbook, spool and cause stand in one sentence."""
    backend = DistributedExecutionBackend(spool.directory)
    (spool.directory / "tmp").rename(spool.directory / "away")
    with pytest.raises(ExecutionError) as caught:
        backend.submit(str(_workbook(spool)), CONFIG)
    assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT
    assert caught.value.message.count("cannot") == 1
    assert f"{_workbook(spool)} to {spool.directory}: tmp/" in caught.value.message


def test_a_hiccup_of_the_share_does_not_end_a_wait_without_limit(tmp_path: Path) -> None:
    """What fails for two minutes does."""
    fs, clock = MemoryFileSystem(), FakeClock()
    spool = Spool.create(tmp_path / "spool", fs=fs, clock=clock)
    (tmp_path / "a.xlsx").touch()
    backend = DistributedExecutionBackend(spool)
    job_id = backend.submit(str(tmp_path / "a.xlsx"), CONFIG)
    fs.rename("results", "away")
    fs.create("results", b"", durable=False)
    with pytest.raises(ExecutionError, match=job_id) as caught:
        backend.get_result(job_id)
    assert caught.value.code is ErrorCode.E_SPOOL_INVALID
    assert 120 <= clock.monotonic() <= 125


class HangingFileSystem(MemoryFileSystem):
    """A mount whose server can go away: then every look hangs until it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_up = threading.Event()
        self.is_up.set()

    def refresh(self, path: str) -> None:
        """Look, when the server is there."""
        self.is_up.wait()
        super().refresh(path)

    def list_directory(self, path: str) -> list[str]:
        """List, when the server is there."""
        self.is_up.wait()
        return super().list_directory(path)


@pytest.mark.parametrize("is_submitter", [True, False])
def test_a_mount_that_hangs_does_not_prolong_the_wait(tmp_path: Path, is_submitter: bool) -> None:
    """The job can be asked for again, and nothing was lost.

    Broken on purpose: looking on the caller's thread makes this hang.
    """
    fs, clock = HangingFileSystem(), SystemClock()
    spool = Spool.create(tmp_path / "spool", fs=fs)
    (tmp_path / "a.xlsx").touch()
    submitter = DistributedExecutionBackend(spool)
    job_id = submitter.submit(str(tmp_path / "a.xlsx"), CONFIG)
    backend = submitter if is_submitter else DistributedExecutionBackend(spool)
    fs.is_up.clear()
    try:
        started_s = clock.monotonic()
        with pytest.raises(ExecutionError, match="did not answer") as caught:
            backend.get_result(job_id, timeout=0.05)
        assert clock.monotonic() - started_s < 10
        assert caught.value.code is ErrorCode.E_EXECUTION_TIMEOUT
        assert caught.value.job_id == job_id
    finally:
        fs.is_up.set()
    job = _run_one(spool)
    assert backend.get_result(job_id, timeout=30) == _result(job)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow Unicode names only")
def test_a_name_that_is_no_text_is_refused_with_a_code(spool: Spool) -> None:
    """A batch goes on without it."""
    path = str(spool.directory.parent / "a\udcff.xlsx")
    Path(path).touch()
    with pytest.raises(ExecutionError, match="rename the workbook") as caught:
        DistributedExecutionBackend(spool.directory).submit(path, CONFIG)
    assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT


@pytest.mark.parametrize("url", ["redis://host/0", "spool://host/path"])
def test_another_transport_is_refused_with_what_exists(url: str) -> None:
    """The message names the form that works."""
    with pytest.raises(ConfigurationError, match="spool:///"):
        DistributedExecutionBackend(url)


def test_a_place_without_a_spool_is_refused_at_once(tmp_path: Path) -> None:
    """A mistyped path is not found out at the first job."""
    with pytest.raises(SpoolError) as caught:
        DistributedExecutionBackend(tmp_path / "none")
    assert caught.value.code is ErrorCode.E_SPOOL_NOT_FOUND


def test_the_settings_choose_the_backend(spool: Spool) -> None:
    """Local is the default; distributed needs to know where."""

    def process(path: str, _config: ExcelProcessorConfig, _uri: str | None) -> ProcessingResult:
        return failed_result(path, ErrorCode.E_PARSE_EMPTY, "empty")

    local = create_execution_backend(ExcelProcessorConfig(), process)
    assert isinstance(local, LocalExecutionBackend)
    config = ExcelProcessorConfig(
        execution_backend="distributed", execution_queue_url=str(spool.directory)
    )
    assert isinstance(create_execution_backend(config, process), DistributedExecutionBackend)
    with pytest.raises(ConfigurationError, match="execution_queue_url"):
        create_execution_backend(ExcelProcessorConfig(execution_backend="distributed"), process)
