"""From the paths a person types to the workbooks meant by them."""

import os
from collections.abc import Iterable
from pathlib import Path

from ingestkit_excel.errors import ConfigurationError, ErrorCode

__all__ = ["WORKBOOK_SUFFIXES", "find_workbooks"]

WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods"})


def find_workbooks(paths: Iterable[Path]) -> list[Path]:
    """Give the workbooks among ``paths``, each once; folders are searched to their leaves.

    A file that is named is taken whatever its suffix. Inside folders only workbook suffixes
    count, and the ``~$`` lock files that Excel leaves beside an open workbook do not.

    Raises:
        ConfigurationError: A path does not exist, or no workbook is there at all.
    """
    given = list(paths)
    found: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            found.update(dict.fromkeys(_workbooks_below(path)))
        elif path.exists():
            found[path] = None
        else:
            raise ConfigurationError(
                ErrorCode.E_SOURCE_NOT_FOUND,
                f"cannot read {path}: there is no such file or folder; check the path",
            )
    if not found:
        raise ConfigurationError(
            ErrorCode.E_SOURCE_NOT_FOUND,
            f"cannot find a workbook in {', '.join(map(str, given))}: no file there ends in "
            f"{', '.join(sorted(WORKBOOK_SUFFIXES))}; name the file itself to read it anyway",
        )
    return list(found)


def _workbooks_below(folder: Path) -> list[Path]:
    return sorted(
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.startswith("~$") and Path(name).suffix.lower() in WORKBOOK_SUFFIXES
    )
