"""The summary after many workbooks."""

import json
import sys

import pytest

from ingestkit_excel.cli.summary import Ingestion, describe, print_ingestion
from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.execution import failed_result
from ingestkit_excel.models import ProcessingResult


def _ok(path: str) -> ProcessingResult:
    return ProcessingResult(file_path=path, ingest_key="", ingest_run_id="", chunks_created=1)


def _failed(path: str) -> ProcessingResult:
    message = f"cannot read workbook {path}: it is encrypted; remove the password"
    return failed_result(path, ErrorCode.E_PARSE_PASSWORD, message)


def test_a_cause_is_told_once_for_all_workbooks_that_share_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their names follow, each on a line."""
    run = Ingestion(["a", "b"], results={"a": _failed("a"), "b": _failed("b")})
    print_ingestion(run, as_json=False, resume="")
    assert capsys.readouterr().err.splitlines() == [
        "E_PARSE_PASSWORD: it is encrypted; remove the password",
        "  a",
        "  b",
    ]


def test_what_was_never_begun_is_counted_and_not_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After Ctrl-C there may be thousands."""
    paths = [f"{number}.xlsx" for number in range(1000)]
    run = Ingestion(paths, results={"0.xlsx": _ok("0.xlsx")}, interrupted=True)
    print_ingestion(run, as_json=False, resume="do it again")
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert "1000 workbooks: 1 ok, 0 failed, 999 open; 0 tables, 1 chunk" in printed.out
    assert printed.err == "interrupted: do it again\n"


def test_a_terminal_is_not_flooded_with_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed stays in sight."""
    paths = [f"{number}.xlsx" for number in range(100)]
    results = {path: _ok(path) for path in paths} | {"7.xlsx": _failed("7.xlsx")}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    print_ingestion(Ingestion(paths, results=results), as_json=False, resume="")
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "(a row for each of 100 is left out; --json prints all)",
        "100 workbooks: 99 ok, 1 failed, 0 open; 0 tables, 99 chunks",
    ]
    assert printed.err.splitlines()[-1] == "  7.xlsx"


def test_the_document_counts_and_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    """A script needs no second look at the rows."""
    run = Ingestion(["a", "b", "c"], results={"a": _ok("a"), "b": _failed("b")}, waiting={"c"})
    print_ingestion(run, as_json=True, resume="")
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["failed"], document["open"]) == (1, 1, 1)
    assert [workbook["file"] for workbook in document["workbooks"]] == ["a", "b", "c"]


def test_one_thing_is_no_plural() -> None:
    """People read this."""
    assert describe(_ok("a")) == "ok  0 tables, 1 chunk, 0.00 s"
    assert describe(_failed("a")) == "failed  E_PARSE_PASSWORD"
