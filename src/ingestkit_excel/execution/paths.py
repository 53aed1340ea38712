"""Workbooks named so that every host finds them: the name of a root, and a path below it.

Each host maps root names to its own mounts. The root ``share`` is the directory that holds the
spool, unless it is mapped elsewhere. `Roots.resolve` treats its arguments as hostile: what it
gives lies inside the root after symbolic links are followed.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError

__all__ = ["DEFAULT_ROOT", "Roots", "look_at"]

DEFAULT_ROOT = "share"
_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
_UNRESOLVABLE = (RuntimeError, ValueError)
"""A loop of symbolic links before Python 3.13; a name the system cannot have."""


class Roots:
    """The roots of this host.

    Raises:
        ConfigurationError: A root is not an existing directory.
    """

    def __init__(self, roots: Mapping[str, str | os.PathLike[str]]) -> None:
        self._roots = {name: _real_directory(name, Path(path)) for name, path in roots.items()}

    @classmethod
    def for_spool(
        cls,
        spool_directory: str | os.PathLike[str],
        roots: Mapping[str, str | os.PathLike[str]] | None = None,
    ) -> "Roots":
        """Give the roots for a spool: ``share`` is its parent directory unless given."""
        return cls({DEFAULT_ROOT: Path(spool_directory).resolve().parent, **(roots or {})})

    def locate(self, file_path: str | os.PathLike[str]) -> tuple[str, str]:
        """Give root and relative path of a workbook; the deepest root that holds it wins.

        Raises:
            ExecutionError: ``E_EXECUTION_SUBMIT``: it lies outside every root.
        """
        try:
            path = Path(file_path).resolve()
        except _UNRESOLVABLE as error:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_SUBMIT,
                f"cannot submit {str(file_path)!r}: {_describe(error)}; correct the path",
            ) from error
        holding = [
            (len(root.parts), name)
            for name, root in self._roots.items()
            if path.is_relative_to(root)
        ]
        if not holding:
            known = ", ".join(f"{name}={root}" for name, root in sorted(self._roots.items()))
            raise ExecutionError(
                ErrorCode.E_EXECUTION_SUBMIT,
                f"cannot submit {path}: it lies outside every root ({known}), so workers on other "
                "hosts cannot find it; move it below one of them, attach it, or map its directory "
                f"as a root here and at the workers, as in --root data={path.parent}",
            )
        name = max(holding)[1]
        return name, path.relative_to(self._roots[name]).as_posix()

    def is_absent(self, root: str) -> bool:
        """Whether the directory of a root is gone or empty, as where nothing is mounted."""
        try:
            with os.scandir(self._roots[root]) as entries:
                return next(entries, None) is None
        except PermissionError:
            return False  # it may be one that can be passed through but not listed
        except OSError:
            return True

    def resolve(self, root: str, rel: str) -> Path:
        """Give the path of a workbook on this host; the file need not exist.

        Raises:
            ConfigurationError: This host has no such root.
            ExecutionError: ``E_EXECUTION_REJECTED``: the path would leave the root.
        """
        base = self._roots.get(root)
        if base is None:
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot find the root {root!r}: this host maps {sorted(self._roots)}; "
                f"start the worker with --root {root}=PATH",
            )
        pure = PurePosixPath(rel)
        if pure.is_absolute() or ".." in pure.parts or "\\" in rel or "\0" in rel or not pure.parts:
            raise _rejected(root, "it is not a plain path below its root")
        try:
            path = (base / pure).resolve()
        except _UNRESOLVABLE as error:
            raise _rejected(root, _describe(error)) from error
        if not path.is_relative_to(base):
            raise _rejected(root, "a symbolic link leads out of its root")
        return path


def look_at(path: Path) -> os.stat_result:
    """Ask the server what a file is like now; a bare ``stat`` may be a minute old on NFS.

    Raises:
        OSError: It cannot be opened.
    """
    # Opening the directory makes NFS forget that the name was once missing. A directory that
    # may be passed through but not read is no obstacle.
    with contextlib.suppress(OSError):
        os.close(os.open(path.parent, os.O_RDONLY | _CLOSE_ON_EXEC))
    # A pipe in the place of a workbook must not be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _CLOSE_ON_EXEC)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _real_directory(name: str, path: Path) -> Path:
    real = path.resolve()
    if not name or not real.is_dir():
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot use the root {name}={path}: it is no directory; mount it or correct the path",
        )
    return real


def _describe(error: RuntimeError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "no file can have such a name"
    return "its symbolic links run in a circle"


def _rejected(root: str, cause: str) -> ExecutionError:
    return ExecutionError(
        ErrorCode.E_EXECUTION_REJECTED,
        f"cannot open the job's workbook in root {root!r}: {cause}; submit it by a path inside",
    )
