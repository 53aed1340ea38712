"""The settings file: what makes a directory a spool, and whether it is still the one opened.

Owns: spool.json. Promises: nobody takes an empty mount point, or another share that was mounted
in its place, for the spool that was opened.
"""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ingestkit_excel.errors import ErrorCode, SpoolError
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.fs import FileSystem, FileSystemError, Missing, TooLarge
from ingestkit_excel.spool.ids import new_nonce
from ingestkit_excel.spool.records import RecordError, load_strict
from ingestkit_excel.spool.settings import SpoolContext, SpoolSettings

__all__ = ["Foreign", "Gone", "check_home", "encode_settings", "open_settings"]

_BYTES_MAX: Final = 64 * 1024


class Gone(FileSystemError):
    """There is no spool in the directory any more."""


class Foreign(FileSystemError):
    """Another spool is in the directory now."""


def encode_settings(settings: SpoolSettings) -> bytes:
    """Give the bytes of the settings file of a new spool, which get an id nobody else has."""
    values = {"format": layout.FORMAT, "spool_id": new_nonce(), **settings.model_dump()}
    return json.dumps(values, indent=1).encode() + b"\n"


def open_settings(fs: FileSystem, directory: Path) -> tuple[SpoolSettings, str]:
    """Read the settings and the id of the spool in a directory.

    Raises:
        SpoolError: It holds no spool, or none that this version can use.
        FileSystemError: It cannot be read.
    """
    try:
        values = _read(fs)
        if values["format"] > layout.FORMAT:
            raise _unusable(
                ErrorCode.E_SPOOL_NEWER_FORMAT,
                directory,
                f"its format {values['format']} is newer than {layout.FORMAT}; install a newer "
                "version of this package",
            )
        spool_id = str(values.pop("spool_id", ""))
        del values["format"]
        return SpoolSettings.model_validate(values), spool_id
    except Missing as error:
        raise _unusable(
            ErrorCode.E_SPOOL_NOT_FOUND,
            directory,
            f"it holds no {layout.SETTINGS_FILE}; mount the share, correct the path or create the "
            "spool there",
        ) from error
    except (RecordError, ValidationError) as error:
        raise _unusable(
            ErrorCode.E_SPOOL_INVALID,
            directory,
            f"{layout.SETTINGS_FILE} is not valid ({error}); restore it or create a new spool "
            "elsewhere",
        ) from error


def check_home(context: SpoolContext) -> None:
    """See that the spool is the one that was opened.

    Raises:
        Gone: There is none.
        Foreign: It is another one.
        FileSystemError: It cannot be told now.
    """
    try:
        values = _read(context.fs)
    except Missing as error:
        raise Gone("", f"it holds no {layout.SETTINGS_FILE} any more") from error
    except RecordError as error:
        raise Foreign(layout.SETTINGS_FILE, str(error)) from error
    if values["format"] > layout.FORMAT or str(values.get("spool_id", "")) != context.spool_id:
        raise Foreign(layout.SETTINGS_FILE, "it is not of the spool that was opened")


def _read(fs: FileSystem) -> dict[str, Any]:
    try:
        values = load_strict(fs.read(layout.SETTINGS_FILE, max_bytes=_BYTES_MAX))
    except TooLarge as error:
        raise RecordError(str(error)) from error
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise RecordError("it states no format")
    return values


def _unusable(code: ErrorCode, directory: Path, cause: str) -> SpoolError:
    return SpoolError(
        code,
        f"cannot use the spool {directory}: {cause}",
        directory=str(directory),
        cause=cause,
    )
