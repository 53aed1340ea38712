"""Short texts: joined with their neighbours, in order, within the limit."""

from ingestkit_excel.models import IngestionMethod
from ingestkit_excel.processors.joining import join_short
from ingestkit_excel.processors.output import ChunkDraft, SheetOutput
from ingestkit_excel.workbook import CellRange


def draft(text: str, row: int, section: str | None = None, table: str | None = None) -> ChunkDraft:
    """Make a chunk of one row."""
    cells = CellRange(row, 1, row, 2)
    method = IngestionMethod.TEXT_SERIALIZATION
    return ChunkDraft(text, cells, "r1", method, section, "free_text", table)


def join(*drafts: ChunkDraft, limit: int = 2000) -> list[tuple[str, str]]:
    """Give texts and cells of the chunks after joining."""
    output = join_short(SheetOutput(chunks=drafts), limit)
    return [(chunk.text, chunk.cell_range) for chunk in output.chunks]


def test_short_texts_of_one_section_are_joined() -> None:
    """The chunk then tells of all their cells."""
    found = join(draft("One", 1, "A"), draft("Two", 3, "A"), draft("Three", 5, "B"))
    assert found == [("One\nTwo", "A1:B3"), ("Three", "A5:B5")]


def test_a_lone_title_goes_with_what_stands_under_it() -> None:
    """Whichever of the two tells the section."""
    assert join(draft("A", 1, "A"), draft("Two", 3)) == [("A\nTwo", "A1:B3")]
    assert join(draft("A", 1), draft("Two", 3, "A")) == [("A\nTwo", "A1:B3")]


def test_tables_and_long_texts_stay_as_they_are() -> None:
    """Only a short chunk is worth joining, and only within the limit."""
    assert len(join(draft("One", 1), draft("Two", 2, table="t"))) == 2
    assert len(join(draft("one " * 60, 1), draft("two " * 60, 2))) == 2
    assert len(join(draft("one " * 60, 1), draft("two", 2), limit=240)) == 2


def test_a_text_without_letter_or_digit_goes_with_any_text() -> None:
    """A line of dashes is no answer."""
    assert join(draft("One", 1, "A"), draft("- - -", 2, "B")) == [("One\n- - -", "A1:B2")]
