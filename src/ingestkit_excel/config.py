"""Settings: the only place with defaults. Frozen, validated, and blind to the environment."""

import difflib
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingestkit_excel.errors import ConfigurationError, ErrorCode

__all__ = ["ExcelProcessorConfig"]


class ExcelProcessorConfig(BaseModel):
    """How workbooks are read, classified, processed and executed.

    Travels with each job, so it holds no credentials.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parser_version: str = "ingestkit_excel:1.0.0"
    tenant_id: str | None = None

    reader: Literal["auto", "calamine", "openpyxl"] = "auto"
    max_file_size_bytes: int = Field(default=500 * 1024**2, gt=0)
    max_inflated_bytes: int = Field(default=2 * 1024**3, gt=0)
    max_zip_entries: int = Field(default=10_000, gt=0)
    max_compression_ratio: float = Field(default=100.0, gt=1)
    """Applied to entries that inflate to more than 1 MiB; smaller XML repeats itself a lot."""
    max_rows_in_memory: int = Field(default=100_000, gt=0)

    tier1_high_confidence_signals: int = Field(default=4, ge=1, le=5)
    tier1_medium_confidence_signals: int = Field(default=3, ge=1, le=5)
    merged_cell_ratio_threshold: float = Field(default=0.05, ge=0, le=1)
    numeric_ratio_threshold: float = Field(default=0.3, ge=0, le=1)
    column_consistency_threshold: float = Field(default=0.7, ge=0, le=1)
    min_row_count_for_tabular: int = Field(default=5, ge=1)
    classification_policy: Literal["fail_closed", "best_effort"] | None = None
    """Unset: ``fail_closed`` where an LLM is configured, else ``best_effort``."""
    classification_model: str = "qwen2.5:7b"
    reasoning_model: str = "deepseek-r1:14b"
    tier2_confidence_threshold: float = Field(default=0.6, ge=0, le=1)
    llm_temperature: float = Field(default=0.1, ge=0, le=2)
    enable_tier3: bool = True

    row_serialization_limit: int = Field(default=5000, ge=0)
    clean_column_names: bool = True
    chunk_max_chars: int = Field(default=2000, ge=200)
    max_sample_rows: int = Field(default=3, ge=0)

    embedding_model: str = "nomic-embed-text"
    embedding_dimension: int = Field(default=768, ge=1)
    embedding_batch_size: int = Field(default=64, ge=1)
    default_collection: str = "helpdesk"

    backend_timeout_seconds: float = Field(default=30.0, gt=0)
    backend_max_retries: int = Field(default=2, ge=0)
    backend_backoff_base: float = Field(default=1.0, ge=0)

    log_sample_data: bool = False
    log_llm_prompts: bool = False
    log_chunk_previews: bool = False
    redact_patterns: list[str] = Field(default_factory=list)

    execution_backend: Literal["local", "distributed"] = "local"
    execution_queue_url: str | None = None
    execution_job_timeout: float = Field(default=300.0, gt=0)
    """Seconds a worker gives one workbook before its child is killed."""
    execution_max_workers: int = Field(default=1, ge=1)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Validate a mapping of settings.

        Raises:
            ConfigurationError: A key is unknown (the message names the nearest known one) or a
                value does not fit.
        """
        for key in settings:
            if key not in cls.model_fields:
                raise ConfigurationError(ErrorCode.E_CONFIG_INVALID, _unknown_key(cls, key))
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            causes = "; ".join(
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
            )
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID, f"cannot use the settings: {causes}; correct them"
            ) from error

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read settings from a ``.json`` file, or ``.yaml``/``.yml`` with the extra ``yaml``.

        Raises:
            ConfigurationError: The file is missing, is not of these formats, or does not fit.
        """
        return cls.from_mapping(_read_mapping(Path(path)))


def _unknown_key(cls: type[BaseModel], key: str) -> str:
    near = difflib.get_close_matches(key, cls.model_fields, n=1, cutoff=0.0)
    return f"cannot use the settings: unknown key {key!r}; did you mean {near[0]!r}?"


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, f"{error.strerror}; give the path of a readable file") from error
    if path.suffix.lower() in {".yaml", ".yml"}:
        loaded = _load_yaml(path, text)
    else:
        loaded = _load_json(path, text)
    if not isinstance(loaded, dict):
        raise _unreadable(path, "it holds no mapping; write settings as name and value pairs")
    return loaded


def _load_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _unreadable(path, f"it is no valid JSON ({error}); correct the file") from error


def _load_yaml(path: Path, text: str) -> object:
    try:
        yaml = import_module("yaml")
    except ImportError as error:
        raise _unreadable(
            path, "YAML needs the extra: pip install ingestkit-excel[yaml]"
        ) from error
    try:
        loaded: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _unreadable(path, f"it is no valid YAML ({error}); correct the file") from error
    return loaded


def _unreadable(path: Path, cause: str) -> ConfigurationError:
    return ConfigurationError(
        ErrorCode.E_CONFIG_INVALID, f"cannot read the settings file {path}: {cause}"
    )
