"""What a caller is told when the disk fails: one code and one piece of advice for each kind."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingestkit_excel.errors import ErrorCode, SpoolError
from ingestkit_excel.spool.fs import Denied, FileSystemError, NoSpace, ReadOnly

__all__ = ["spool_failure", "translated"]

_ADVICE: Final[dict[type[FileSystemError], tuple[ErrorCode, str]]] = {
    NoSpace: (ErrorCode.E_SPOOL_FULL, "free space or raise the quota, then try again"),
    Denied: (
        ErrorCode.E_SPOOL_PERMISSION,
        "give this account read and write access to the directory, for instance by its group",
    ),
    ReadOnly: (ErrorCode.E_SPOOL_READ_ONLY, "mount the share writable"),
}
_OTHER: Final = (
    ErrorCode.E_SPOOL_UNREACHABLE,
    "check that the share is mounted and its server answers, then try again",
)


def spool_failure(verb: str, directory: Path, error: FileSystemError) -> SpoolError:
    """Give the error a caller sees for one of the disk."""
    code, advice = _ADVICE.get(type(error), _OTHER)
    kind = type(error).__name__
    return SpoolError(
        code, f"cannot {verb} {directory}: {kind}: {error}; {advice}", directory=str(directory)
    )


@contextlib.contextmanager
def translated(verb: str, directory: Path) -> Iterator[None]:
    """Turn errors of the disk into `SpoolError`."""
    try:
        yield
    except FileSystemError as error:
        raise spool_failure(verb, directory, error) from error
