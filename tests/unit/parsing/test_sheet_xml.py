"""Worksheet parts, scanned as bytes."""

import io

import pytest

from ingestkit_excel.parsing.sheet_xml import RawCell, RawRow, SheetScanner, stream_rows
from ingestkit_excel.workbook import CellRange


def scan(body: str, prefix: str = "") -> tuple[list[RawRow], SheetScanner]:
    """Scan a part whose sheet data is ``body``."""
    mark = f"{prefix}:" if prefix else ""
    scanner = SheetScanner()
    part = f"<{mark}worksheet xmlns:{prefix or 'q'}='urn:x'>{body}</{mark}worksheet>"
    return list(stream_rows(io.BytesIO(part.encode()), scanner)), scanner


def test_cells_carry_type_style_value_and_formula() -> None:
    """What is written is given as written."""
    rows, scanner = scan('<row r="2"><c r="C2" t="str" s="4"><f>A1&amp;"x"</f><v>yx</v></c></row>')
    assert rows == [(2, [RawCell(3, "str", 4, "yx", '=A1&"x"')])]
    assert scanner.formulas == 1


def test_missing_references_are_counted_on() -> None:
    """Rows and cells without a reference follow the one before."""
    rows, _ = scan(
        "<row r='3'><c r='B3'><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>"
    )
    assert [(number, [cell.column for cell in cells]) for number, cells in rows] == [
        (3, [2, 3]),
        (4, [1]),
    ]


def test_prefixed_elements_are_understood() -> None:
    """The namespace prefix does not matter."""
    rows, _ = scan("<x:row r='1'><x:c r='A1'><x:v>1</x:v></x:c></x:row>", prefix="x")
    assert rows == [(1, [RawCell(1, "n", 0, "1", None)])]


def test_style_only_and_empty_cells_are_left_out() -> None:
    """A cell without content is none; a row of such cells is left out."""
    rows, scanner = scan("<row r='9'><c r='Z9' s='3'/><c r='AA9' t='s'><v/></c></row>")
    assert rows == []
    assert scanner.touched_column == 27


def test_rich_inline_text_is_joined_without_phonetics() -> None:
    """Runs are joined; reading aids are left out."""
    rows, _ = scan(
        "<row r='1'><c r='A1' t='inlineStr'><is><r><t>ab</t></r><r><t> c</t></r>"
        "<rPh sb='0' eb='1'><t>zzz</t></rPh></is></c></row>"
    )
    assert rows[0][1][0].text == "ab c"


def test_shared_formula_is_moved_to_each_cell() -> None:
    """Cells that share a formula each get their own."""
    rows, _ = scan(
        "<row r='1'><c r='B1'><f t='shared' ref='B1:B2' si='0'>A1*2</f><v>2</v></c></row>"
        "<row r='2'><c r='B2'><f t='shared' si='0'/><v>4</v></c></row>"
    )
    assert [cells[0].formula for _, cells in rows] == ["=A1*2", "=A2*2"]


@pytest.mark.parametrize("value", ["", "<v/>", "<v></v>"])
def test_formula_without_a_value_is_uncached(value: str) -> None:
    """An empty number is what programs write that cannot calculate."""
    rows, _ = scan(f"<row r='1'><c r='A1'><f>1+1</f>{value}</c></row>")
    assert rows[0][1][0].text is None


def test_empty_text_of_a_formula_is_a_value() -> None:
    """A formula that yields an empty text has been calculated."""
    rows, _ = scan("<row r='1'><c r='A1' t='str'><f>IF(1,\"\")</f><v></v></c></row>")
    assert rows[0][1][0].text == ""


def test_merges_and_hidden_lines_are_collected() -> None:
    """They stand around the sheet data."""
    _, scanner = scan(
        "<cols><col min='2' max='3' hidden='1'/></cols>"
        "<sheetData><row r='5' hidden='true'><c r='A5'><v>1</v></c></row></sheetData>"
        "<mergeCells><mergeCell ref='A1:C2'/></mergeCells>"
    )
    assert scanner.merges == [CellRange(1, 1, 2, 3)]
    assert scanner.hidden_rows == {5}
    assert scanner.hidden_columns == {2, 3}


@pytest.mark.parametrize(
    "body",
    [
        "<row r='0'/>",
        "<row r='1048577'/>",
        "<row r='1'><c r='A2'><v>1</v></c></row>",
        "<row r='1'><c r='XFE1'><v>1</v></c></row>",
        "<row r='1'><c r='1'><v>1</v></c></row>",
        "<row r='x'/>",
    ],
)
def test_impossible_references_are_refused(body: str) -> None:
    """Nothing is guessed about where a cell belongs."""
    with pytest.raises(ValueError, match=r".+"):
        scan(body)


@pytest.mark.parametrize("reference", ["A2", "A11", "A01", "A", "1"])
def test_a_cell_of_another_row_than_its_own_is_refused(reference: str) -> None:
    """Where a cell stands is never guessed."""
    with pytest.raises(ValueError, match="cell"):
        scan(f"<row r='1'><c r='{reference}'><v>1</v></c></row>")
