"""What every `FileSystem` promises, held against the real one and the one in memory."""

import hashlib
import os
from pathlib import Path

import pytest

from ingestkit_excel.spool.fs import (
    Exists,
    FileSystem,
    Missing,
    NotRegular,
    RealFileSystem,
    TooLarge,
)
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, MemoryFileSystem


@pytest.fixture(params=["real", "memory", "wrapped"])
def fs(request: pytest.FixtureRequest, tmp_path: Path) -> FileSystem:
    """Give each implementation with an empty tree."""
    if request.param == "real":
        return RealFileSystem(tmp_path)
    if request.param == "memory":
        return MemoryFileSystem()
    return FaultyFileSystem(MemoryFileSystem(), Fault.FAILED, 1_000_000)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory that is no part of the tree."""
    return tmp_path_factory.mktemp("outside")


def test_created_file_reads_back(fs: FileSystem) -> None:
    """All bytes arrive, durable or not."""
    for durable in (True, False):
        path = f"file-{durable}"
        fs.create(path, b"bytes", durable=durable)
        assert fs.read(path, max_bytes=5) == b"bytes"


def test_create_refuses_a_taken_name(fs: FileSystem) -> None:
    """A second creator gets `Exists` and changes nothing."""
    fs.create("a", b"first", durable=False)
    with pytest.raises(Exists):
        fs.create("a", b"second", durable=False)
    assert fs.read("a", max_bytes=10) == b"first"


def test_read_refuses_more_than_it_may(fs: FileSystem) -> None:
    """One byte too many is `TooLarge`."""
    fs.create("a", b"123456", durable=False)
    with pytest.raises(TooLarge):
        fs.read("a", max_bytes=5)


def test_read_refuses_a_directory(fs: FileSystem) -> None:
    """A directory is no plain file."""
    fs.make_directory("d")
    with pytest.raises(NotRegular):
        fs.read("d", max_bytes=5)


def test_missing_names_are_missing(fs: FileSystem) -> None:
    """Every operation on a name that is not there raises `Missing`."""
    with pytest.raises(Missing):
        fs.read("a", max_bytes=5)
    with pytest.raises(Missing):
        fs.rename("a", "b")
    with pytest.raises(Missing):
        fs.remove("a")
    with pytest.raises(Missing):
        fs.remove_directory("a")
    with pytest.raises(Missing):
        fs.list_directory("a")
    with pytest.raises(Missing):
        fs.refresh("a")
    with pytest.raises(Missing):
        fs.stamp("a")
    with pytest.raises(Missing):
        fs.touch("a")
    with pytest.raises(Missing):
        fs.rewrite("a", b"")
    with pytest.raises(Missing):
        fs.create("a/b", b"", durable=False)
    with pytest.raises(Missing):
        fs.make_directory("a/b")


def test_file_of_this_host_is_copied_in_and_out(fs: FileSystem, outside: Path) -> None:
    """Every byte arrives, and both ways give the digest of what they saw."""
    data = bytes(range(256)) * 5000  # more than one block
    (outside / "a").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    for durable in (True, False):
        path = f"copy-{durable}"
        assert fs.copy_in(outside / "a", path, max_bytes=len(data), durable=durable) == digest
        assert fs.copy_out(path, outside / path, max_bytes=len(data)) == digest
        assert (outside / path).read_bytes() == data


def test_copies_keep_to_their_limit(fs: FileSystem, outside: Path) -> None:
    """One byte too many is `TooLarge` either way."""
    (outside / "a").write_bytes(b"123456")
    with pytest.raises(TooLarge):
        fs.copy_in(outside / "a", "short", max_bytes=5, durable=False)
    fs.copy_in(outside / "a", "whole", max_bytes=6, durable=False)
    with pytest.raises(TooLarge):
        fs.copy_out("whole", outside / "b", max_bytes=5)


def test_copies_take_no_name_that_is_there(fs: FileSystem, outside: Path) -> None:
    """Nothing is overwritten on either side."""
    (outside / "a").write_bytes(b"new")
    fs.create("taken", b"old", durable=False)
    with pytest.raises(Exists):
        fs.copy_in(outside / "a", "taken", max_bytes=9, durable=False)
    with pytest.raises(FileExistsError):
        fs.copy_out("taken", outside / "a", max_bytes=9)
    assert fs.read("taken", max_bytes=9) == b"old"


def test_copies_tell_which_side_failed(fs: FileSystem, outside: Path) -> None:
    """Of this host an `OSError`, of the tree a `FileSystemError`."""
    with pytest.raises(FileNotFoundError):
        fs.copy_in(outside / "none", "a", max_bytes=9, durable=False)
    (outside / "a").write_bytes(b"x")
    with pytest.raises(Missing):
        fs.copy_in(outside / "a", "none/a", max_bytes=9, durable=False)
    with pytest.raises(Missing):
        fs.copy_out("none", outside / "b", max_bytes=9)


def test_rename_consumes_its_source(fs: FileSystem) -> None:
    """After a rename only the new name is there."""
    fs.make_directory("d")
    fs.create("a", b"x", durable=False)
    fs.rename("a", "d/b")
    assert fs.list_directory("") == ["d"]
    assert fs.read("d/b", max_bytes=1) == b"x"
    with pytest.raises(Missing):
        fs.rename("a", "d/c")


def test_rename_into_a_missing_directory_leaves_the_source(fs: FileSystem) -> None:
    """The file stays under its old name."""
    fs.create("a", b"x", durable=False)
    with pytest.raises(Missing):
        fs.rename("a", "gone/a")
    assert fs.list_directory("") == ["a"]


def test_directory_does_not_replace_one_that_is_not_empty(fs: FileSystem) -> None:
    """The first directory of a name keeps it."""
    for name in ("one", "two"):
        fs.make_directory(name)
        fs.create(f"{name}/owner", name.encode(), durable=False)
    fs.rename("one", "taken")
    with pytest.raises(Exists):
        fs.rename("two", "taken")
    assert fs.read("taken/owner", max_bytes=3) == b"one"


def test_directory_is_removed_only_when_empty(fs: FileSystem) -> None:
    """A file inside keeps its directory."""
    fs.make_directory("d")
    fs.create("d/a", b"", durable=False)
    with pytest.raises(Exists):
        fs.remove_directory("d")
    fs.remove("d/a")
    fs.remove_directory("d")
    assert fs.list_directory("") == []


def test_directory_is_made_once(fs: FileSystem) -> None:
    """The second maker gets `Exists`."""
    fs.make_directory("d")
    with pytest.raises(Exists):
        fs.make_directory("d")


def test_rewrite_keeps_the_file_and_replaces_its_bytes(fs: FileSystem) -> None:
    """The inode stays, the size and the bytes change."""
    fs.create("a", b"long content", durable=False)
    before = fs.stamp("a")
    fs.rewrite("a", b"short")
    assert fs.read("a", max_bytes=99) == b"short"
    assert fs.stamp("a").inode == before.inode
    assert fs.stamp("a").size == 5


def test_touch_keeps_content_and_inode(fs: FileSystem) -> None:
    """Only times change."""
    fs.create("a", b"x", durable=False)
    before = fs.stamp("a")
    fs.touch("a")
    after = fs.stamp("a")
    assert (after.inode, after.size) == (before.inode, before.size)
    assert after.mtime_ns >= before.mtime_ns


def test_lock_has_one_holder_until_released(fs: FileSystem) -> None:
    """A second taker gets ``None``; after release it succeeds."""
    first = fs.try_lock("lock")
    assert first is not None
    assert fs.try_lock("lock") is None
    first.release()
    first.release()
    second = fs.try_lock("lock")
    assert second is not None
    second.release()


def test_lock_makes_no_directory(fs: FileSystem) -> None:
    """A share that is not mounted stays an empty directory."""
    with pytest.raises(Missing):
        fs.try_lock("workers/lock")
    assert fs.list_directory("") == []


def test_sync_refresh_and_free_space_answer(fs: FileSystem) -> None:
    """They work on a directory that is there."""
    fs.make_directory("d")
    fs.sync_directory("d")
    fs.refresh("d")
    assert fs.free_space() > 0


def test_real_read_follows_no_link_and_waits_on_no_fifo(tmp_path: Path) -> None:
    """Links, FIFOs and files of two names are refused at once."""
    fs = RealFileSystem(tmp_path)
    fs.create("file", b"x", durable=False)
    os.symlink("file", tmp_path / "link")
    os.mkfifo(tmp_path / "fifo")
    os.link(tmp_path / "file", tmp_path / "twin")
    for name in ("link", "fifo", "twin"):
        with pytest.raises(NotRegular):
            fs.read(name, max_bytes=5)
