"""The wheel: what is in it, what comes with it, and what importing it loads."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.package, pytest.mark.slow, pytest.mark.timeout(600)]

_ROOT = Path(__file__).resolve().parents[1]
_DISTRIBUTIONS_MAX = 14  # a host that only runs a worker should have little to update
_OPTIONAL = ("typer", "rich", "python_calamine", "watchdog", "yaml")
_IMPORTED = (
    "import sys, ingestkit_excel, spool_worker; "
    f"print(*sorted(set({_OPTIONAL!r}) & set(sys.modules)))"
)


def _run(*command: str | Path) -> str:
    ended = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, _ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", wheel)
    return python


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    """Tests, scripts and docs stay in the source."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "ingestkit_excel",
        "spool_worker",
    }
    assert "ingestkit_excel/py.typed" in names


def test_few_distributions_come_along(python: Path) -> None:
    """Counted without pip, which every environment has."""
    listed = _run(python, "-m", "pip", "list", "--format=freeze").split()
    others = [line for line in listed if not line.startswith(("pip==", "setuptools=="))]
    assert len(others) <= _DISTRIBUTIONS_MAX, others


def test_importing_loads_no_optional_package(python: Path) -> None:
    """Extras are imported where they are used and the watcher only where it watches."""
    assert _run(python, "-c", _IMPORTED).strip() == ""


def test_both_commands_are_installed(python: Path) -> None:
    """The daemon needs no extra; the other one names the extra it needs."""
    assert "--spool" in _run(python.parent / "spool-worker", "--help")
    ended = subprocess.run(
        [str(python.parent / "ingestkit-excel")], capture_output=True, text=True, check=False
    )
    assert "ingestkit-excel[cli]" in ended.stderr
