"""Settings are validated and say what is wrong."""

import json
import pickle
from pathlib import Path

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    """A typo is an error that says what was probably meant."""
    with pytest.raises(ConfigurationError, match="did you mean 'chunk_max_chars'"):
        ExcelProcessorConfig.from_mapping({"chunk_max_char": 900})


def test_settings_come_from_a_json_file(tmp_path: Path) -> None:
    """A JSON file with one setting leaves the others at their defaults."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"tenant_id": "north"}))
    config = ExcelProcessorConfig.from_file(path)
    assert config.tenant_id == "north"
    assert config.chunk_max_chars == 2000


def test_settings_come_from_a_yaml_file(tmp_path: Path) -> None:
    """YAML is read when the extra is installed."""
    pytest.importorskip("yaml", reason="the extra yaml is not installed")
    path = tmp_path / "settings.yaml"
    path.write_text("execution_backend: distributed\nexecution_queue_url: /mnt/share/spool\n")
    assert ExcelProcessorConfig.from_file(path).execution_backend == "distributed"


@pytest.mark.parametrize("text", ["[1]", "{", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """Content that is not a JSON object gives a coded error."""
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        ExcelProcessorConfig.from_file(path)
    assert caught.value.code is ErrorCode.E_CONFIG_INVALID


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    """The message names the file that is not there."""
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        ExcelProcessorConfig.from_file(tmp_path / "none.json")


def test_errors_survive_pickling() -> None:
    """Code, message and job id are the same after a round trip."""
    error = ExecutionError(ErrorCode.E_EXECUTION_TIMEOUT, "cannot wait: late", job_id="j1")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, copy.message, copy.job_id) == (error.code, error.message, "j1")
