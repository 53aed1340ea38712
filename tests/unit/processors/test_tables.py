"""Tables: where header, body and notes stand, and what ends up in each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import FileType, ParserUsed
from ingestkit_excel.processors import ProcessContext, SheetOutput, process_sheet
from ingestkit_excel.workbook import Cell, CellKind, CellRange, Row, Sheet

Line = list[str | int | None]
Grid = list[Line]
CONTEXT = ProcessContext(ExcelProcessorConfig(), "k" * 64, "Stock")


def sheet_of(
    grid: Sequence[Sequence[str | int | None]],
    *,
    merges: Sequence[CellRange] = (),
    streamed: bool = False,
) -> Sheet:
    """Make a sheet of texts and numbers from A1; rows are padded to the widest."""
    width = max(len(row) for row in grid)

    def read_rows() -> Iterator[Row]:
        for row in grid:
            yield [_cell(value) for value in [*row, *[None] * (width - len(row))]]

    return Sheet(
        name="S",
        extent=CellRange(1, 1, len(grid), width),
        read_rows=read_rows,
        parser_used=ParserUsed.OPENPYXL,
        merges=tuple(merges),
        streamed=streamed,
    )


def _cell(value: str | int | None) -> Cell | None:
    if value is None:
        return None
    return Cell(value, str(value), CellKind.TEXT if isinstance(value, str) else CellKind.NUMBER)


def process(sheet: Sheet) -> SheetOutput:
    """Process a sheet that was classified as tabular."""
    return process_sheet(sheet, FileType.TABULAR_DATA, CONTEXT)


def test_title_and_notes_of_a_streamed_table_are_text_not_rows() -> None:
    """Lone texts above the header and after the last row stay out of the table."""
    grid: Grid = [["Stock list"], ["Part", "Bin", "Count"], ["bolt", "A", 3], ["nut", "B", 4]]
    output = process(sheet_of([*grid, ["Source: audit"]], streamed=True))
    assert [tuple(row) for row in output.tables[0].data.read_rows()] == [
        ("bolt", "A", 3),
        ("nut", "B", 4),
    ]
    schema = output.chunks[0]
    assert schema.cell_range == "A1:C5"
    assert '"Stock list"' in schema.text
    assert "\nSource: audit\n" in schema.text
    assert {chunk.section_title for chunk in output.chunks} == {"Stock list"}


def test_a_merged_group_name_is_part_of_each_header() -> None:
    """Two header rows give one name for each column."""
    grid: Grid = [[None, "North", None, "South", None], ["City", "In", "Out", "In", "Out"]]
    merges = [CellRange(1, 2, 1, 3), CellRange(1, 4, 1, 5)]
    output = process(sheet_of([*grid, ["Bonn", 1, 2, 3, 4], ["Ulm", 5, 6, 7, 8]], merges=merges))
    columns = output.tables[0].data.columns
    assert [column.name for column in columns] == [
        "city",
        "north_in",
        "north_out",
        "south_in",
        "south_out",
    ]
    assert columns[1].header == "North / In"


def test_a_text_merged_over_rows_stands_in_each_row() -> None:
    """A query for the group finds all its rows; merged numbers are not multiplied."""
    grid: Grid = [
        ["Group", "Part", "Total"],
        ["Fixings", "bolt", 7],
        [None, "nut", None],
        ["Oil", "x", 1],
    ]
    merges = [CellRange(2, 1, 3, 1), CellRange(2, 3, 3, 3)]
    output = process(sheet_of(grid, merges=merges))
    assert [tuple(row) for row in output.tables[0].data.read_rows()] == [
        ("Fixings", "bolt", 7),
        ("Fixings", "nut", None),
        ("Oil", "x", 1),
    ]


def test_a_header_repeated_for_printing_is_no_row() -> None:
    """Page headers inside the body would turn number columns into text."""
    head: list[str | int | None] = ["Part", "Bin", "Count"]
    output = process(sheet_of([head, ["bolt", "A", 3], head, ["nut", "B", 4]], streamed=True))
    assert output.tables[0].data.columns[2].type.value == "integer"
    assert len(list(output.tables[0].data.read_rows())) == 2


def test_a_table_without_header_is_named_after_its_columns() -> None:
    """No header is invented; sentences hold the bare values."""
    output = process(sheet_of([[n, n * 2, n * 3] for n in range(5, 12)]))
    assert [column.name for column in output.tables[0].data.columns] == [
        "column_a",
        "column_b",
        "column_c",
    ]
    assert output.chunks[-1].text.startswith("S\n5; 10; 15\n6; 12; 18")


def test_row_chunks_name_their_cells_and_table() -> None:
    """A reader of a chunk finds its rows in the sheet and in the store."""
    body: Grid = [[f"part {n} " + "y" * 80, n] for n in range(60)]
    grid: Grid = [["Part", "Count"], *body]
    output = process(sheet_of(grid))
    schema, *rows = output.chunks
    assert schema.cell_range == "A1:B61"
    assert schema.row_count == 60
    assert rows[0].cell_range.startswith("A2:B")
    assert sum(chunk.row_count or 0 for chunk in rows) == 60
    assert {chunk.table_name for chunk in output.chunks} == {output.tables[0].name}


def test_texts_in_a_row_are_one_region_and_the_title_of_a_table_goes_with_it() -> None:
    """Paragraphs between blank rows share chunks; what stands right above a table names it."""
    texts: Grid = [["One."], [], ["Two."], [], ["Three."], [], ["Parts of 2024"], []]
    table: Grid = [["Part", "Count"], ["bolt", 3], ["nut", 4], ["pin", 5]]
    output = process_sheet(sheet_of(texts + table), FileType.HYBRID, CONTEXT)
    assert [chunk.text.split("\n")[0] for chunk in output.chunks] == [
        "One.",
        "S › Parts of 2024",
        "S › Parts of 2024",
    ]
    assert output.chunks[0].text == "One.\nTwo.\nThree."
    assert [
        (region.start_row, region.end_row, region.region_type) for region in output.regions
    ] == [
        (1, 5, "text_block"),
        (7, 7, "header_block"),
        (9, 12, "data_table"),
    ]
    assert output.chunks[-1].section_title == "Parts of 2024"


def test_every_chunk_of_a_table_names_sheet_title_and_the_schema_pages_the_table() -> None:
    """A chunk that was found alone can be understood; the line counts against the limit."""
    header: Line = [f"Measured value number {n}" for n in range(40)]
    body: Grid = [[n * column for column in range(40)] for n in range(1, 9)]
    config = ExcelProcessorConfig(chunk_max_chars=300)
    sheet = sheet_of([["Weights\nof parts"], [], header, *body])
    output = process_sheet(sheet, FileType.TABULAR_DATA, replace(CONTEXT, config=config))
    assert len(output.chunks) > 10
    assert {chunk.text.split("\n")[0] for chunk in output.chunks} == {"S › Weights of parts"}
    assert max(len(chunk.text) for chunk in output.chunks) <= 300
    schema = [chunk for chunk in output.chunks if chunk.row_count == len(body)]
    assert all(output.tables[0].name in chunk.text for chunk in schema)


def test_the_line_above_a_chunk_is_bounded() -> None:
    """A title as long as a chunk leaves room for the rows."""
    grid: Grid = [["Weights " * 24], ["Part", "Count"], ["bolt", 3], ["nut", 4]]
    config = ExcelProcessorConfig(chunk_max_chars=200)
    output = process_sheet(sheet_of(grid), FileType.TABULAR_DATA, replace(CONTEXT, config=config))
    assert max(len(chunk.text.split("\n")[0]) for chunk in output.chunks) <= 50


def test_a_note_under_a_table_goes_into_its_schema() -> None:
    """A source of three words alone answers no question."""
    table: Grid = [["Part", "Count"], ["bolt", 3], ["nut", 4], ["pin", 5]]
    output = process(sheet_of([*table, [], ["Source: audit"]]))
    assert [chunk.cell_range for chunk in output.chunks] == ["A1:B6", "A2:B4"]
    assert "\nSource: audit\n" in output.chunks[0].text
    assert output.regions[1].region_type == "footer_block"


def test_a_long_text_above_a_table_keeps_its_own_chunk() -> None:
    """Only short texts are part of a schema."""
    table: Grid = [["Part", "Count"], ["bolt", 3], ["nut", 4], ["pin", 5]]
    output = process(sheet_of([["All parts were counted twice. " * 20], [], *table]))
    assert output.chunks[0].table_name is None
    assert output.chunks[0].text.startswith("All parts")


def test_a_title_over_two_tables_names_both() -> None:
    """Tables beside each other stand under the same title."""
    grid: Grid = [["Cities", *[None] * 4], []]
    grid += [["City", "Size", None, "Town", "Rain"]]
    grid += [["Bonn", n, None, "Ulm", n] for n in range(4)]
    output = process(sheet_of(grid))
    assert len(output.tables) == 2
    assert {chunk.section_title for chunk in output.chunks} == {"Cities"}


def test_labels_broken_over_lines_stand_in_one() -> None:
    """A newline in a header or a title would cut sentences apart."""
    grid: Grid = [["Stock\n2024"], [], ["Part\nname", "Count\r\nof"], ["bolt", 3], ["nut", 4]]
    output = process(sheet_of(grid))
    assert [column.header for column in output.tables[0].data.columns] == ["Part name", "Count of"]
    assert output.chunks[-1].section_title == "Stock 2024"
    assert "Part name: bolt; Count of: 3" in output.chunks[-1].text


def test_a_sheet_too_wide_for_a_table_becomes_text() -> None:
    """No database takes so many columns; the cells are found as text instead."""
    grid: Grid = [[f"c{n}" for n in range(1700)], *([[*range(1700)]] * 3)]
    output = process(sheet_of(grid))
    assert output.tables == ()
    assert "c1699" in "".join(chunk.text for chunk in output.chunks)


def test_a_streamed_sheet_too_wide_for_a_table_becomes_several() -> None:
    """It cannot be held as text, so its columns are shared out; none is lost."""
    grid: Grid = [[f"c{n}" for n in range(1700)], *([[*range(1700)]] * 3)]
    output = process(sheet_of(grid, streamed=True))
    assert [len(table.data.columns) for table in output.tables] == [1600, 100]
    assert len({table.name for table in output.tables}) == 2
    assert output.tables[1].data.columns[-1].name == "c1699"
    assert [next(table.data.read_rows())[0] for table in output.tables] == [0, 1600]
    assert [region.region_id for region in output.regions] == ["r1", "r2"]


@pytest.mark.parametrize("file_type", list(FileType))
@pytest.mark.parametrize("cells", [["Only a title"], ["A", "B"], [1], ["A", None, 2]])
def test_a_streamed_sheet_of_any_type_and_shape_yields_its_cells(
    file_type: FileType, cells: list[str | int | None]
) -> None:
    """Documents and single rows too are found again in a table or in a chunk."""
    for rows in (1, 2, 30):
        output = process_sheet(sheet_of([cells] * rows, streamed=True), file_type, CONTEXT)
        found = "".join(chunk.text for chunk in output.chunks)
        assert all(str(cell) in found for cell in cells if cell is not None)
