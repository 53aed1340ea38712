"""Two mounts of one directory: real ones that are given, and a pair of FUSE mounts with caches.

``SPOOL_MOUNTS=/mnt/c1:/mnt/c2`` gives two mounts of one directory with caches of their own, such as
two clients of a file server in one test machine, or a share mounted twice with ``nosharecache``.
Where the machine has commands ``lab-partition NAME``, ``lab-heal NAME`` (drop all packets of the
client whose mount point has that last name, and stop dropping them) and ``lab-restart-server
SECONDS``, the tests use them. The FUSE pair needs bindfs, fuse3 and /dev/fuse.
"""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package

from lab_mounts import FUSE_NEGATIVE_S, Pair

from ingestkit_excel.clock import SystemClock


@pytest.fixture(scope="session")
def mounts_given() -> tuple[Path, Path]:
    """Give the two mounts that the environment names."""
    text = os.environ.get("SPOOL_MOUNTS", "")
    if not text:
        pytest.skip("no mounts are given: SPOOL_MOUNTS=/mnt/c1:/mnt/c2 names two of one directory")
    first, second = map(Path, text.split(":"))
    return first, second


@pytest.fixture(scope="session")
def mounts_by_fuse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Give two FUSE mounts of one directory, each with caches of its own."""
    lacking = [tool for tool in ("bindfs", "fusermount3") if shutil.which(tool) is None]
    lacking += [] if os.access("/dev/fuse", os.W_OK) else ["a writable /dev/fuse"]
    if lacking:
        reason = f"a pair of FUSE mounts needs {' and '.join(lacking)}"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(f"{reason} (Debian: apt-get install bindfs fuse3)")
    base = tmp_path_factory.mktemp("fuse")
    options = f"negative_timeout={FUSE_NEGATIVE_S},entry_timeout=2,attr_timeout=2"
    command = ["bindfs", "--no-allow-other", "--multithreaded", "--enable-lock-forwarding"]
    (base / "backing").mkdir()
    with ExitStack() as mounted:
        for name in ("c1", "c2"):
            (base / name).mkdir()
            run = [*command, "-o", options, str(base / "backing"), str(base / name)]
            subprocess.run(run, check=True, timeout=60)
            unmount = ["fusermount3", "-u", "-z", str(base / name)]
            mounted.callback(subprocess.run, unmount, check=True, timeout=60)
        yield base / "c1", base / "c2"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every pair there is; that none is given is told once, by its own test."""
    if "pair" in metafunc.fixturenames:
        given = ["given"] if os.environ.get("SPOOL_MOUNTS") else []
        metafunc.parametrize("pair", [*given, "fuse"], indirect=True)


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Give an empty directory on each pair of mounts, shared by both."""
    is_fuse = request.param == "fuse"
    first, second = request.getfixturevalue("mounts_by_fuse" if is_fuse else "mounts_given")
    name = f"lab-{uuid.uuid4().hex}"
    (first / name).mkdir()
    given = Pair(first / name, second / name, FUSE_NEGATIVE_S if is_fuse else 0.0, SystemClock())
    given.wait_until(lambda: name in os.listdir(second), 10.0, "the directory on both mounts")
    yield given
    shutil.rmtree(first / name, ignore_errors=True)


@pytest.fixture
def run_lab() -> Callable[..., None]:
    """Give the function that runs a command of the lab."""

    def run(command: str, *words: str) -> None:
        if shutil.which(command) is None:
            pytest.skip(f"this machine has no command {command}")
        subprocess.run([command, *words], check=True, timeout=300)

    return run
