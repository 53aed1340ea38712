"""The doctor with real processes on a real directory, and the command that calls it."""

import json
from pathlib import Path

import pytest

from ingestkit_excel.cli import ExitCode, main
from ingestkit_excel.doctor import Verdict, examine
from ingestkit_excel.doctor.crew import hire
from ingestkit_excel.doctor.examine import PROBES
from ingestkit_excel.doctor.rawdisk import RawDisk
from ingestkit_excel.errors import ConfigurationError
from ingestkit_excel.spool import Spool
from ingestkit_excel.spool.fs import Unreachable

pytestmark = pytest.mark.slow


def test_a_local_disk_is_examined_by_two_paths(tmp_path: Path) -> None:
    """Both paths are one mount, which is told; nothing is left behind."""
    Spool.create(tmp_path / "spool")
    (tmp_path / "same").symlink_to("spool")
    before = sorted(path for path in (tmp_path / "spool").rglob("*"))
    asked: list[str] = []
    report = examine(tmp_path / "spool", tmp_path / "same", on_probe=asked.append)
    assert sorted(path for path in (tmp_path / "spool").rglob("*")) == before
    assert asked == [*PROBES, "sweeping up"]
    by_probe = {finding.probe: finding for finding in report.findings}
    assert by_probe["two views"].verdict is Verdict.DEGRADED
    assert by_probe["claim race"].facts["processes"] == 8
    for name in ("claim race", "exclusive create", "atomic rename", "locks on this host", "events"):
        assert by_probe[name].verdict is Verdict.OK, by_probe[name]


def test_two_directories_are_no_two_mounts_of_one(tmp_path: Path) -> None:
    """What is made in the one must be in the other, else every probe would mislead."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigurationError, match="two mounts of the same directory"):
        examine(tmp_path / "one", tmp_path / "two")
    assert list((tmp_path / "one").iterdir()) == []


def test_the_command_prints_findings_and_ends_with_their_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code, the JSON document and its verdict say the same."""
    code = main(["doctor", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    codes = {"ok": ExitCode.OK, "degraded": ExitCode.DEGRADED, "unsafe": ExitCode.UNSAFE}
    assert code == codes[report["verdict"]]
    assert report["directory"] == str(tmp_path)
    assert {"probe", "verdict", "found", "follows", "change", "facts"} == set(report["findings"][0])


def test_the_command_prints_a_line_for_each_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line is the verdict."""
    main(["doctor", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(("ok", "degraded", "unsafe")) and "mount" in line for line in lines)
    assert lines[-1].partition(":")[0] in set(Verdict)


def test_the_command_refuses_what_is_no_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A share that is not mounted is a wrong path, not a bad share."""
    assert main(["doctor", str(tmp_path / "none")]) == ExitCode.USAGE
    assert "mount the share or correct the path" in capsys.readouterr().err


def test_a_hand_that_died_or_hangs_is_an_error_in_time(tmp_path: Path) -> None:
    """No question waits for ever or gets the answer of another; an error comes back as one."""
    with hire([tmp_path, tmp_path]) as (first, second):
        first.start("wait", looks=[("stat", "none")], limit_s=1.0)
        with pytest.raises(Unreachable, match="got no answer"):
            first.answer(0.05)
        first.start("greet")
        assert first.answer(30.0) is True
        first.kill()
        with pytest.raises(Unreachable, match="has ended"):
            first.answer(5.0)
        second.start("replace", path="none/name", count=1)
        with pytest.raises(Unreachable, match="Missing"):
            second.answer(30.0)


def test_bare_system_calls_give_errors_by_name(tmp_path: Path) -> None:
    """What the system says is a value here."""
    disk = RawDisk(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    assert (disk.has_name("file"), disk.has_name("none")) == (True, False)
    assert (disk.can_open("file"), disk.can_open("none")) == (True, False)
    assert disk.link("none", "new") == "ENOENT"
    assert disk.link("file", "new") == ""
    assert disk.link("file", "new") == "EEXIST"
    assert disk.sync_directory("") == ""
    assert disk.sync_directory("none") == "ENOENT"
    assert disk.modes("").device == tmp_path.stat().st_dev
    names = disk.free_names()
    assert names is None or names > 0
    assert disk.watch("none") is None
