"""Packages that spreadsheet programs open and engines stumble over, written part by part."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook as Book
from openpyxl.chart import BarChart

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ParseError
from ingestkit_excel.models import ParserUsed
from ingestkit_excel.parsing import parse_workbook
from ingestkit_excel.workbook import CellRange, Workbook

_TRANSITIONAL = "http://schemas.openxmlformats.org"
_STRICT = "http://purl.oclc.org/ooxml"
CONFIG = ExcelProcessorConfig(reader="openpyxl")
CFB = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(22) + b"\x09\x00" + bytes(480)


def package(path: Path, *, data: str, names: str = _TRANSITIONAL, sheets: str = "") -> Path:
    """Write the least that makes a workbook: no content types, no styles, one sheet."""
    main = f"{names}/spreadsheetml/2006/main" if "purl" not in names else f"{names}/main"
    kind = f"{names}/officeDocument/2006/relationships"
    if "purl" in names:
        kind = f"{names}/officeDocument/relationships"
    package_names = f"{_TRANSITIONAL}/package/2006/relationships"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package_names}">'
            f'<Relationship Id="r1" Type="{kind}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package_names}">'
            f'<Relationship Id="r1" Type="{kind}/worksheet" Target="Worksheets\\Sheet1.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets>'
            f'<sheet name="S" sheetId="1" r:id="r1"/>{sheets}</sheets></workbook>',
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>',
        )
    return path


ROW = '<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c><c r="B1"><v>2</v></c></row>'


def texts(workbook: Workbook) -> list[list[str]]:
    """Give the texts of the first sheet."""
    rows = workbook.sheets[0].read_rows()
    return [["" if cell is None else cell.text for cell in row] for row in rows]


def test_raw_cells_stand_where_the_engine_gives_up(tmp_path: Path) -> None:
    """Openpyxl wants content types; the cells are read without it, and a warning says so."""
    workbook = parse_workbook(str(package(tmp_path / "a.xlsx", data=ROW)), CONFIG)
    assert texts(workbook) == [["x", "2"]]
    assert workbook.parser_used is ParserUsed.RAW_TEXT_FALLBACK
    assert workbook.fallback_reason_code == "E_PARSE_OPENPYXL_FAIL"
    assert [warning.code for warning in workbook.warnings] == [ErrorCode.W_PARSER_FALLBACK]


def test_strict_namespaces_are_read(tmp_path: Path) -> None:
    """Openpyxl reads strict documents as empty, so it is not asked."""
    row = '<row r="1"><c r="A1" t="d"><v>2024-01-31</v></c></row>'
    workbook = parse_workbook(str(package(tmp_path / "a.xlsx", data=row, names=_STRICT)), CONFIG)
    assert texts(workbook) == [["2024-01-31"]]


def test_sheet_whose_part_is_missing_is_skipped(tmp_path: Path) -> None:
    """The other sheets are given."""
    path = package(tmp_path / "a.xlsx", data=ROW, sheets='<sheet name="T" sheetId="2" r:id="r9"/>')
    workbook = parse_workbook(str(path), CONFIG)
    assert workbook.skipped == {"T": "W_SHEET_UNREADABLE"}
    assert workbook.sheet_names == ("S", "T")


def test_damaged_only_sheet_makes_the_workbook_corrupt(tmp_path: Path) -> None:
    """Nothing is guessed from half a sheet."""
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(package(tmp_path / "a.xlsx", data=ROW + "<row")), CONFIG)
    assert caught.value.code is ErrorCode.E_PARSE_CORRUPT


def test_document_type_in_a_sheet_is_unsafe(tmp_path: Path) -> None:
    """A DTD in any part refuses the whole workbook."""
    path = package(tmp_path / "a.xlsx", data=ROW)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = b"<!DOCTYPE x>" + parts["xl/worksheets/sheet1.xml"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(path), CONFIG)
    assert caught.value.code is ErrorCode.E_PARSE_UNSAFE


def test_unknown_encoding_is_corrupt(tmp_path: Path) -> None:
    """A part in an encoding that nobody knows is damage, not a crash."""
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<?xml version='1.0' encoding='UTF-x'?><workbook/>")
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(path), CONFIG)
    assert caught.value.code is ErrorCode.E_PARSE_CORRUPT


def test_rows_out_of_order_are_sorted(tmp_path: Path) -> None:
    """Rows come in the order of their numbers."""
    data = '<row r="2"><c r="A2"><v>2</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>'
    assert texts(parse_workbook(str(package(tmp_path / "a.xlsx", data=data)), CONFIG)) == [
        ["1"],
        ["2"],
    ]


@pytest.mark.parametrize("reader", ["calamine", "openpyxl"])
def test_lone_cell_in_the_last_corner_is_cut_off(tmp_path: Path, reader: Any) -> None:
    """No engine is asked to fill 17 thousand million cells, and a warning tells of the cell."""
    if reader == "calamine":
        pytest.importorskip("python_calamine")
    data = ROW + '<row r="1048576"><c r="XFD1048576"><v>9</v></c></row>'
    path = str(package(tmp_path / "a.xlsx", data=data))
    workbook = parse_workbook(path, ExcelProcessorConfig(reader=reader))
    assert workbook.sheets[0].extent == CellRange(1, 1, 1, 2)
    assert texts(workbook) == [["x", "2"]]
    assert [warning.code for warning in workbook.warnings] == [ErrorCode.W_ROWS_TRUNCATED]


def test_long_gap_makes_a_sheet_streamed(tmp_path: Path) -> None:
    """Two cells far apart span rows that nobody should collect."""
    data = ROW + '<row r="900000"><c r="A900000"><v>9</v></c></row>'
    workbook = parse_workbook(str(package(tmp_path / "a.xlsx", data=data)), CONFIG)
    assert workbook.sheets[0].streamed
    assert workbook.sheets[0].extent == CellRange(1, 1, 900_000, 2)


def test_chart_sheet_is_skipped(tmp_path: Path) -> None:
    """A chart sheet holds no cells and is named with its reason."""
    book = Book()
    sheet: Any = book.active
    sheet["A1"] = 1
    book.create_chartsheet("Chart").add_chart(BarChart())
    path = tmp_path / "a.xlsx"
    book.save(path)
    workbook = parse_workbook(str(path), CONFIG)
    assert workbook.skipped == {"Chart": "W_SHEET_SKIPPED_CHART"}
    assert [warning.code for warning in workbook.warnings] == [ErrorCode.W_SHEET_SKIPPED_CHART]


def test_old_formats_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without calamine an .xls says what to install."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    path = tmp_path / "a.xls"
    path.write_bytes(CFB + "Workbook\0".encode("utf-16-le") + bytes(200))
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(path), ExcelProcessorConfig())
    assert caught.value.code is ErrorCode.E_PARSE_UNSUPPORTED
    assert "pip install ingestkit-excel[fast]" in caught.value.message


def test_reader_that_is_not_installed_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for calamine without it is the caller's mistake, not the workbook's."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ConfigurationError):
        parse_workbook(str(tmp_path / "a.xlsx"), ExcelProcessorConfig(reader="calamine"))


def test_damaged_xls_is_corrupt(tmp_path: Path) -> None:
    """What calamine cannot read is coded."""
    pytest.importorskip("python_calamine")
    path = tmp_path / "a.xls"
    head = CFB + "Workbook\0".encode("utf-16-le")
    path.write_bytes(head + bytes(600))
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(path), ExcelProcessorConfig())
    assert caught.value.code is ErrorCode.E_PARSE_CORRUPT
