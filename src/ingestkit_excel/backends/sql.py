"""Tables in SQLite: quoting, column types, filling in one stream, read-only queries, errors.

Values are always bound; only identifiers enter a statement's text, and those are quoted.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any, Final

from ingestkit_excel.backends.search import QueryResult
from ingestkit_excel.errors import BackendError, ErrorCode, ProcessingError
from ingestkit_excel.models import ColumnType, TableColumn, TableData, TableValue

__all__ = [
    "RESERVED_PREFIX",
    "backend_errors",
    "check_table",
    "clean_text",
    "disk_errors",
    "fill_table",
    "quote_identifier",
    "run_query",
    "storable",
]

RESERVED_PREFIX: Final = "ingestkit_"
_COLUMNS_MAX: Final = 2000  # SQLITE_MAX_COLUMN as shipped
_INTEGER_MAX: Final = 2**63 - 1
_LATE: Final = {
    5: "another process writes; try again",  # SQLITE_BUSY
    6: "another thread writes; try again",  # SQLITE_LOCKED
    9: "it took too many steps; ask for less",  # SQLITE_INTERRUPT
}
_QUERY_TICK_STEPS: Final = 1_000_000  # between two looks at the count; some ten milliseconds
_QUERY_TICKS_MAX: Final = 2_000  # about half a minute, then a query is taken for a runaway

# Dates are ISO text. A declared type DATE would have numeric affinity (SQLite datatype3, 3.1)
# and turn the text "2024" into a number, so these columns are declared as text.
_DECLARED: Final = {
    ColumnType.TEXT: "TEXT",
    ColumnType.INTEGER: "INTEGER",
    ColumnType.REAL: "REAL",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.DATE: "TEXT",
    ColumnType.DATETIME: "TEXT",
    ColumnType.TIME: "TEXT",
}


@contextmanager
def backend_errors(action: str, *, family: str = "DB") -> Iterator[None]:
    """Turn errors of SQLite into `BackendError`.

    Args:
        action: Verb and thing for the message, such as ``write table x``.
        family: ``DB`` or ``VECTOR``.
    """
    try:
        yield
    except sqlite3.Error as error:
        late = _LATE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        kind = "CONNECT" if late is None else "TIMEOUT"
        raise BackendError(
            f"E_BACKEND_{family}_{kind}",
            f"cannot {action}: {error}; {late or 'check the statement, the file and its disk'}",
        ) from error


@contextmanager
def disk_errors(action: str) -> Iterator[None]:
    """Turn errors of the disk into `BackendError`."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise BackendError(
            ErrorCode.E_BACKEND_DB_CONNECT, f"cannot {action}: {cause}; check the disk"
        ) from error


def quote_identifier(name: str) -> str:
    """Give ``name`` as an SQL identifier, whatever it holds."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def check_table(table_name: str, columns: list[TableColumn]) -> None:
    """Refuse what SQLite cannot hold, before anything is changed.

    Raises:
        ProcessingError: The name is reserved or unusable, or the columns are too many, none, or
            not unique.
    """
    lowered = table_name.lower()
    if not lowered or lowered.startswith((RESERVED_PREFIX, "sqlite_")):
        raise _refused(table_name, "the name is reserved; choose another")
    if not 0 < len(columns) <= _COLUMNS_MAX:
        raise _refused(table_name, f"{len(columns)} columns; the limit is {_COLUMNS_MAX}")
    names = [column.name for column in columns]
    if any("\0" in name for name in [table_name, *names]):
        raise _refused(table_name, "a name holds a NUL character; clean the names")
    # SQLite folds the case of ASCII letters only, which is what bytes.lower does.
    if len({name.encode("utf-8", "surrogatepass").lower() for name in names}) < len(names):
        raise _refused(table_name, "two columns share a name; make the names unique")


def _refused(table_name: str, cause: str) -> ProcessingError:
    return ProcessingError(
        ErrorCode.E_PROCESS_SCHEMA_GEN,
        f"cannot create table {table_name!r}: {cause}",
        table_name=table_name,
    )


def clean_text(text: str) -> str:
    """Replace lone surrogates, which neither UTF-8 nor SQLite can hold."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def storable(value: TableValue) -> TableValue:
    """Give the value SQLite can hold: integers beyond 64 bits become floats."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not -_INTEGER_MAX <= value <= _INTEGER_MAX:
        return float(value)
    return value


def fill_table(connection: sqlite3.Connection, table_name: str, table: TableData) -> int:
    """Create the table in place of one of that name and insert its rows; give their count.

    Rows are inserted as they are read and never collected. The caller owns the transaction.
    """
    check_table(table_name, list(table.columns))
    name = quote_identifier(clean_text(table_name))
    columns = ", ".join(
        f"{quote_identifier(clean_text(column.name))} {_DECLARED[column.type]}"
        for column in table.columns
    )
    places = ", ".join("?" * len(table.columns))
    connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute(f"CREATE TABLE {name} ({columns})")
    cursor = connection.executemany(
        f"INSERT INTO {name} VALUES ({places})",
        (tuple(map(storable, row)) for row in table.read_rows()),
    )
    return max(0, cursor.rowcount)


def run_query(
    connection: sqlite3.Connection, sql: str, *, rows_max: int, ticks_max: int = _QUERY_TICKS_MAX
) -> QueryResult:
    """Run one statement that only reads, within a bound of steps.

    Raises:
        BackendError: The statement is wrong, or would do anything but read.
    """
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_only_reading)
    ticks = count(1)
    connection.set_progress_handler(lambda: next(ticks) > ticks_max, _QUERY_TICK_STEPS)
    with backend_errors("run the query"), closing(connection.cursor()) as cursor:
        try:
            cursor.execute(sql)
        except (sqlite3.Warning, ValueError) as error:
            raise BackendError(
                ErrorCode.E_BACKEND_DB_CONNECT, f"cannot run the query: {error}; give one SELECT"
            ) from error
        rows: list[tuple[Any, ...]] = cursor.fetchmany(rows_max + 1)
        columns = tuple(item[0] for item in cursor.description or ())
    return QueryResult(columns, rows[:rows_max], truncated=len(rows) > rows_max)


def _only_reading(
    action: int, first: str | None, second: str | None, _db: str | None, _origin: str | None
) -> int:
    # ATTACH would read other files of this host, so reading is a list of what is allowed.
    # FTS5 asks for data_version by itself.
    if action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second != "load_extension":
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in {"data_version", "table_info"}:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
