"""Escalation from rules to models, and the policy when nobody is sure."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from ingestkit_excel.classification import classify_workbook, redact
from ingestkit_excel.classification.llm import build_prompt, check_answer
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ClassificationError, ConfigurationError, ErrorCode
from ingestkit_excel.models import (
    ClassificationTier,
    FileProfile,
    FileType,
    ParserUsed,
    SheetProfile,
)

CONFIG = ExcelProcessorConfig()
BEST_EFFORT = ExcelProcessorConfig(classification_policy="best_effort")
SECRET = "Zyzzyva-4711"


class ScriptedLLM:
    """Answers with the given replies in order; an exception among them is raised."""

    def __init__(self, replies: Sequence[object]) -> None:
        self.replies = list(replies)
        self.prompts: list[str] = []
        self.models: list[str] = []

    def classify(
        self, prompt: str, model: str, temperature: float = 0.1, timeout: float | None = None
    ) -> dict[str, Any]:
        """Give the next reply."""
        assert temperature == CONFIG.llm_temperature
        assert timeout == CONFIG.backend_timeout_seconds
        self.prompts.append(prompt)
        self.models.append(model)
        reply: Any = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        answer: dict[str, Any] = reply
        return answer

    def generate(
        self, prompt: str, model: str, temperature: float = 0.7, timeout: float | None = None
    ) -> str:
        """Classification never asks for free text."""
        raise AssertionError((len(prompt), model, temperature, timeout))


def answer(file_type: str = "tabular_data", confidence: object = 0.8) -> dict[str, Any]:
    """Build a well formed answer."""
    return {"type": file_type, "confidence": confidence, "reasoning": "looks like it"}


def sheet(name: str, kind: str) -> SheetProfile:
    """Build the profile of a table, a document or a column of prose nobody can call."""
    is_table = kind == "table"
    return SheetProfile(
        name=name,
        row_count=20 if kind != "document" else 3,
        col_count=1 if kind == "open" else 4,
        merged_cell_count=9 if kind == "document" else 0,
        merged_cell_ratio=0.3 if kind == "document" else 0.0,
        header_row_detected=is_table,
        header_values=[SECRET],
        column_type_consistency=1.0 if kind != "document" else 0.2,
        numeric_ratio=0.5 if is_table else 0.0,
        text_ratio=0.5 if is_table else 1.0,
        empty_ratio=0.0,
        sample_rows=[[SECRET]],
        has_formulas=False,
        is_hidden=False,
        parser_used=ParserUsed.CALAMINE,
    )


def workbook(*sheets: SheetProfile) -> FileProfile:
    """Build the profile of a workbook with these sheets."""
    return FileProfile(
        file_path="b.xlsx",
        file_size_bytes=1,
        sheet_count=len(sheets),
        sheet_names=[s.name for s in sheets],
        sheets=list(sheets),
        has_password_protected_sheets=False,
        has_chart_only_sheets=False,
        total_merged_cells=0,
        total_rows=0,
        content_hash="0" * 64,
    )


OPEN = workbook(sheet("Notes", "open"))


def codes(warnings: Sequence[Any]) -> list[ErrorCode]:
    """Give the codes of warnings."""
    return [warning.code for warning in warnings]


def test_clear_sheets_never_ask_a_model() -> None:
    """A verdict of the rules stands, whatever LLM is there."""
    llm = ScriptedLLM([])
    found = classify_workbook(workbook(sheet("A", "table"), sheet("B", "table")), CONFIG, llm)
    assert found.result.file_type is FileType.TABULAR_DATA
    assert found.result.tier_used is ClassificationTier.RULE_BASED
    assert found.warnings == ()
    assert llm.models == []


def test_workbook_of_different_sheets_is_hybrid() -> None:
    """Each sheet keeps its own type; the workbook as a whole is a hybrid."""
    found = classify_workbook(workbook(sheet("A", "table"), sheet("B", "document")), CONFIG)
    assert found.result.file_type is FileType.HYBRID
    assert found.result.per_sheet_types == {
        "A": FileType.TABULAR_DATA,
        "B": FileType.FORMATTED_DOCUMENT,
    }
    assert found.result.signals is not None
    assert found.result.signals["A"]["row_count"] == {"value": 20, "vote": "tabular"}


def test_small_model_decides_what_the_rules_left_open() -> None:
    """An answer at the threshold is accepted and names its tier."""
    llm = ScriptedLLM([answer("formatted_document", 0.6)])
    found = classify_workbook(OPEN, CONFIG, llm)
    assert found.result.file_type is FileType.FORMATTED_DOCUMENT
    assert found.result.tier_used is ClassificationTier.LLM_BASIC
    assert found.result.confidence == 0.6
    assert llm.models == [CONFIG.classification_model]


def test_workbook_is_as_sure_as_its_least_certain_sheet() -> None:
    """The lowest confidence and the highest tier of any sheet are the workbook's."""
    llm = ScriptedLLM([answer("tabular_data", 0.65)])
    sheets = (sheet("A", "open"), sheet("B", "table"))
    result = classify_workbook(workbook(*sheets), CONFIG, llm).result
    assert result.file_type is FileType.TABULAR_DATA
    assert result.confidence == 0.65
    assert result.tier_used is ClassificationTier.LLM_BASIC


def test_unsure_small_model_hands_over_to_the_reasoning_model() -> None:
    """Confidence below the threshold escalates."""
    llm = ScriptedLLM([answer(confidence=0.59), answer("hybrid", 0.9)])
    found = classify_workbook(OPEN, CONFIG, llm)
    assert found.result.file_type is FileType.HYBRID
    assert found.result.tier_used is ClassificationTier.LLM_REASONING
    assert llm.models == [CONFIG.classification_model, CONFIG.reasoning_model]


def test_with_an_llm_an_open_sheet_fails_closed() -> None:
    """Two unsure models fail the workbook and the error names the sheet."""
    llm = ScriptedLLM([answer(confidence=0.1), answer(confidence=0.2)])
    with pytest.raises(ClassificationError) as caught:
        classify_workbook(OPEN, CONFIG, llm)
    assert caught.value.code is ErrorCode.E_CLASSIFY_INCONCLUSIVE
    assert caught.value.facts["sheet_name"] == "Notes"


def test_without_an_llm_an_open_sheet_is_split_by_region() -> None:
    """Best effort is the default without an LLM, and it says so."""
    found = classify_workbook(OPEN, CONFIG)
    assert found.result.per_sheet_types == {"Notes": FileType.HYBRID}
    assert codes(found.warnings) == [ErrorCode.W_CLASSIFY_BEST_EFFORT]
    assert found.warnings[0].sheet_name == "Notes"


def test_fail_closed_can_be_asked_for_without_an_llm() -> None:
    """The explicit policy wins over the default."""
    strict = ExcelProcessorConfig(classification_policy="fail_closed")
    with pytest.raises(ClassificationError, match="no LLM is configured"):
        classify_workbook(OPEN, strict)


def test_reasoning_model_is_not_asked_when_tier_3_is_off() -> None:
    """With ``enable_tier3`` off the small model has the last word."""
    config = ExcelProcessorConfig(classification_policy="best_effort", enable_tier3=False)
    llm = ScriptedLLM([answer(confidence=0.1)])
    found = classify_workbook(OPEN, config, llm)
    assert codes(found.warnings) == [ErrorCode.W_CLASSIFY_BEST_EFFORT]
    assert llm.models == [CONFIG.classification_model]


@pytest.mark.parametrize(
    ("bad", "code", "named"),
    [
        ("no object", ErrorCode.E_LLM_MALFORMED_JSON, "not a JSON object"),
        (ValueError("half a brace"), ErrorCode.E_LLM_MALFORMED_JSON, "no valid JSON"),
        (answer("spreadsheet"), ErrorCode.E_LLM_SCHEMA_INVALID, "'type'"),
        (answer(confidence="high"), ErrorCode.E_LLM_SCHEMA_INVALID, "'confidence'"),
        (answer(confidence=True), ErrorCode.E_LLM_SCHEMA_INVALID, "'confidence'"),
        ({"type": "hybrid", "confidence": 1}, ErrorCode.E_LLM_SCHEMA_INVALID, "'reasoning'"),
        (answer(confidence=1.01), ErrorCode.E_LLM_CONFIDENCE_OOB, "from 0 to 1"),
        (answer(confidence=10**400), ErrorCode.E_LLM_CONFIDENCE_OOB, "from 0 to 1"),
        (answer(confidence=-0.01), ErrorCode.E_LLM_CONFIDENCE_OOB, "from 0 to 1"),
        (answer(confidence=float("nan")), ErrorCode.E_LLM_CONFIDENCE_OOB, "from 0 to 1"),
    ],
)
def test_refused_answer_is_corrected_once(bad: object, code: ErrorCode, named: str) -> None:
    """The second prompt says what was wrong, and the retry is a warning with the code."""
    llm = ScriptedLLM([bad, answer()])
    found = classify_workbook(OPEN, CONFIG, llm)
    assert found.result.file_type is FileType.TABULAR_DATA
    assert codes(found.warnings) == [ErrorCode.W_LLM_RETRY]
    assert code.value in found.warnings[0].message
    assert named in llm.prompts[1]
    assert llm.models == [CONFIG.classification_model] * 2


def test_second_bad_answer_escalates() -> None:
    """A model gets one correction, then the next tier is asked."""
    llm = ScriptedLLM([{}, {}, answer("hybrid")])
    found = classify_workbook(OPEN, CONFIG, llm)
    assert found.result.tier_used is ClassificationTier.LLM_REASONING
    assert codes(found.warnings) == [ErrorCode.W_LLM_RETRY]


def test_silence_after_a_correction_escalates() -> None:
    """A model that times out on its correction is passed over like any silent one."""
    llm = ScriptedLLM([{}, TimeoutError(), answer("hybrid")])
    found = classify_workbook(OPEN, CONFIG, llm)
    assert found.result.tier_used is ClassificationTier.LLM_REASONING


def test_timeout_escalates_without_a_second_try() -> None:
    """A silent model is not asked again here; its backend already retried."""
    llm = ScriptedLLM([TimeoutError(), answer("hybrid")])
    found = classify_workbook(OPEN, CONFIG, llm)
    assert found.result.tier_used is ClassificationTier.LLM_REASONING
    assert llm.models == [CONFIG.classification_model, CONFIG.reasoning_model]


def test_two_timeouts_are_named_in_the_failure() -> None:
    """The error of a workbook nobody could classify says that the models were silent."""
    with pytest.raises(ClassificationError, match="E_LLM_TIMEOUT"):
        classify_workbook(OPEN, CONFIG, ScriptedLLM([TimeoutError(), TimeoutError()]))


def test_equal_structures_are_asked_about_once() -> None:
    """Sheets that differ only in name and content share one answer."""
    llm = ScriptedLLM([answer()])
    found = classify_workbook(workbook(sheet("A", "open"), sheet("B", "open")), CONFIG, llm)
    assert found.result.per_sheet_types == dict.fromkeys("AB", FileType.TABULAR_DATA)


def test_prompt_holds_nothing_the_author_wrote() -> None:
    """Neither header, nor sample, nor sheet name reaches a model."""
    prompt = build_prompt(sheet(f"{SECRET} plan", "open"))
    assert SECRET not in prompt
    assert "rows: 20" in prompt


def test_logs_hold_no_values_and_prompts_are_redacted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A prompt is logged only when asked for, and passes the patterns."""
    config = ExcelProcessorConfig(log_llm_prompts=True, redact_patterns=[r"rows: \d+"])
    with caplog.at_level(logging.DEBUG, "ingestkit_excel"):
        classify_workbook(OPEN, config, ScriptedLLM([{}, answer()]))
    assert "rows: 20" not in caplog.text
    assert "[redacted]" in caplog.text
    assert SECRET not in caplog.text


def test_prompts_are_not_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    """Without being asked the log holds event names only."""
    with caplog.at_level(logging.DEBUG, "ingestkit_excel"):
        classify_workbook(OPEN, CONFIG, ScriptedLLM([answer()]))
    assert "Classify one" not in caplog.text


def test_broken_redaction_pattern_is_a_configuration_error() -> None:
    """An expression that does not compile stops the logging rather than the redaction."""
    with pytest.raises(ConfigurationError, match=r"redact_patterns\[1\]"):
        redact("text", ["ok", "("])


def test_long_reasoning_is_cut() -> None:
    """A model's essay does not fill the results."""
    assert len(check_answer(answer() | {"reasoning": "x" * 9999}).reasoning) == 500


def test_workbook_without_sheets_is_inconclusive() -> None:
    """There is nothing to classify, whatever the policy."""
    with pytest.raises(ClassificationError, match="no sheet"):
        classify_workbook(workbook(), BEST_EFFORT)


def test_stage_result_repeats_the_verdict() -> None:
    """The stage's record differs from the verdict by the duration only."""
    found = classify_workbook(OPEN, CONFIG)
    stage = found.stage_result(1.5).model_dump()
    assert stage.pop("classification_duration_seconds") == 1.5
    assert stage == found.result.model_dump()
