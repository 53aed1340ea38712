"""Signals of a sheet and the verdict the rules draw from them."""

from typing import Any

import pytest

from ingestkit_excel.classification.rules import decide_by_rules
from ingestkit_excel.classification.signals import Vote, read_signals
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ClassificationTier, FileType, ParserUsed, SheetProfile

CONFIG = ExcelProcessorConfig()


def sheet(**changes: Any) -> SheetProfile:
    """Build the profile of a clean table, with changes."""
    facts: dict[str, Any] = {
        "name": "Orders",
        "row_count": 100,
        "col_count": 4,
        "merged_cell_count": 0,
        "merged_cell_ratio": 0.0,
        "header_row_detected": True,
        "column_type_consistency": 1.0,
        "numeric_ratio": 0.5,
        "text_ratio": 0.5,
        "empty_ratio": 0.0,
        "has_formulas": False,
        "is_hidden": False,
        "parser_used": ParserUsed.OPENPYXL,
    }
    return SheetProfile(**(facts | changes))


AGAINST_TABLE: list[dict[str, Any]] = [
    {"row_count": 4},
    {"header_row_detected": False},
    {"column_type_consistency": 0.69},
    {"merged_cell_ratio": 0.05},
    {"numeric_ratio": 0.29},
]


@pytest.mark.parametrize("position", range(5))
def test_each_signal_votes_document_past_its_threshold(position: int) -> None:
    """Exactly the signal whose value was worsened votes for a document."""
    votes = [signal.vote for signal in read_signals(sheet(**AGAINST_TABLE[position]), CONFIG)]
    expected = [Vote.TABULAR] * 5
    expected[position] = Vote.DOCUMENT
    assert votes == expected


def test_thresholds_themselves_vote_tabular() -> None:
    """Row count, consistency and numeric ratio count from their threshold on."""
    at_edge = sheet(row_count=5, column_type_consistency=0.7, numeric_ratio=0.3)
    assert {signal.vote for signal in read_signals(at_edge, CONFIG)} == {Vote.TABULAR}


@pytest.mark.parametrize(
    ("against", "file_type", "confidence"),
    [
        (0, FileType.TABULAR_DATA, 0.9),
        (1, FileType.TABULAR_DATA, 0.9),
        (2, FileType.TABULAR_DATA, 0.7),
        (3, FileType.FORMATTED_DOCUMENT, 0.7),
        (4, FileType.FORMATTED_DOCUMENT, 0.9),
        (5, FileType.FORMATTED_DOCUMENT, 0.9),
    ],
)
def test_majority_decides_and_its_size_is_the_confidence(
    against: int, file_type: FileType, confidence: float
) -> None:
    """Four or five votes are sure, three are a medium verdict, for either side."""
    changes: dict[str, Any] = {}
    for change in AGAINST_TABLE[:against]:
        changes |= change
    verdict = decide_by_rules(read_signals(sheet(**changes), CONFIG), CONFIG)
    assert verdict is not None
    assert (verdict.file_type, verdict.confidence) == (file_type, confidence)
    assert verdict.tier is ClassificationTier.RULE_BASED


def test_single_column_is_no_evidence_of_consistency() -> None:
    """A column of prose stays inconclusive: its one column agrees only with itself."""
    prose = sheet(col_count=1, header_row_detected=False, numeric_ratio=0.0)
    signals = read_signals(prose, CONFIG)
    assert signals[2].vote is Vote.ABSTAIN
    assert decide_by_rules(signals, CONFIG) is None


def test_single_row_is_no_evidence_of_consistency() -> None:
    """One row agrees with itself in every column."""
    assert read_signals(sheet(row_count=1), CONFIG)[2].vote is Vote.ABSTAIN
    assert read_signals(sheet(row_count=2), CONFIG)[2].vote is Vote.TABULAR


def test_text_alone_is_no_evidence_of_consistency() -> None:
    """A checklist of nothing but text under merged headings stays inconclusive."""
    checklist = sheet(text_ratio=0.95, numeric_ratio=0.0, merged_cell_ratio=0.2)
    signals = read_signals(checklist, CONFIG)
    assert signals[2].vote is Vote.ABSTAIN
    assert decide_by_rules(signals, CONFIG) is None


def test_table_of_text_is_still_a_table() -> None:
    """A header over unmerged rows of text is a table with medium confidence."""
    contacts = sheet(text_ratio=1.0, numeric_ratio=0.0)
    verdict = decide_by_rules(read_signals(contacts, CONFIG), CONFIG)
    assert verdict is not None
    assert (verdict.file_type, verdict.confidence) == (FileType.TABULAR_DATA, 0.7)


def test_inconsistent_text_still_votes_document() -> None:
    """Abstaining takes back a vote for a table only."""
    odd = sheet(text_ratio=0.95, column_type_consistency=0.2)
    assert read_signals(odd, CONFIG)[2].vote is Vote.DOCUMENT


def test_even_votes_are_inconclusive_however_few_are_asked_for() -> None:
    """Two against two decides nothing, even if two would be enough."""
    lenient = ExcelProcessorConfig(tier1_medium_confidence_signals=2)
    prose = sheet(col_count=1, header_row_detected=False, numeric_ratio=0.0)
    assert decide_by_rules(read_signals(prose, lenient), lenient) is None


def test_raw_text_is_no_evidence_of_unmerged_cells() -> None:
    """A reader that sees no merges does not vote on them."""
    raw = read_signals(sheet(parser_used=ParserUsed.RAW_TEXT_FALLBACK), CONFIG)
    assert raw[3].vote is Vote.ABSTAIN


def test_merge_threshold_of_zero_still_accepts_sheets_without_merges() -> None:
    """With a threshold of zero any merge speaks against a table, none does not."""
    strict = ExcelProcessorConfig(merged_cell_ratio_threshold=0.0)
    assert read_signals(sheet(), strict)[3].vote is Vote.TABULAR
    assert read_signals(sheet(merged_cell_ratio=0.001), strict)[3].vote is Vote.DOCUMENT


def test_bare_majority_is_inconclusive_when_more_is_asked_for() -> None:
    """A medium threshold of four leaves three to two open."""
    strict = ExcelProcessorConfig(tier1_medium_confidence_signals=4)
    divided = sheet(header_row_detected=False, numeric_ratio=0.0)
    assert decide_by_rules(read_signals(divided, strict), strict) is None
