"""Commands about a spool and its bundles, run in this process."""

import io
import json
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingestkit_excel.backends import BundleStore
from ingestkit_excel.cli import ExitCode, main
from ingestkit_excel.spool import Spool

pytestmark = pytest.mark.slow

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A share with two workbooks and a spool."""
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("people.xlsx", "pets.xlsx"):
        book = Workbook()
        book.worksheets[0].append(("Name", "Age"))
        for index in range(8):
            book.worksheets[0].append((f"{name} {index}", index))
        book.save(folder / name)
    Spool.create(folder / "spool")
    return folder


def _submit(share: Path, capsys: Printed) -> list[str]:
    assert main(["submit", str(share), "--spool", str(share / "spool")]) == ExitCode.OK
    return [line.split()[0] for line in capsys.readouterr().out.splitlines()]


def test_settings_alone_send_the_work_to_a_spool(
    share: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command, without an option that names the spool."""
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "settings.json"
    url = f"spool://{share / 'spool'}"
    settings.write_text(
        json.dumps({"execution_backend": "distributed", "execution_queue_url": url})
    )
    arguments = ["ingest", str(share), "--config", str(settings), "--timeout", "0"]
    assert main(arguments) == ExitCode.NOT_FINISHED
    assert "2 workbooks: 0 ok, 0 failed, 2 open" in capsys.readouterr().out
    assert Spool.open(share / "spool").status().pending == 2
    assert not (tmp_path / "ingestkit.db").exists()
    assert main(["submit", str(share), "--config", str(settings)]) == ExitCode.OK
    assert Spool.open(share / "spool").status().pending == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--workers", "2"], "--workers is for work on this host"),
        (["--store", "x.db"], "--store is for work on this host"),
    ],
)
def test_options_that_contradict_a_spool_are_refused(
    options: list[str], told: str, share: Path, capsys: Printed
) -> None:
    """Nothing is submitted."""
    arguments = ["ingest", str(share), "--spool", str(share / "spool"), *options]
    assert main(arguments) == ExitCode.USAGE
    assert told in capsys.readouterr().err
    assert Spool.open(share / "spool").status().pending == 0


def test_settings_without_a_queue_say_what_is_missing(
    share: Path, tmp_path: Path, capsys: Printed
) -> None:
    """The message names the option and the setting."""
    settings = tmp_path / "settings.json"
    settings.write_text('{"execution_backend": "distributed"}')
    assert main(["ingest", str(share), "--config", str(settings)]) == ExitCode.USAGE
    assert "execution_queue_url" in capsys.readouterr().err


def test_a_job_is_cancelled_or_the_reason_told(share: Path, capsys: Printed) -> None:
    """An id nobody knows has the exit code of a job the spool does not know."""
    spool = str(share / "spool")
    job_id = _submit(share, capsys)[0]
    assert main(["cancel", job_id, "--spool", spool]) == ExitCode.OK
    printed = capsys.readouterr()
    assert printed.out == f"asked to give up  {job_id}\n"
    assert "no" in printed.err
    assert main(["cancel", "j" + "0" * 32, "42", "--spool", spool, "--json"]) == ExitCode.SPOOL
    assert {item["cancel"] for item in json.loads(capsys.readouterr().out)} == {"unknown"}


def test_results_of_many_jobs_are_asked_for_with_what_submit_printed(
    share: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash reads the lines from standard input; what is open is listed with its id."""
    spool = str(share / "spool")
    job_ids = _submit(share, capsys)
    lines = f"{job_ids[0]}  some path\n\nopen  {job_ids[1]}  another\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert main(["result", "-", "--spool", spool]) == ExitCode.NOT_FINISHED
    printed = capsys.readouterr()
    assert "2 workbooks: 0 ok, 0 failed, 2 open" in printed.out
    assert all(job_id in printed.err for job_id in job_ids)


def test_the_result_of_an_open_job_tells_its_state(share: Path, capsys: Printed) -> None:
    """And how to wait for it."""
    job_id = _submit(share, capsys)[0]
    spool = f"spool://{share / 'spool'}"
    assert main(["result", job_id, "--spool", spool]) == ExitCode.NOT_FINISHED
    told = capsys.readouterr().err
    assert "it is pending" in told
    assert "--wait" in told


def test_a_spool_is_made_with_settings_and_not_made_twice(share: Path, capsys: Printed) -> None:
    """What an existing one was made with is not silently ignored."""
    spool = str(share / "other spool")
    assert main(["init", spool, "--set", "retention_s=60"]) == ExitCode.OK
    assert f"spool-worker --spool '{spool}'" in capsys.readouterr().out
    assert Spool.open(Path(spool)).settings.retention_s == 60
    assert main(["init", spool]) == ExitCode.OK
    assert "already" in capsys.readouterr().out
    assert main(["init", spool, "--set", "retention_s=90"]) == ExitCode.USAGE
    assert main(["init", str(share / "third"), "--set", "retention=9"]) == ExitCode.USAGE
    assert "retention_s" in capsys.readouterr().err
    assert not (share / "third").exists()


def test_status_says_when_jobs_wait_for_nobody(share: Path, capsys: Printed) -> None:
    """The fix is a command."""
    _submit(share, capsys)
    assert main(["status", str(share / "spool")]) == ExitCode.OK
    assert "no worker is listed; start one" in capsys.readouterr().err


def test_superseded_bundles_are_pruned(tmp_path: Path, capsys: Printed) -> None:
    """The present ones stay."""
    root = tmp_path / "ingestkit-store"
    store = BundleStore(root)
    for key in ("a" * 64, "b" * 64):
        with store.ingest_session(key, "file:///people.xlsx"):
            pass
    before = len(list(root.glob("*/*")))
    assert main(["prune", str(root)]) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"removed {before - 1} superseded bundle")
    assert len(store.bundles()) == 1


@pytest.mark.parametrize("command", [["prune"], ["export", "--to", "sqlite:///out.db"]])
def test_a_directory_of_other_things_is_left_alone(
    command: list[str], tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped path neither loses files nor looks like an empty store."""
    monkeypatch.chdir(tmp_path)
    precious = tmp_path / "reports" / "q1" / "1-draft"
    precious.mkdir(parents=True)
    (tmp_path / "reports" / "q1" / "2-final").mkdir()
    assert main([command[0], str(tmp_path / "reports"), *command[1:]]) == ExitCode.USAGE
    assert "it is no directory of bundles" in capsys.readouterr().err
    assert precious.is_dir()
    assert not (tmp_path / "out.db").exists()
