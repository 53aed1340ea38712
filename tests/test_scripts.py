"""The scripts on machines that lack something, from any folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
_NEEDED = ("bash", "cat", "cksum", "cut", "dirname", "grep", "head", "readlink")


def _executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _fake_python(path: Path, calls: Path) -> None:
    # Makes environments that answer every call, and notes what it was asked for.
    makes = 'case "$*" in *"-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; esac'
    _executable(path, f'{makes}; echo "$*" >>"{calls}"')


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a blank in its path that holds the scripts alone."""
    folder = tmp_path / "a checkout"
    shutil.copytree(_SCRIPTS, folder / "scripts")
    (folder / "pyproject.toml").touch()
    return folder


@pytest.fixture
def old_machine(tmp_path: Path) -> Path:
    """A folder of programs where Python is too old."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in _NEEDED:
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    old = 'if [ "$1" = --version ]; then echo "Python 3.8.10"; else exit 1; fi'
    _executable(programs / "python3", old)
    return programs


@pytest.mark.parametrize("script", ["quickstart", "test", "check"])
def test_a_python_that_is_too_old_is_named(
    script: str, checkout: Path, old_machine: Path, tmp_path: Path
) -> None:
    """And nothing is made."""
    ended = subprocess.run(
        [checkout / "scripts" / script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(old_machine)},
    )
    assert ended.returncode == 1
    assert "Python 3.11 or newer is needed" in ended.stderr
    assert "python3 is Python 3.8.10" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_a_script_is_found_through_a_link(checkout: Path, old_machine: Path) -> None:
    """People keep links in a folder of their own programs."""
    link = old_machine / "try-it"
    link.symlink_to(checkout / "scripts" / "quickstart")
    ended = subprocess.run(
        [link], capture_output=True, text=True, check=False, env={"PATH": str(old_machine)}
    )
    assert "Python 3.11 or newer is needed" in ended.stderr


def test_an_environment_of_another_place_is_made_anew(checkout: Path, tmp_path: Path) -> None:
    """The programs in a copied one would run the code of the original."""
    programs = tmp_path / "programs"
    programs.mkdir()
    _fake_python(programs / "python3", tmp_path / "calls")
    source = '. scripts/_venv.sh; ensure_venv "$root/.venv" {} >/dev/null'
    env = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHON": "python3"}

    def calls(folder: Path, extras: str) -> list[str]:
        (tmp_path / "calls").write_text("")
        command = ["bash", "-ec", source.format(extras)]
        subprocess.run(command, cwd=folder, check=True, env=env)
        lines = (tmp_path / "calls").read_text().splitlines()
        return [word for line in lines for word in ("venv", "pip") if f"-m {word}" in line]

    assert calls(checkout, "cli") == ["venv", "pip"]
    assert calls(checkout, "cli") == []
    assert calls(checkout, "all") == ["pip"]
    assert calls(checkout, "cli,fast") == []
    moved = checkout.rename(tmp_path / "moved")
    assert calls(moved, "cli") == ["venv", "pip"]


@pytest.mark.skipif(shutil.which("flock") is None, reason="this system has no flock")
def test_two_scripts_at_once_prepare_one_environment(checkout: Path, tmp_path: Path) -> None:
    """The second waits for the first and finds all there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    _fake_python(programs / "python3", tmp_path / "calls")
    command = ["bash", "-ec", '. scripts/_venv.sh; ensure_venv "$root/.venv" cli >/dev/null']
    env = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHON": "python3"}
    both = [subprocess.Popen(command, cwd=checkout, env=env) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert (tmp_path / "calls").read_text().count("-m pip") == 1
