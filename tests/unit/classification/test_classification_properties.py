"""What holds of classification for any answer and any sheet."""

from hypothesis import given
from hypothesis import strategies as st

from ingestkit_excel.classification import classify_workbook
from ingestkit_excel.classification.llm import check_answer
from ingestkit_excel.classification.signals import Vote, count_votes, read_signals
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ClassificationError
from ingestkit_excel.models import FileProfile, FileType, ParserUsed, SheetProfile

RATIOS = st.floats(0, 1)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab{ ", max_size=8)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
ANSWERS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "type": JSON | st.sampled_from(list(FileType)),
        "confidence": JSON | RATIOS,
        "reasoning": JSON,
    },
)

SHEETS = st.builds(
    SheetProfile,
    name=st.text("ABC", max_size=4),
    row_count=st.integers(0, 2000),
    col_count=st.integers(0, 50),
    merged_cell_count=st.integers(0, 100),
    merged_cell_ratio=RATIOS,
    header_row_detected=st.booleans(),
    column_type_consistency=RATIOS,
    numeric_ratio=RATIOS,
    text_ratio=RATIOS,
    empty_ratio=RATIOS,
    has_formulas=st.booleans(),
    is_hidden=st.booleans(),
    parser_used=st.sampled_from(ParserUsed),
)
CONFIG = ExcelProcessorConfig()


@given(ANSWERS)
def test_any_answer_is_either_well_formed_or_refused(raw: object) -> None:
    """No answer, however odd, ends in anything but an answer or a coded refusal."""
    try:
        confidence, code = check_answer(raw).confidence, "none"
    except ClassificationError as error:
        confidence, code = 0.0, error.code.value
    assert 0 <= confidence <= 1
    assert code == "none" or code.startswith("E_LLM_")


@given(SHEETS)
def test_every_sheet_has_five_signals(sheet: SheetProfile) -> None:
    """Each of the five signals votes exactly once, whatever the sheet."""
    signals = read_signals(sheet, CONFIG)
    assert len({signal.name for signal in signals}) == 5
    assert sum(count_votes(signals, vote) for vote in Vote) == 5


@given(st.lists(SHEETS, min_size=1, max_size=4, unique_by=lambda sheet: sheet.name))
def test_best_effort_gives_every_sheet_a_type(sheets: list[SheetProfile]) -> None:
    """Without an LLM every workbook gets a verdict that covers all of its sheets."""
    profile = FileProfile(
        file_path="b.xlsx",
        file_size_bytes=1,
        sheet_count=len(sheets),
        sheet_names=[sheet.name for sheet in sheets],
        sheets=sheets,
        has_password_protected_sheets=False,
        has_chart_only_sheets=False,
        total_merged_cells=0,
        total_rows=0,
        content_hash="0" * 64,
    )
    result = classify_workbook(profile, CONFIG).result
    types = result.per_sheet_types
    assert types is not None
    assert set(types) == {sheet.name for sheet in sheets}
    distinct = set(types.values())
    expected = next(iter(distinct)) if len(distinct) == 1 else FileType.HYBRID
    assert result.file_type is expected
    assert 0.5 <= result.confidence <= 0.9
