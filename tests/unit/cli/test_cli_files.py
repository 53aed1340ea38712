"""Which files the command line takes for workbooks."""

from pathlib import Path

import pytest

from ingestkit_excel.cli.files import find_workbooks
from ingestkit_excel.errors import ConfigurationError, ErrorCode


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_folders_are_searched_to_their_leaves(tmp_path: Path) -> None:
    """Every workbook suffix counts in any case, in sorted order."""
    wanted = [_touch(tmp_path / name) for name in ("a/b/c.ODS", "a/x.xlsx", "b.XLSM")]
    _touch(tmp_path / "a/notes.txt")
    assert find_workbooks([tmp_path]) == wanted


def test_lock_files_of_open_workbooks_are_left_out(tmp_path: Path) -> None:
    """``~$`` files hold a user name and no sheets."""
    _touch(tmp_path / "~$plan.xlsx")
    plan = _touch(tmp_path / "plan.xlsx")
    assert find_workbooks([tmp_path]) == [plan]


def test_a_named_file_is_taken_whatever_its_suffix_and_once(tmp_path: Path) -> None:
    """Naming a file is a decision; naming it twice is a slip."""
    odd = _touch(tmp_path / "export.dat")
    assert find_workbooks([odd, odd]) == [odd]


def test_a_missing_path_is_named_in_the_error(tmp_path: Path) -> None:
    """The message says which path is wrong."""
    with pytest.raises(ConfigurationError, match="nowhere") as caught:
        find_workbooks([tmp_path / "nowhere"])
    assert caught.value.code is ErrorCode.E_SOURCE_NOT_FOUND


def test_a_folder_without_workbooks_is_an_error_with_advice(tmp_path: Path) -> None:
    """Silence would look like success."""
    with pytest.raises(ConfigurationError, match="name the file itself"):
        find_workbooks([tmp_path])
