"""Names of tables and columns: deterministic, unique, and legal in every SQL dialect."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from ingestkit_excel.workbook import column_letters

__all__ = ["column_names", "snake_case", "table_name"]

_NAME_CHARS_MAX: Final = 63  # the shortest limit of the common databases, PostgreSQL's
_PART_CHARS_MAX: Final = 20  # two parts, a region id and a hash stay below the limit
_HASH_CHARS: Final = 8


def snake_case(text: str) -> str:
    """Reduce a text to ``[a-z0-9_]``; may be empty, may start with a digit."""
    whole = text.replace("ß", "ss")  # has no decomposition, and dropping it mangles German
    folded = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode()
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", folded)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def column_names(headers: Sequence[str], first_column: int, *, clean: bool) -> list[str]:
    """Give each header a name that is unique regardless of case.

    A column without a header is called after its letter, such as ``column_c``.
    """
    taken: set[str] = set()
    names = []
    for column, header in enumerate(headers, first_column):
        name = _unique(_column_name(header, column, clean=clean), taken)
        taken.add(name.casefold())
        names.append(name)
    return names


def table_name(workbook: str, sheet: str, *, region_id: str, ingest_key: str) -> str:
    """Name a table after its workbook, sheet and region, with a hash of their exact names.

    Sheets whose names differ only in punctuation still get different tables.
    """
    source = "|".join((ingest_key, sheet, region_id)).encode("utf-8", "surrogatepass")
    parts = [snake_case(part)[:_PART_CHARS_MAX].strip("_") for part in (workbook, sheet)]
    parts += [snake_case(region_id), hashlib.sha256(source).hexdigest()[:_HASH_CHARS]]
    return _leading_letter("_".join(part for part in parts if part))[:_NAME_CHARS_MAX]


def _column_name(header: str, column: int, *, clean: bool) -> str:
    name = snake_case(header) if clean else " ".join(header.split())
    if not name:
        return f"column_{column_letters(column).lower()}"
    return _leading_letter(name)[:_NAME_CHARS_MAX] if clean else name[:_NAME_CHARS_MAX]


def _leading_letter(name: str) -> str:
    return f"_{name}" if name[:1].isdigit() else name


def _unique(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate.casefold() in taken:  # ends: at most one step for each name taken
        count += 1
        suffix = f"_{count}"
        candidate = name[: _NAME_CHARS_MAX - len(suffix)] + suffix
    return candidate
