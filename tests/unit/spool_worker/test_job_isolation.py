"""A claim becomes a verdict, whatever its job or its workbook is like."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.execution import Roots
from ingestkit_excel.spool import Claim, JobDraft, Spool, SpoolSettings
from spool_worker.isolation import JobSlot, Verdict

pytestmark = pytest.mark.slow  # a spool has hundreds of directories, and a child is started

CLOCK = SystemClock()


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[JobSlot]:
    """Give a slot whose root is the test's directory."""
    opened = JobSlot(
        roots=Roots({"share": tmp_path}),
        spool_directory=tmp_path / "spool",
        store=f"bundle://{tmp_path / 'store'}",
        clock=CLOCK,
    )
    yield opened
    opened.close()


def _claim(share: Path, **fields: object) -> Claim:
    spool = Spool.create(share / "spool", SpoolSettings(durability="none"))
    values = {"root": "share", "rel": "a.xlsx", "file_path": "as/submitted.xlsx"}
    status = (share / "a.xlsx").stat() if (share / "a.xlsx").exists() else share.stat()
    facts = {"size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    spool.submit(JobDraft.model_validate({**values, **facts, **fields}))
    claim = spool.enlist(host="here").try_claim()
    assert claim is not None
    return claim


def _run(slot: JobSlot, claim: Claim) -> Verdict:
    slot.start(claim)
    assert slot.claim is claim
    verdict = slot.poll()
    while verdict is None:
        CLOCK.sleep(0.01)
        verdict = slot.poll()
    assert slot.claim is None
    return verdict


def _write_workbook(share: Path) -> None:
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    workbook.active.append(["a", "b"])
    workbook.save(share / "a.xlsx")


def test_a_workbook_is_processed_in_a_child(slot: JobSlot, tmp_path: Path) -> None:
    """The outcome names the path as submitted, and who ran it for how long."""
    _write_workbook(tmp_path)
    claim = _claim(tmp_path, source_uri="uri", config=ExcelProcessorConfig(tenant_id="north"))
    outcome = _run(slot, claim).outcome
    assert outcome is not None
    assert (outcome.status, outcome.attempt, outcome.worker_id) == ("done", 1, claim.worker_id)
    assert outcome.run_s > 0
    assert outcome.result is not None
    assert outcome.result.file_path == "as/submitted.xlsx"
    assert outcome.result.tenant_id == "north"


def test_a_job_past_its_time_is_to_be_tried_again(slot: JobSlot, tmp_path: Path) -> None:
    """Whether it may is the spool's decision."""
    _write_workbook(tmp_path)
    verdict = _run(slot, _claim(tmp_path, timeout_s=0.001))
    assert (verdict.outcome, verdict.code) == (None, ErrorCode.E_EXECUTION_TIMEOUT)


def test_a_root_this_host_lacks_is_left_to_other_workers(slot: JobSlot, tmp_path: Path) -> None:
    """The message names the option that adds it."""
    verdict = _run(slot, _claim(tmp_path, root="data"))
    assert verdict.outcome is None
    assert "--root data=PATH" in verdict.message


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"rel": "../a.xlsx"}, "rejected", "E_EXECUTION_REJECTED"),
        ({"rel": "spool"}, "rejected", "E_EXECUTION_REJECTED"),
        ({"rel": "gone.xlsx", "max_attempts": 1}, "failed", "E_SOURCE_NOT_FOUND"),
        ({"size_bytes": 1, "max_attempts": 1}, "failed", "E_SOURCE_CHANGED"),
        ({"mtime_ns": 1, "max_attempts": 1}, "failed", "E_SOURCE_CHANGED"),
    ],
)
def test_a_workbook_that_is_not_as_submitted_gives_a_coded_result(
    slot: JobSlot, tmp_path: Path, fields: dict[str, object], status: str, code: str
) -> None:
    """No child is started for it."""
    _write_workbook(tmp_path)
    outcome = _run(slot, _claim(tmp_path, **fields)).outcome
    assert outcome is not None
    assert outcome.result is not None
    assert (outcome.status, outcome.result.errors) == (status, [code])
    assert outcome.result.file_path == "as/submitted.xlsx"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"rel": "gone.xlsx"}, ErrorCode.E_SOURCE_NOT_FOUND),
        ({"rel": "a.xlsx/b"}, ErrorCode.E_SOURCE_NOT_FOUND),
        ({"size_bytes": 1}, ErrorCode.E_SOURCE_CHANGED),
    ],
)
def test_a_workbook_that_is_not_seen_as_submitted_is_tried_again(
    slot: JobSlot, tmp_path: Path, fields: dict[str, object], code: ErrorCode
) -> None:
    """Another host, or this one a minute later, may see the share better."""
    _write_workbook(tmp_path)
    verdict = _run(slot, _claim(tmp_path, **fields))
    assert (verdict.outcome, verdict.code, verdict.is_charged) == (None, code, True)


def test_a_root_that_is_not_mounted_is_not_charged_to_the_job(tmp_path: Path) -> None:
    """A worker without its mount would otherwise fail the whole queue."""
    (tmp_path / "data").mkdir()
    roots = Roots({"data": tmp_path / "data"})
    slot = JobSlot(roots=roots, spool_directory=tmp_path, store="memory://", clock=CLOCK)
    claim = _claim(tmp_path, root="data")
    verdict = _run(slot, claim)
    assert (verdict.outcome, verdict.is_charged) == (None, False)
    assert "mount it" in verdict.message
    (tmp_path / "data").rmdir()
    assert not _run(slot, claim).is_charged


def _attach(share: Path, **fields: object) -> Claim:
    spool = Spool.create(share / "spool", SpoolSettings(durability="none"))
    values = {"root": "", "rel": "a.xlsx", "file_path": "at/home/a.xlsx", "size_bytes": 0}
    draft = JobDraft.model_validate({**values, "mtime_ns": 0, **fields})
    spool.submit(draft, attach=share / "a.xlsx")
    claim = spool.enlist(host="here").try_claim()
    assert claim is not None
    return claim


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory in which temporary ones are made."""
    directory = tmp_path / "private"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def test_an_attached_workbook_is_run_from_a_private_copy(
    slot: JobSlot, tmp_path: Path, private: Path
) -> None:
    """Nothing of the copy stays, and its place shows nowhere in the result."""
    _write_workbook(tmp_path)
    verdict = _run(slot, _attach(tmp_path))
    assert verdict.outcome is not None
    assert verdict.outcome.result is not None
    assert (verdict.outcome.status, verdict.outcome.result.errors) == ("done", [])
    assert verdict.outcome.result.file_path == "at/home/a.xlsx"
    assert str(private) not in verdict.outcome.model_dump_json()
    assert list(private.iterdir()) == []


def test_a_broken_attached_workbook_is_named_as_submitted(
    slot: JobSlot, tmp_path: Path, private: Path
) -> None:
    """The submitter knows no path of this host."""
    (tmp_path / "a.xlsx").write_bytes(b"no workbook")
    outcome = _run(slot, _attach(tmp_path)).outcome
    assert outcome is not None
    assert outcome.result is not None
    assert "at/home/a.xlsx" in outcome.result.error_details[0].message
    assert str(private) not in outcome.model_dump_json()


@pytest.mark.parametrize(
    ("damage", "code"),
    [(None, ErrorCode.E_SOURCE_NOT_FOUND), (b"other bytes", ErrorCode.E_SOURCE_UNREADABLE)],
)
def test_an_attached_workbook_that_is_gone_or_damaged_is_tried_again(
    slot: JobSlot, tmp_path: Path, damage: bytes | None, code: ErrorCode
) -> None:
    """Another host may see the share better; the last attempt tells the reason."""
    _write_workbook(tmp_path)
    claim = _attach(tmp_path)
    (blob,) = (tmp_path / "spool" / "blobs").glob("*/*")
    blob.unlink()
    if damage is not None:
        blob.write_bytes(damage)
    verdict = _run(slot, claim)
    assert (verdict.outcome, verdict.code) == (None, code)


def test_a_worker_without_room_leaves_an_attached_workbook_to_others(
    slot: JobSlot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host whose temporary directory is gone fails no job for good."""
    _write_workbook(tmp_path)
    claim = _attach(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    verdict = _run(slot, claim)
    assert (verdict.outcome, verdict.code) == (None, ErrorCode.E_SOURCE_UNREADABLE)
    assert "TMPDIR" in verdict.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_the_worker_may_not_enter_is_named(slot: JobSlot, tmp_path: Path) -> None:
    """Permissions are told apart from a missing file."""
    (tmp_path / "closed").mkdir(mode=0)
    outcome = _run(slot, _claim(tmp_path, rel="closed/a.xlsx", max_attempts=1)).outcome
    assert outcome is not None
    assert outcome.result is not None
    assert outcome.result.errors == ["E_SOURCE_PERMISSION"]
