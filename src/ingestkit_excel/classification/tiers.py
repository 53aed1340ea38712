"""Escalation: rules, then a small model, then a reasoning one, then what the policy says."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestkit_excel.classification.llm import Answer, Reply, ask, build_prompt
from ingestkit_excel.classification.rules import SheetVerdict, decide_by_rules, decide_mixture
from ingestkit_excel.classification.signals import describe_signals, read_mixture, read_signals
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ClassificationError, ErrorCode, IngestError
from ingestkit_excel.models import (
    ClassificationResult,
    ClassificationStageResult,
    ClassificationTier,
    FileProfile,
    FileType,
    SheetProfile,
)
from ingestkit_excel.protocols import LLMBackend

__all__ = ["BEST_EFFORT_CONFIDENCE", "Classification", "classify_workbook"]

_LOG = logging.getLogger(__name__)
_STAGE: Final = "classify"

BEST_EFFORT_CONFIDENCE: Final = 0.5  # nothing decided; the regions will each show what they are

_TIER_ORDER: Final = tuple(ClassificationTier)


@dataclass(frozen=True, slots=True)
class Classification:
    """The verdict on a workbook and the warnings met on the way."""

    result: ClassificationResult
    warnings: tuple[IngestError, ...] = ()

    def stage_result(self, duration_seconds: float) -> ClassificationStageResult:
        """Give the verdict in the form in which a result reports the stage."""
        return ClassificationStageResult(
            tier_used=self.result.tier_used,
            file_type=self.result.file_type,
            confidence=self.result.confidence,
            signals=self.result.signals,
            reasoning=self.result.reasoning,
            per_sheet_types=self.result.per_sheet_types,
            classification_duration_seconds=duration_seconds,
        )


def classify_workbook(
    profile: FileProfile, config: ExcelProcessorConfig, llm: LLMBackend | None = None
) -> Classification:
    """Classify every sheet, and the workbook as what its sheets are, or as a hybrid of them.

    The workbook's confidence is that of its least certain sheet, its tier the highest one used.

    Raises:
        ClassificationError: ``E_CLASSIFY_INCONCLUSIVE``: a sheet stayed open and the policy is
            ``fail_closed``, or there is no sheet to classify.
    """
    if not profile.sheets:
        raise ClassificationError(
            ErrorCode.E_CLASSIFY_INCONCLUSIVE,
            "cannot classify the workbook: no sheet of it has cells; check the skipped sheets",
        )
    escalation = _Escalation(config, llm)
    verdicts: dict[str, SheetVerdict] = {}
    signals: dict[str, Any] = {}
    for sheet in profile.sheets:
        measured, mixture = read_signals(sheet, config), read_mixture(sheet, config)
        signals[sheet.name] = describe_signals((*measured, mixture))
        # Asked first: the averages of a sheet that is both speak for its larger part alone.
        verdict = decide_mixture(mixture) or decide_by_rules(measured, config)
        verdicts[sheet.name] = verdict or escalation.decide(sheet)
    return Classification(_combine(verdicts, signals), tuple(escalation.warnings))


def _combine(verdicts: dict[str, SheetVerdict], signals: dict[str, Any]) -> ClassificationResult:
    types = {name: verdict.file_type for name, verdict in verdicts.items()}
    distinct = set(types.values())
    return ClassificationResult(
        file_type=distinct.pop() if len(distinct) == 1 else FileType.HYBRID,
        confidence=min(verdict.confidence for verdict in verdicts.values()),
        tier_used=max((v.tier for v in verdicts.values()), key=_TIER_ORDER.index),
        reasoning="; ".join(f"{name}: {v.reasoning}" for name, v in verdicts.items()),
        per_sheet_types=types,
        signals=signals,
    )


class _Escalation:
    """Decides the sheets of one workbook that the rules left open, and gathers warnings.

    Sheets of equal structure share one answer, so a workbook of fifty equal forms asks once.
    """

    def __init__(self, config: ExcelProcessorConfig, llm: LLMBackend | None) -> None:
        self.warnings: list[IngestError] = []
        self._config = config
        self._llm = llm
        self._decided: dict[str, tuple[SheetVerdict | None, tuple[str, ...]]] = {}

    def decide(self, sheet: SheetProfile) -> SheetVerdict:
        """Give the verdict of the first tier that is sure enough, else what the policy says."""
        prompt = build_prompt(sheet)
        if prompt not in self._decided:
            self._decided[prompt] = self._climb(sheet, prompt)
        verdict, causes = self._decided[prompt]
        return verdict or self._undecided(sheet, causes)

    def _climb(
        self, sheet: SheetProfile, prompt: str
    ) -> tuple[SheetVerdict | None, tuple[str, ...]]:
        causes = ["the rules' signals are divided"]
        if self._llm is None:
            return None, (*causes, "no LLM is configured")
        for tier, model in _models(self._config):
            reply = ask(self._llm, prompt, model=model, config=self._config)
            self._warn_of_retry(sheet, reply, model)
            answer = reply.answer
            if answer and answer.confidence >= self._config.tier2_confidence_threshold:
                return _verdict(answer, tier), ()
            causes.append(f"{model}: {_why_not(reply)}")
            _LOG.info("tier_undecided", extra={"tier": tier.value, "failure": reply.failure})
        return None, tuple(causes)

    def _warn_of_retry(self, sheet: SheetProfile, reply: Reply, model: str) -> None:
        if reply.retried_because is not None:
            message = f"asked {model} again: its first answer was {reply.retried_because.value}"
            self._warn(ErrorCode.W_LLM_RETRY, message, sheet)

    def _undecided(self, sheet: SheetProfile, causes: Sequence[str]) -> SheetVerdict:
        cause = ", ".join(causes)
        if _fails_closed(self._config, self._llm):
            raise ClassificationError(
                ErrorCode.E_CLASSIFY_INCONCLUSIVE,
                f"cannot classify a sheet: {cause}; set classification_policy to best_effort"
                " to have it split by region",
                sheet_name=sheet.name,
            )
        message = f"split the sheet by region: {cause}"
        self._warn(ErrorCode.W_CLASSIFY_BEST_EFFORT, message, sheet)
        tier = ClassificationTier.RULE_BASED
        return SheetVerdict(FileType.HYBRID, BEST_EFFORT_CONFIDENCE, tier, message)

    def _warn(self, code: ErrorCode, message: str, sheet: SheetProfile) -> None:
        self.warnings.append(
            IngestError(
                code=code, message=message, sheet_name=sheet.name, stage=_STAGE, recoverable=True
            )
        )


def _models(config: ExcelProcessorConfig) -> list[tuple[ClassificationTier, str]]:
    models = [(ClassificationTier.LLM_BASIC, config.classification_model)]
    if config.enable_tier3:
        models.append((ClassificationTier.LLM_REASONING, config.reasoning_model))
    return models


def _verdict(answer: Answer, tier: ClassificationTier) -> SheetVerdict:
    return SheetVerdict(answer.file_type, answer.confidence, tier, answer.reasoning)


def _why_not(reply: Reply) -> str:
    if reply.answer is None:
        return "no answer" if reply.failure is None else reply.failure.value
    return f"confidence {reply.answer.confidence:.2f} is too low"


def _fails_closed(config: ExcelProcessorConfig, llm: LLMBackend | None) -> bool:
    policy = config.classification_policy
    if policy is None:
        return llm is not None
    return policy == "fail_closed"
