"""The commands, run in this process on real workbooks, stores and spools."""

import json
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingestkit_excel.cli import ExitCode, main

pytestmark = pytest.mark.slow


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """A plain table of eight people."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(("Name", "Age", "City"))
    for index in range(8):
        sheet.append((f"Person {index}", 30 + index, "Ghent"))
    path = tmp_path / "share" / "people.xlsx"
    path.parent.mkdir()
    book.save(path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Where tests write."""
    return f"sqlite:///{tmp_path / 'out.db'}"


def test_ingest_prints_a_row_and_the_totals(
    workbook: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal progress is one plain line on standard error."""
    assert main(["ingest", str(workbook), "--store", store]) == ExitCode.OK
    printed = capsys.readouterr()
    assert "1 workbook: 1 ok, 0 failed, 0 open; 1 table" in printed.out
    assert printed.err.startswith("[1/1] ok")


def test_ingest_as_json_is_one_document(
    workbook: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output holds nothing else."""
    assert main(["ingest", str(workbook.parent), "--store", store, "--json"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["workbooks"][0]["result"]["tables_created"] == 1
    assert document["exit_code"] == ExitCode.OK


def test_a_broken_workbook_is_named_and_the_others_go_on(
    workbook: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code tells that not all went well."""
    (workbook.parent / "broken.xlsx").write_bytes(b"no workbook")
    assert main(["ingest", str(workbook.parent), "--store", store]) == ExitCode.SOME_FAILED
    printed = capsys.readouterr()
    assert "2 workbooks: 1 ok, 1 failed" in printed.out
    assert "E_PARSE_CORRUPT: " in printed.err


def test_what_was_ingested_can_be_queried_and_searched(
    workbook: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables are listed by name, read by SQL, and described in a chunk that words find."""
    main(["ingest", str(workbook), "--store", store, "--json"])
    table = json.loads(capsys.readouterr().out)["workbooks"][0]["result"]["tables"][0]
    assert main(["query", store]) == ExitCode.OK
    assert table in capsys.readouterr().out
    assert main(["query", store, f"SELECT max(age) AS oldest FROM {table}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [[37]]
    assert main(["search", store, "city", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)[0]["metadata"]["table_name"] == table


def test_any_number_of_workers_gives_the_same_tables(
    workbook: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process or in children of it."""
    seen = []
    for workers in ("1", "2"):
        store = str(tmp_path / f"{workers}.db")
        assert main(["ingest", str(workbook), "--store", store, "--workers", workers]) == 0
        capsys.readouterr()
        main(["query", store, "--json"])
        seen.append(json.loads(capsys.readouterr().out)["rows"])
    assert seen[0] == seen[1] != []


def test_a_store_that_is_no_database_ends_the_run_before_it_begins(
    workbook: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told once, instead of once for each workbook."""
    (tmp_path / "notes.db").write_text("no database")
    store = str(tmp_path / "notes.db")
    assert main(["ingest", str(workbook), "--store", store]) == ExitCode.STORE
    assert "not a database" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A report of a defect starts with it."""
    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("ingestkit-excel 0.")


def test_a_query_that_writes_is_refused(
    workbook: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asking questions never changes a store."""
    main(["ingest", str(workbook), "--store", store])
    assert main(["query", store, "DROP TABLE ingestkit_tables"]) == ExitCode.STORE
    assert "E_BACKEND_DB" in capsys.readouterr().err


def test_a_question_to_a_store_that_is_not_there_makes_none(
    tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped name is told, not created."""
    assert main(["search", store, "city"]) == ExitCode.USAGE
    assert "nothing at that place" in capsys.readouterr().err
    assert not (tmp_path / "out.db").exists()


def test_show_tells_what_each_sheet_is_taken_for(
    workbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written."""
    assert main(["show", str(workbook)]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert "tabular_data" in printed
    assert "A1:C9" in printed


def test_a_submitted_job_is_open_until_a_worker_comes(
    workbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`result` without waiting says so by its exit code, `status` counts it."""
    spool = str(workbook.parent / "spool")
    assert main(["init", spool]) == ExitCode.OK
    capsys.readouterr()
    assert main(["submit", str(workbook), "--spool", spool, "--json"]) == ExitCode.OK
    job_id = json.loads(capsys.readouterr().out)[0]["job_id"]
    assert main(["result", job_id, "--spool", spool]) == ExitCode.NOT_FINISHED
    assert job_id in capsys.readouterr().err
    assert main(["status", spool, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["pending"] == 1


def test_ingest_through_a_spool_without_workers_says_how_to_resume(
    workbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The job id is there, and the command that asks for it."""
    spool = str(workbook.parent / "spool")
    main(["init", spool])
    arguments = ["ingest", str(workbook), "--spool", spool, "--timeout", "0"]
    assert main(arguments) == ExitCode.NOT_FINISHED
    printed = capsys.readouterr()
    assert "waiting" in printed.out
    assert f"ingestkit-excel result --spool {spool}" in printed.err


def test_a_workbook_off_the_share_is_refused_with_the_fix(
    workbook: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers could not find it."""
    spool = str(workbook.parent / "spool")
    main(["init", spool])
    elsewhere = tmp_path / "elsewhere.xlsx"
    elsewhere.write_bytes(workbook.read_bytes())
    assert main(["submit", str(elsewhere), "--spool", spool]) == ExitCode.SOME_FAILED
    assert "outside every root" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["submit", "ingest"])
def test_a_workbook_off_the_share_can_be_attached(
    command: str, workbook: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of it is in the spool, and its job waits."""
    spool = workbook.parent / "spool"
    main(["init", str(spool)])
    elsewhere = tmp_path / "elsewhere.xlsx"
    elsewhere.write_bytes(workbook.read_bytes())
    limit = ["--timeout", "0"] if command == "ingest" else []
    main([command, str(elsewhere), "--spool", str(spool), "--attach", *limit])
    assert "outside every root" not in capsys.readouterr().err
    assert [b.read_bytes() for b in spool.glob("blobs/*/*")] == [elsewhere.read_bytes()]
    main(["status", str(spool), "--json"])
    assert json.loads(capsys.readouterr().out)["pending"] == 1


@pytest.mark.parametrize(
    ("arguments", "expected", "told"),
    [
        (["ingest", "nowhere.xlsx"], ExitCode.USAGE, "no such file"),
        (["status", "nowhere"], ExitCode.SPOOL, "E_SPOOL_NOT_FOUND"),
        (["frobnicate"], ExitCode.USAGE, "frobnicate"),
        (["ingest", ".", "--spool", "s", "--root", "data"], ExitCode.USAGE, "NAME=PATH"),
        (["ingest", ".", "--attach"], ExitCode.USAGE, "add --spool"),
    ],
)
def test_mistakes_are_told_in_one_message(
    arguments: list[str],
    expected: ExitCode,
    told: str,
    workbook: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No traceback; the exit code tells the kind."""
    monkeypatch.chdir(workbook.parent)
    assert main(arguments) == expected
    printed = capsys.readouterr().err
    assert told in printed
    assert "Traceback" not in printed


def test_a_word_that_is_no_job_id_names_no_job(
    workbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is that of an id nobody knows."""
    spool = str(workbook.parent / "spool")
    main(["init", spool])
    assert main(["result", "42", "--spool", spool]) == ExitCode.SPOOL
    assert "no such job" in capsys.readouterr().err


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """On the command and on each of its parts."""
    assert main(["--help"]) == ExitCode.OK
    assert "130 interrupted" in " ".join(capsys.readouterr().out.split())
