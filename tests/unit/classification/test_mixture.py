"""A sheet that holds prose and a table is a hybrid; a table with its notes is not."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from ingestkit_excel.classification import classify_workbook
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ClassificationResult, FileType
from ingestkit_excel.parsing import parse_workbook, profile_workbook

CONFIG = ExcelProcessorConfig()
NOTE = "Figures count the tickets that were closed in the month and not those still open."


def classify(path: Path) -> ClassificationResult:
    """Parse, profile and classify a workbook without an LLM."""
    profile = profile_workbook(parse_workbook(str(path), CONFIG), CONFIG)
    return classify_workbook(profile, CONFIG).result


def report(path: Path, *, rows: int, notes: int) -> Path:
    """Write a table of three columns under a title, with notes below it."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet["A1"] = "Tickets by site"
    lines: list[tuple[object, ...]] = [("Site", "Tickets", "Hours")]
    lines += [(f"Site {n}", n, n * 1.5) for n in range(rows)]
    for offset, line in enumerate(lines):
        for column, value in enumerate(line, 1):
            sheet.cell(3 + offset, column, value)
    for number in range(notes):
        sheet.cell(rows + 5 + number, 1, NOTE)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("rows", "notes", "expected"),
    [
        (12, 4, FileType.HYBRID),
        (12, 0, FileType.TABULAR_DATA),
        (12, 1, FileType.TABULAR_DATA),
        (600, 4, FileType.TABULAR_DATA),
    ],
)
def test_notes_make_a_hybrid_only_when_they_weigh(
    tmp_path: Path, rows: int, notes: int, expected: FileType
) -> None:
    """One footnote, or a few under a long table, leave it a table."""
    assert classify(report(tmp_path / "r.xlsx", rows=rows, notes=notes)).file_type is expected


def test_the_evidence_stands_in_the_result(tmp_path: Path) -> None:
    """A reader of the result sees why it is a hybrid, without any LLM or warning."""
    found = classify(report(tmp_path / "r.xlsx", rows=12, notes=4))
    assert found.signals is not None
    assert found.signals["Sheet"]["prose_beside_table"]["vote"] == "hybrid"
    assert "prose beside a table" in found.reasoning
    assert found.confidence == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roster", FileType.TABULAR_DATA),
        ("budget", FileType.TABULAR_DATA),
        ("matrix", FileType.TABULAR_DATA),
        ("hybrid", FileType.HYBRID),
    ],
)
def test_sample_workbooks_are_what_they_are_made_to_be(
    tmp_path: Path, name: str, expected: FileType
) -> None:
    """The samples of the quick start are told apart by rules alone."""
    path = {p.stem: p for p in _samples().make_workbooks(tmp_path)}[name]
    assert classify(path).file_type is expected


def _samples() -> ModuleType:
    script = Path(__file__).parents[3] / "scripts" / "make_workbooks.py"
    spec = importlib.util.spec_from_file_location("make_workbooks", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
