"""Five signals of one sheet, each voting for a table or for a document. Pure.

A signal abstains where the sheet gives it nothing to judge: columns of prose are consistent too,
and a text-only reading knows of no merged cells. So a sheet can stay inconclusive. A signal of
its own tells whether prose stands beside a table, which averages over the sheet cannot show.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ParserUsed, SheetProfile

__all__ = ["Signal", "Vote", "count_votes", "describe_signals", "read_mixture", "read_signals"]

_TEXT_ALONE_MIN: Final = 0.95  # of the filled cells; a stray number makes no typed column
_PROSE_CHARS_MIN: Final = 120  # a sentence or two; a source or a footnote is shorter
_PROSE_RATIO_MIN: Final = 0.1  # of all characters; notes under a long table are part of it


class Vote(StrEnum):
    """What a signal speaks for."""

    TABULAR = "tabular"
    DOCUMENT = "document"
    HYBRID = "hybrid"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured value of a sheet and what it speaks for."""

    name: str
    value: float | bool
    vote: Vote


def read_signals(sheet: SheetProfile, config: ExcelProcessorConfig) -> tuple[Signal, ...]:
    """Give the five signals of a sheet, always in the same order."""
    return (
        _row_count(sheet, config),
        _header_row(sheet),
        _column_consistency(sheet, config),
        _merged_cells(sheet, config),
        _numeric_cells(sheet, config),
    )


def read_mixture(sheet: SheetProfile, config: ExcelProcessorConfig) -> Signal:
    """Tell whether a sheet is a table long enough and prose that is more than its notes."""
    is_mixed = (
        sheet.table_row_count >= config.min_row_count_for_tabular
        and sheet.prose_char_count >= _PROSE_CHARS_MIN
        and sheet.prose_ratio >= _PROSE_RATIO_MIN
    )
    vote = Vote.HYBRID if is_mixed else Vote.ABSTAIN
    return Signal("prose_beside_table", sheet.prose_ratio, vote)


def count_votes(signals: tuple[Signal, ...], vote: Vote) -> int:
    """Give how many signals cast ``vote``."""
    return sum(signal.vote is vote for signal in signals)


def describe_signals(signals: tuple[Signal, ...]) -> dict[str, Any]:
    """Give the signals as plain values, as they stand in a result."""
    return {s.name: {"value": s.value, "vote": s.vote.value} for s in signals}


def _row_count(sheet: SheetProfile, config: ExcelProcessorConfig) -> Signal:
    is_tabular = sheet.row_count >= config.min_row_count_for_tabular
    return Signal("row_count", sheet.row_count, _vote(is_tabular))


def _header_row(sheet: SheetProfile) -> Signal:
    return Signal("header_row", sheet.header_row_detected, _vote(sheet.header_row_detected))


def _column_consistency(sheet: SheetProfile, config: ExcelProcessorConfig) -> Signal:
    value = sheet.column_type_consistency
    vote = _vote(value >= config.column_consistency_threshold)
    if vote is Vote.TABULAR and _is_consistent_by_nature(sheet):
        vote = Vote.ABSTAIN
    return Signal("column_type_consistency", value, vote)


def _is_consistent_by_nature(sheet: SheetProfile) -> bool:
    """Whether a sheet's columns agree whatever it is: one row, one column, or text alone."""
    return sheet.col_count < 2 or sheet.row_count < 2 or sheet.text_ratio >= _TEXT_ALONE_MIN


def _merged_cells(sheet: SheetProfile, config: ExcelProcessorConfig) -> Signal:
    value = sheet.merged_cell_ratio
    if sheet.parser_used is ParserUsed.RAW_TEXT_FALLBACK:
        return Signal("merged_cell_ratio", value, Vote.ABSTAIN)
    # A threshold of 0 would call every sheet merged, so no merge at all is always tabular.
    is_tabular = value < config.merged_cell_ratio_threshold or value == 0
    return Signal("merged_cell_ratio", value, _vote(is_tabular))


def _numeric_cells(sheet: SheetProfile, config: ExcelProcessorConfig) -> Signal:
    is_tabular = sheet.numeric_ratio >= config.numeric_ratio_threshold
    return Signal("numeric_ratio", sheet.numeric_ratio, _vote(is_tabular))


def _vote(is_tabular: bool) -> Vote:
    return Vote.TABULAR if is_tabular else Vote.DOCUMENT
