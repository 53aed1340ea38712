"""A URL or a path names a store."""

import copy
import os
from pathlib import Path

import pytest

from ingestkit_excel.backends import BundleStore, MemoryStore, SQLiteStore, open_store
from ingestkit_excel.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:///f.db", SQLiteStore),
        ("bundle:///dir", BundleStore),
        ("memory://", MemoryStore),
        ("f.db", SQLiteStore),
        ("dir/", BundleStore),
    ],
)
def test_a_url_or_path_names_its_kind(url: str, kind: type) -> None:
    """Schemes name the store; a plain path is told by its trailing slash."""
    assert type(open_store(url)) is kind


def test_an_existing_directory_is_bundles(tmp_path: Path) -> None:
    """A plain path that is a directory needs no slash."""
    assert isinstance(open_store(tmp_path), BundleStore)


@pytest.mark.parametrize("url", ["postgres://host/db", "sqlite://", "bundle:///", ""])
def test_what_names_no_store_is_refused(url: str) -> None:
    """The message says which stores exist or what is missing."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///|bundle:///"):
        open_store(url)


@pytest.mark.parametrize("slashes", ["///", "////"])
def test_an_absolute_path_may_follow_three_or_four_slashes(tmp_path: Path, slashes: str) -> None:
    """Both ways to write an absolute path lead to the same file."""
    url = f"sqlite:{slashes}{str(tmp_path).lstrip('/')}/s.db"
    assert open_store(url).get_connection_uri() == f"sqlite:///{tmp_path}/s.db"


def test_nothing_is_touched_before_the_first_use(tmp_path: Path) -> None:
    """Opening makes no file."""
    open_store(f"sqlite:///{tmp_path}/s.db")
    open_store(f"bundle:///{tmp_path}/b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["sqlite", "bundle"])
def test_a_copy_for_another_process_is_the_same_place(tmp_path: Path, scheme: str) -> None:
    """Copies share nothing but the place, also when the original is open."""
    store = open_store(f"{scheme}:///{tmp_path}/place")
    with store.ingest_session("k", "a.xlsx"):
        again = copy.deepcopy(store)
    assert again is not store
    assert again.sources() == {"a.xlsx": "k"}
    again.close()
    store.close()


def test_a_memory_store_is_not_copied() -> None:
    """What a child wrote into its copy would be lost, so there is none."""
    with pytest.raises(TypeError):
        copy.deepcopy(MemoryStore())


def test_a_relative_path_is_fixed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later change of directory does not lead to another file."""
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///s.db")
    os.chdir("/")
    assert store.get_connection_uri() == f"sqlite:///{tmp_path}/s.db"
