"""Ask a model what a sheet is: a prompt of counts only, and an answer that is checked.

Nothing a workbook's author wrote goes into the prompt: no cell, no header, no sheet name. So a
workbook can neither leak its content to a model nor give it instructions.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingestkit_excel.classification.redaction import redact
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import BackendError, ClassificationError, ErrorCode
from ingestkit_excel.models import FileType, SheetProfile
from ingestkit_excel.protocols import LLMBackend

__all__ = ["Answer", "Reply", "ask", "build_prompt", "check_answer"]

_LOG = logging.getLogger(__name__)

_REASONING_CHARS_MAX: Final = 500  # it stands in every result; a paragraph says enough

_PROMPT: Final = """\
Classify one spreadsheet sheet by its structure. Possible types:
- "tabular_data": rows of records under one header row
- "formatted_document": text laid out for people, such as a form, a checklist or a report
- "hybrid": both of these on one sheet

Structure of the sheet:
- rows: {rows}
- columns: {columns}
- header row found: {header}
- cells in merged ranges: {merged} (share of cells: {merged_ratio:.2f})
- consistency of types within columns, 0 to 1: {consistency:.2f}
- share of numeric cells: {numeric:.2f}
- share of text cells: {text:.2f}
- share of empty cells: {empty:.2f}
- has formulas: {formulas}
- tables found: {tables} (rows in them: {table_rows})
- share of characters in lines of prose: {prose:.2f}

Answer with one JSON object and nothing else:
{{"type": "<one of the types>", "confidence": <number from 0 to 1>, "reasoning": "<a sentence>"}}
"""


class Answer(NamedTuple):
    """A model's answer that passed all checks."""

    file_type: FileType
    confidence: float
    reasoning: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What asking a model came to: an answer, or the code of what went wrong last."""

    answer: Answer | None
    failure: ErrorCode | None = None
    retried_because: ErrorCode | None = None
    """Set when the first answer was refused and the model was asked once more."""


def build_prompt(sheet: SheetProfile) -> str:
    """Describe the structure of a sheet; equal structures give equal prompts."""
    return _PROMPT.format(
        rows=sheet.row_count,
        columns=sheet.col_count,
        header=_yes_no(sheet.header_row_detected),
        merged=sheet.merged_cell_count,
        merged_ratio=sheet.merged_cell_ratio,
        consistency=sheet.column_type_consistency,
        numeric=sheet.numeric_ratio,
        text=sheet.text_ratio,
        empty=sheet.empty_ratio,
        formulas=_yes_no(sheet.has_formulas),
        tables=sheet.table_count,
        table_rows=sheet.table_row_count,
        prose=sheet.prose_ratio,
    )


def check_answer(raw: object) -> Answer:
    """Turn a model's raw answer into one that can be believed to be well formed.

    Raises:
        ClassificationError: ``E_LLM_MALFORMED_JSON``, ``E_LLM_SCHEMA_INVALID`` or
            ``E_LLM_CONFIDENCE_OOB``; the message says what is wrong without quoting the answer.
    """
    if not isinstance(raw, Mapping):
        raise _refused(ErrorCode.E_LLM_MALFORMED_JSON, "it is not a JSON object")
    return Answer(_type(raw), _confidence(raw), _reasoning(raw))


def ask(llm: LLMBackend, prompt: str, *, model: str, config: ExcelProcessorConfig) -> Reply:
    """Ask a model, and once more with a correction if its first answer is refused.

    A model that does not answer is not asked again: waiting and retrying is its backend's part.
    """
    if config.log_llm_prompts:
        _LOG.debug("llm_prompt %s", redact(prompt, config.redact_patterns))
    try:
        return Reply(_ask_once(llm, prompt, model=model, config=config))
    except BackendError as error:
        return Reply(None, failure=error.code)
    except ClassificationError as error:
        first = error
    _LOG.warning("llm_answer_refused", extra={"model": model, "code": first.code.value})
    corrective = f"{prompt}\nYour last answer was refused: {first.message}"
    try:
        answer = _ask_once(llm, corrective, model=model, config=config)
    except (BackendError, ClassificationError) as error:
        return Reply(None, failure=error.code, retried_because=first.code)
    return Reply(answer, retried_because=first.code)


def _ask_once(llm: LLMBackend, prompt: str, *, model: str, config: ExcelProcessorConfig) -> Answer:
    try:
        raw: object = llm.classify(
            prompt,
            model,
            temperature=config.llm_temperature,
            timeout=config.backend_timeout_seconds,
        )
    except TimeoutError as error:
        raise BackendError(
            ErrorCode.E_LLM_TIMEOUT,
            f"cannot classify a sheet: {model} gave no answer in time; raise the timeout",
        ) from error
    except ValueError as error:  # what JSON parsers raise, json.JSONDecodeError included
        raise _refused(ErrorCode.E_LLM_MALFORMED_JSON, "it is no valid JSON") from error
    return check_answer(raw)


def _type(raw: Mapping[object, object]) -> FileType:
    value = raw.get("type")
    if not isinstance(value, str) or value not in set(FileType):
        names = ", ".join(FileType)
        raise _refused(ErrorCode.E_LLM_SCHEMA_INVALID, f"'type' is not one of {names}")
    return FileType(value)


def _confidence(raw: Mapping[object, object]) -> float:
    value = raw.get("confidence")
    # bool is an int to Python, and true is no degree of confidence.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(ErrorCode.E_LLM_SCHEMA_INVALID, "'confidence' is not a number")
    if not 0 <= value <= 1:  # false for NaN too, and safe for integers no float can hold
        raise _refused(ErrorCode.E_LLM_CONFIDENCE_OOB, "'confidence' is not from 0 to 1")
    return float(value)


def _reasoning(raw: Mapping[object, object]) -> str:
    value = raw.get("reasoning")
    if not isinstance(value, str):
        raise _refused(ErrorCode.E_LLM_SCHEMA_INVALID, "'reasoning' is not a string")
    return value[:_REASONING_CHARS_MAX]


def _refused(code: ErrorCode, cause: str) -> ClassificationError:
    return ClassificationError(
        code, f"cannot use the answer: {cause}; answer with the JSON object that was asked for"
    )


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
