"""A small disk of the run's own, to be filled without harm to anybody."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["mount_small_disk", "run_in_namespace", "unmount_small_disk", "why_no_small_disk"]

_NAMESPACE: Final = ("unshare", "--user", "--map-root-user", "--mount")
_TRIED_MIB: Final = 1


def why_no_small_disk(directory: Path) -> str | None:
    """Say why this system lets us mount none; ``None`` when it does."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "there is no unshare(1) or no mount(8) here"
    tried = subprocess.run(
        [*_NAMESPACE, *_mount(directory, _TRIED_MIB)], capture_output=True, text=True, check=False
    )
    return None if tried.returncode == 0 else f"no tmpfs can be mounted: {tried.stderr.strip()}"


def run_in_namespace(arguments: Sequence[str]) -> None:
    """Become the same program with other arguments, where mounts are its own; does not return."""
    command = [*_NAMESPACE, sys.executable, "-m", "ingestkit_excel.testing.torture", *arguments]
    os.execvp(command[0], command)


def mount_small_disk(directory: Path, *, mib: int) -> None:
    """Mount a disk in memory that vanishes with the last process that sees it."""
    subprocess.run(_mount(directory, mib), check=True)


def _mount(directory: Path, mib: int) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tmpfs", str(directory)]


def unmount_small_disk(directory: Path) -> None:
    """Let the disk go, so that the directory can be removed."""
    subprocess.run(["umount", str(directory)], check=True)
