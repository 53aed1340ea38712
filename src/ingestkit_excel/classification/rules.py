"""Tier 1: turn the votes of the signals into a verdict on a sheet, or into none. Pure."""

from typing import Final, NamedTuple

from ingestkit_excel.classification.signals import Signal, Vote, count_votes
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ClassificationTier, FileType

__all__ = [
    "HIGH_CONFIDENCE",
    "MEDIUM_CONFIDENCE",
    "SheetVerdict",
    "decide_by_rules",
    "decide_mixture",
]

HIGH_CONFIDENCE: Final = 0.9  # at most one signal of five disagrees
MEDIUM_CONFIDENCE: Final = 0.7  # a bare majority

_TYPES: Final = {
    Vote.TABULAR: FileType.TABULAR_DATA,
    Vote.DOCUMENT: FileType.FORMATTED_DOCUMENT,
}


class SheetVerdict(NamedTuple):
    """What one sheet is, how surely, who said so and why."""

    file_type: FileType
    confidence: float
    tier: ClassificationTier
    reasoning: str


def decide_by_rules(
    signals: tuple[Signal, ...], config: ExcelProcessorConfig
) -> SheetVerdict | None:
    """Give the majority's verdict, or ``None`` where the votes do not suffice or are even."""
    tabular = count_votes(signals, Vote.TABULAR)
    document = count_votes(signals, Vote.DOCUMENT)
    if tabular == document:
        return None
    leading = Vote.TABULAR if tabular > document else Vote.DOCUMENT
    votes = max(tabular, document)
    confidence = _confidence(votes, config)
    if confidence is None:
        return None
    return SheetVerdict(
        _TYPES[leading],
        confidence,
        ClassificationTier.RULE_BASED,
        f"{votes} of {len(signals)} signals are {leading.value}",
    )


def decide_mixture(mixture: Signal) -> SheetVerdict | None:
    """Give the verdict that a sheet is a hybrid, or ``None`` where nothing shows that it is."""
    if mixture.vote is not Vote.HYBRID:
        return None
    return SheetVerdict(
        FileType.HYBRID,
        MEDIUM_CONFIDENCE,
        ClassificationTier.RULE_BASED,
        f"prose beside a table: {mixture.value:.0%} of the sheet's characters",
    )


def _confidence(votes: int, config: ExcelProcessorConfig) -> float | None:
    if votes >= config.tier1_high_confidence_signals:
        return HIGH_CONFIDENCE
    if votes >= config.tier1_medium_confidence_signals:
        return MEDIUM_CONFIDENCE
    return None
