"""The disk that forgets: what a power cut leaves of each operation."""

import pytest

from ingestkit_excel.testing.volatile import VolatileFileSystem


@pytest.fixture
def fs() -> VolatileFileSystem:
    """Give one with two directories that are on the disk."""
    fs = VolatileFileSystem()
    fs.make_directory("a")
    fs.make_directory("b")
    fs.sync_directory("")
    return fs


def test_name_without_a_sync_is_lost(fs: VolatileFileSystem) -> None:
    """Also when its bytes are on the disk."""
    fs.create("a/file", b"x", durable=True)
    fs.cut_power()
    assert fs.list_directory("a") == []


@pytest.mark.parametrize(("durable", "data"), [(True, b"x"), (False, b"")])
def test_synced_name_has_the_bytes_that_were_synced(
    fs: VolatileFileSystem, durable: bool, data: bytes
) -> None:
    """A name alone is an empty file."""
    fs.create("a/file", b"x", durable=durable)
    fs.sync_directory("a")
    fs.cut_power()
    assert fs.read("a/file", max_bytes=9) == data


@pytest.mark.parametrize("synced", ["a", "b"])
def test_rename_survives_by_a_sync_of_either_side(fs: VolatileFileSystem, synced: str) -> None:
    """And is never half done."""
    fs.create("a/file", b"x", durable=True)
    fs.sync_directory("a")
    fs.rename("a/file", "b/moved")
    fs.sync_directory(synced)
    fs.cut_power()
    assert (fs.list_directory("a"), fs.list_directory("b")) == ([], ["moved"])


def test_rename_without_a_sync_is_undone(fs: VolatileFileSystem) -> None:
    """The old name is back."""
    fs.create("a/file", b"x", durable=True)
    fs.sync_directory("a")
    fs.rename("a/file", "b/moved")
    fs.cut_power()
    assert (fs.list_directory("a"), fs.list_directory("b")) == (["file"], [])


def test_moves_of_a_file_are_synced_in_their_order(fs: VolatileFileSystem) -> None:
    """It never stands in two places."""
    fs.make_directory("c")
    fs.sync_directory("")
    fs.create("a/file", b"x", durable=True)
    fs.sync_directory("a")
    fs.rename("a/file", "b/file")
    fs.rename("b/file", "c/file")
    fs.sync_directory("c")
    fs.cut_power()
    assert [fs.list_directory(name) for name in "abc"] == [[], [], ["file"]]


def test_directory_without_a_name_takes_its_files_with_it(fs: VolatileFileSystem) -> None:
    """Syncing what is in it is not enough."""
    fs.make_directory("a/inner")
    fs.create("a/inner/file", b"x", durable=True)
    fs.sync_directory("a/inner")
    fs.cut_power()
    assert fs.list_directory("a") == []


def test_removal_without_a_sync_is_undone(fs: VolatileFileSystem) -> None:
    """The file is back, whole."""
    fs.create("a/file", b"x", durable=True)
    fs.sync_directory("a")
    fs.remove("a/file")
    fs.cut_power()
    assert fs.read("a/file", max_bytes=9) == b"x"


def test_lock_does_not_survive(fs: VolatileFileSystem) -> None:
    """Whoever held it is gone."""
    assert fs.try_lock("a/lock") is not None
    fs.cut_power()
    assert fs.try_lock("a/lock") is not None
