"""What a caller is told when the disk fails: one code and one piece of advice for each kind."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingestkit_excel.errors import ErrorCode, SpoolError
from ingestkit_excel.spool.fs import Denied, FileSystemError, NoSpace, NotRegular, ReadOnly
from ingestkit_excel.spool.home import Foreign, Gone

__all__ = ["spool_failure", "translated"]

_ADVICE: Final[dict[type[FileSystemError], tuple[ErrorCode, str]]] = {
    NoSpace: (ErrorCode.E_SPOOL_FULL, "free space or raise the quota, then try again"),
    Denied: (
        ErrorCode.E_SPOOL_PERMISSION,
        "give this account read and write access to the directory, for instance by its group",
    ),
    ReadOnly: (ErrorCode.E_SPOOL_READ_ONLY, "mount the share writable"),
    Gone: (ErrorCode.E_SPOOL_NOT_FOUND, "mount the share again; what waits for it then goes on"),
    Foreign: (
        ErrorCode.E_SPOOL_INVALID,
        "mount the share of that spool again, or start anew to use what is there now",
    ),
    NotRegular: (
        ErrorCode.E_SPOOL_INVALID,
        "something else is where the spool has a directory or plain file; move it or correct the "
        "path",
    ),
}
_OTHER: Final = (
    ErrorCode.E_SPOOL_UNREACHABLE,
    "check that the share is mounted and its server answers, then try again",
)


def spool_failure(verb: str, directory: Path, error: FileSystemError) -> SpoolError:
    """Give the error a caller sees for one of the disk.

    Its fact ``cause`` is the message without its beginning, for callers with one of their own;
    ``kind`` is the name of the disk's error.
    """
    code, advice = _ADVICE.get(type(error), _OTHER)
    cause = f"{_describe(error)}; {advice}"
    return SpoolError(
        code,
        f"cannot {verb} {directory}: {cause}",
        directory=str(directory),
        cause=cause,
        kind=type(error).__name__,
    )


def _describe(error: FileSystemError) -> str:
    cause = error.cause or type(error).__name__
    return cause if error.path in ("", ".") else f"{error.path}: {cause}"


@contextlib.contextmanager
def translated(verb: str, directory: Path) -> Iterator[None]:
    """Turn errors of the disk into `SpoolError`."""
    try:
        yield
    except FileSystemError as error:
        raise spool_failure(verb, directory, error) from error
