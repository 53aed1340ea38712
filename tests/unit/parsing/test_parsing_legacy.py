"""OpenDocument sheets built in code, read with calamine."""

import zipfile
from pathlib import Path

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.models import ParserUsed
from ingestkit_excel.parsing import parse_workbook
from ingestkit_excel.parsing.legacy_extent import check_legacy_extents
from ingestkit_excel.parsing.limits import Container
from ingestkit_excel.workbook import CellRange

_NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)
_CELL = '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>'


def ods(folder: Path, rows: str, manifest: str = "") -> str:
    """Write an OpenDocument spreadsheet with one sheet of the given rows."""
    path = folder / "book.ods"
    body = f'<table:table table:name="S">{rows}</table:table>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml",
            '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f"{manifest}</m:manifest>",
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {_NAMES}><office:body><office:spreadsheet>{body}"
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return str(path)


def test_ods_is_read_by_calamine(tmp_path: Path) -> None:
    """Empty leading rows and columns do not count."""
    pytest.importorskip("python_calamine")
    rows = (
        '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
        f"<table:table-row><table:table-cell/>{_CELL}</table:table-row>"
    )
    sheet = parse_workbook(ods(tmp_path, rows), ExcelProcessorConfig()).sheets[0]
    assert sheet.parser_used is ParserUsed.CALAMINE
    assert sheet.extent == CellRange(3, 2, 3, 2)
    assert [[cell.text for cell in row if cell] for row in sheet.read_rows()] == [["x"]]


def test_lone_cell_far_out_is_refused_before_calamine(tmp_path: Path) -> None:
    """The bounding box is measured, because allocating it would end the process."""
    rows = (
        '<table:table-row table:number-rows-repeated="90000"><table:table-cell/></table:table-row>'
        '<table:table-row><table:table-cell table:number-columns-repeated="16383"/>'
        f"{_CELL}</table:table-row>"
    )
    with pytest.raises(ParseError) as caught:
        check_legacy_extents(ods(tmp_path, rows), Container.ODS)
    assert caught.value.code is ErrorCode.E_PARSE_TOO_LARGE


def test_lone_cell_of_a_binary_sheet_is_found(tmp_path: Path) -> None:
    """Row and cell records of .xlsb are followed without the engine."""
    path = tmp_path / "book.xlsb"
    row = b"\x00\x04" + (1_000_000).to_bytes(4, "little")
    cell = b"\x02\x0c" + (16_000).to_bytes(4, "little") + bytes(8)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.bin", row + cell)
    with pytest.raises(ParseError) as caught:
        check_legacy_extents(str(path), Container.XLSB)
    assert caught.value.code is ErrorCode.E_PARSE_TOO_LARGE


def test_encrypted_ods_asks_for_no_password(tmp_path: Path) -> None:
    """The manifest says that the content is encrypted."""
    path = ods(tmp_path, "", "<m:encryption-data/>")
    with pytest.raises(ParseError) as caught:
        parse_workbook(path, ExcelProcessorConfig())
    assert caught.value.code is ErrorCode.E_PARSE_PASSWORD


@pytest.mark.parametrize(
    ("before", "related", "is_refused"),
    [(8, "rId1", False), (12, "rId1", True), (8, "rId2", True)],
)
def test_a_list_of_sheets_that_does_not_fit_is_refused_before_calamine(
    tmp_path: Path, before: int, related: str, is_refused: bool
) -> None:
    """A panic would reach the terminal; betas of Excel 2007 wrote four bytes more."""
    path = tmp_path / "book.xlsb"
    names = [(len(text).to_bytes(4, "little"), text.encode("utf-16-le")) for text in ("rId1", "S")]
    start = bytes(before - 4) + (1).to_bytes(4, "little")
    body = start + b"".join(part for name in names for part in name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.bin", b"\x9c\x01" + bytes([len(body)]) + body)
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            f'<Relationships><Relationship Id="{related}" Target="worksheets/sheet1.bin"/>'
            "</Relationships>",
        )
    if not is_refused:
        check_legacy_extents(str(path), Container.XLSB)
        return
    with pytest.raises(ParseError) as caught:
        check_legacy_extents(str(path), Container.XLSB)
    assert caught.value.code is ErrorCode.E_PARSE_CORRUPT
