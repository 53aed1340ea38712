"""The contract of `FileSystem`, held against each of two mounts of one directory."""

import importlib.util
from pathlib import Path

import pytest
from lab_mounts import Pair

from ingestkit_excel.spool.fs import Exists, FileSystem, Missing, RealFileSystem

pytestmark = [pytest.mark.lab, pytest.mark.slow]

_SUITE = Path(__file__).parents[1] / "contract" / "test_filesystem_contract.py"


def _load_suite() -> dict[str, object]:
    spec = importlib.util.spec_from_file_location("filesystem_contract_suite", _SUITE)
    assert spec is not None
    assert spec.loader is not None
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    return {name: test for name, test in vars(suite).items() if name.startswith("test_")}


# The same functions; the fixtures of this module give them the mounts to run on.
globals().update(_load_suite())


@pytest.fixture(params=["first", "second"])
def fs(request: pytest.FixtureRequest, pair: Pair) -> FileSystem:
    """Give an empty directory of either mount."""
    root: Path = getattr(pair, request.param) / "tree"
    root.mkdir()
    return RealFileSystem(root)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory that is no part of the tree."""
    return tmp_path_factory.mktemp("outside")


def test_mounts_that_are_given_have_caches_of_their_own(mounts_given: tuple[Path, Path]) -> None:
    """Two paths of one mount would show nothing; on NFS, ``nosharecache`` makes them two."""
    first, second = mounts_given
    assert first.stat().st_dev != second.stat().st_dev


def test_a_name_taken_on_one_mount_is_taken_on_the_other(pair: Pair) -> None:
    """Also where the other has just looked in vain."""
    first, second = (RealFileSystem(getattr(pair, name)) for name in ("first", "second"))
    with pytest.raises(Missing):
        second.read("a", max_bytes=5)
    first.create("a", b"first", durable=True)
    with pytest.raises(Exists):
        second.create("a", b"second", durable=True)
    assert first.read("a", max_bytes=9) == b"first"


def test_a_name_moves_once_for_both_mounts(pair: Pair) -> None:
    """Whoever comes second finds nothing, though its cache still shows the name."""
    first, second = (RealFileSystem(getattr(pair, name)) for name in ("first", "second"))
    first.create("job", b"x", durable=True)
    assert second.list_directory("") == ["job"]
    second.stamp("job")
    first.rename("job", "mine")
    with pytest.raises(Missing):
        second.rename("job", "theirs")
    assert first.list_directory("") == ["mine"]
