"""Workbooks are named by root and relative path, and cannot be outside."""

import sys
from pathlib import Path

import pytest

from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError
from ingestkit_excel.execution.paths import Roots


def test_the_directory_of_the_spool_is_the_default_root(tmp_path: Path) -> None:
    """A workbook beside the spool needs no configuration."""
    roots = Roots.for_spool(tmp_path / "spool")
    assert roots.locate(tmp_path / "in" / "a.xlsx") == ("share", "in/a.xlsx")
    assert roots.resolve("share", "in/a.xlsx") == tmp_path.resolve() / "in" / "a.xlsx"


def test_the_deepest_root_names_a_workbook(tmp_path: Path) -> None:
    """A root inside another one is preferred for what it holds."""
    (tmp_path / "data").mkdir()
    roots = Roots.for_spool(tmp_path / "spool", {"data": tmp_path / "data"})
    assert roots.locate(tmp_path / "data" / "a.xlsx") == ("data", "a.xlsx")


def test_a_workbook_outside_every_root_is_refused_with_the_fix(tmp_path: Path) -> None:
    """The message names the roots and how to add one."""
    (tmp_path / "share").mkdir()
    roots = Roots.for_spool(tmp_path / "share" / "spool")
    with pytest.raises(ExecutionError, match="map its directory as a root") as caught:
        roots.locate(tmp_path / "a.xlsx")
    assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT


@pytest.mark.parametrize(
    "rel", ["/etc/passwd", "../a.xlsx", "in/../../a", "in\\a", "a\0b", "a\ud800", ""]
)
def test_a_path_that_would_leave_its_root_is_rejected(tmp_path: Path, rel: str) -> None:
    """Jobs are written by others, so their paths are not trusted."""
    roots = Roots.for_spool(tmp_path / "spool")
    with pytest.raises(ExecutionError) as caught:
        roots.resolve("share", rel)
    assert caught.value.code is ErrorCode.E_EXECUTION_REJECTED


def test_a_symbolic_link_out_of_the_root_is_rejected(tmp_path: Path) -> None:
    """A link inside the share does not open files outside it."""
    share = tmp_path / "share"
    share.mkdir()
    (tmp_path / "secret.xlsx").touch()
    (share / "a.xlsx").symlink_to(tmp_path / "secret.xlsx")
    with pytest.raises(ExecutionError, match="symbolic link"):
        Roots.for_spool(share / "spool").resolve("share", "a.xlsx")


def test_an_unknown_root_says_how_to_map_it(tmp_path: Path) -> None:
    """A worker that lacks a root tells the option that adds it."""
    with pytest.raises(ConfigurationError, match="--root data=PATH"):
        Roots.for_spool(tmp_path / "spool").resolve("data", "a.xlsx")


def test_a_root_must_exist(tmp_path: Path) -> None:
    """A mount that is not there is noticed at the start."""
    with pytest.raises(ConfigurationError, match="is no directory"):
        Roots({"data": tmp_path / "missing"})


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="opening the file tells, since then")
def test_a_circle_of_symbolic_links_is_rejected(tmp_path: Path) -> None:
    """A job with such a path must not end its worker, nor its submitter."""
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    roots = Roots.for_spool(tmp_path / "spool")
    with pytest.raises(ExecutionError, match="in a circle") as caught:
        roots.resolve("share", "one/a.xlsx")
    assert caught.value.code is ErrorCode.E_EXECUTION_REJECTED
    with pytest.raises(ExecutionError, match="in a circle") as caught:
        roots.locate(tmp_path / "one" / "a.xlsx")
    assert caught.value.code is ErrorCode.E_EXECUTION_SUBMIT
