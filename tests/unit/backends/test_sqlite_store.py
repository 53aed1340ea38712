"""One SQLite file for one host: transactions, other processes, damage, foreign tables."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ingestkit_excel.backends import SQLiteStore
from ingestkit_excel.backends.sql import run_query
from ingestkit_excel.errors import BackendError, ConfigurationError, ErrorCode, ProcessingError
from ingestkit_excel.models import ColumnType, TableColumn, TableData, TableValue


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """Give a store in a new file."""
    opened = SQLiteStore(tmp_path / "s.db", mountinfo="")
    yield opened
    opened.close()


def _table(*rows: tuple[TableValue, ...], kind: ColumnType = ColumnType.TEXT) -> TableData:
    return TableData([TableColumn(name="v", header="V", type=kind)], lambda: iter(rows))


def _columns(count: int) -> TableData:
    columns = [TableColumn(name=f"c{i}", header="", type=ColumnType.TEXT) for i in range(count)]
    return TableData(columns, lambda: iter([("x",) * count]))


def test_the_file_is_in_wal_mode_and_kept(store: SQLiteStore, tmp_path: Path) -> None:
    """What was committed is there when the file is opened again."""
    with store.ingest_session("k", "a.xlsx"):
        store.create_table("t", _table(("x",)))
    assert store.query("PRAGMA table_info(t)").rows
    store.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    again = SQLiteStore(tmp_path / "s.db")
    assert again.sources() == {"a.xlsx": "k"}
    again.close()


def test_another_process_sees_nothing_of_an_open_session(
    store: SQLiteStore, tmp_path: Path
) -> None:
    """Readers go on with the older version and are not blocked."""
    reader = SQLiteStore(tmp_path / "s.db")
    with store.ingest_session("k1", "a.xlsx"):
        store.create_table("old", _table(("x",)))
    with store.ingest_session("k2", "a.xlsx"):
        store.create_table("new", _table(("x",)))
        assert reader.table_names() == ["old"]
    assert reader.table_names() == ["new"]
    reader.close()


def test_threads_wait_for_each_others_sessions(store: SQLiteStore) -> None:
    """Four threads write eight workbooks through one store."""

    def ingest(number: int) -> None:
        for part in range(2):
            with store.ingest_session("k", f"{number}-{part}"):
                store.create_table(f"t{number}_{part}", _table(("x",)))

    threads = [threading.Thread(target=ingest, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(store.table_names()) == len(store.sources()) == 8


def test_rows_that_fail_halfway_leave_the_table_as_it_was(store: SQLiteStore) -> None:
    """A reader that breaks while it is streamed changes nothing."""

    def broken() -> Iterator[tuple[TableValue, ...]]:
        yield ("new",)
        raise LookupError

    store.create_table("t", _table(("old",)))
    bad = TableData(_table().columns, broken)
    with pytest.raises(LookupError):
        store.create_table("t", bad)
    assert store.query("SELECT v FROM t").rows == [("old",)]


def test_rows_are_not_collected(store: SQLiteStore) -> None:
    """Rows are pulled one after the other while they are inserted."""
    alive: list[int] = []

    def rows() -> Iterator[tuple[TableValue, ...]]:
        for number in range(1000):
            alive.append(number)
            yield (number,)

    columns = _table(kind=ColumnType.INTEGER).columns
    store.create_table("t", TableData(columns, rows))
    assert store.query("SELECT COUNT(*), MAX(v) FROM t").rows == [(1000, 999)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.TEXT, "007"),
        (ColumnType.DATE, "2024"),
        (ColumnType.TIME, "12:00:00"),
        (ColumnType.DATETIME, "2024-01-01T00:00:00"),
        (ColumnType.REAL, 1.5),
        (ColumnType.INTEGER, -3),
        (ColumnType.TEXT, None),
    ],
)
def test_values_come_back_as_they_went_in(
    store: SQLiteStore, kind: ColumnType, value: TableValue
) -> None:
    """No column type turns text into numbers."""
    store.create_table("t", _table((value,), kind=kind))
    assert store.query("SELECT v FROM t").rows == [(value,)]
    assert store.get_table_schema("t") == {"v": kind.value}


@pytest.mark.parametrize("count", [0, 2001])
def test_tables_no_store_can_hold_are_refused(store: SQLiteStore, count: int) -> None:
    """Too many columns or none are an error that is not retried."""
    with pytest.raises(ProcessingError, match="columns"):
        store.create_table("t", _columns(count))


def test_a_table_may_have_as_many_columns_as_sqlite_allows(store: SQLiteStore) -> None:
    """The limit itself is fine."""
    store.create_table("t", _columns(2000))
    assert len(store.get_table_schema("t")) == 2000


def test_columns_that_differ_in_case_only_are_refused(store: SQLiteStore) -> None:
    """SQLite would take them for one; letters beyond ASCII it tells apart."""
    columns = [TableColumn(name=n, header=n, type=ColumnType.TEXT) for n in ("é", "É")]
    store.create_table("fine", TableData(columns, lambda: iter([("1", "2")])))
    columns = [TableColumn(name=n, header=n, type=ColumnType.TEXT) for n in ("Id", "ID")]
    with pytest.raises(ProcessingError, match="share a name"):
        store.create_table("t", TableData(columns, lambda: iter([])))


def test_tables_made_by_others_are_never_touched(store: SQLiteStore, tmp_path: Path) -> None:
    """A file may hold a user's own tables."""
    store.table_names()
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.commit()
    with pytest.raises(ProcessingError):
        store.create_table("MINE", _table(("x",)))
    store.drop_table("mine")
    assert store.table_exists("mine")


def test_a_file_that_is_no_database_is_a_coded_error(tmp_path: Path) -> None:
    """Every error of SQLite is a `BackendError`."""
    (tmp_path / "s.db").write_text("this is no database, only text that is long enough" * 50)
    with pytest.raises(BackendError) as caught:
        SQLiteStore(tmp_path / "s.db").table_names()
    assert caught.value.code is ErrorCode.E_BACKEND_DB_CONNECT


def test_a_writer_that_waits_too_long_is_told_so(store: SQLiteStore, tmp_path: Path) -> None:
    """A lock another process keeps is a timeout, which is worth a retry."""
    second = SQLiteStore(tmp_path / "s.db", busy_timeout_s=0)
    with ExitStack() as holder:
        holder.enter_context(store.ingest_session("k", "a.xlsx"))
        with pytest.raises(BackendError) as caught:
            second.drop_table("t")
    assert caught.value.code is ErrorCode.E_BACKEND_DB_TIMEOUT
    second.close()


def test_a_newer_format_is_refused(store: SQLiteStore, tmp_path: Path) -> None:
    """A file of a later release is left alone."""
    store.table_names()
    store.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        connection.execute("UPDATE ingestkit_info SET value = '99'")
        connection.commit()
    with pytest.raises(ConfigurationError, match="update ingestkit-excel"):
        store.table_names()


def test_sessions_do_not_nest(store: SQLiteStore) -> None:
    """A second session inside the first is a defect of the caller and changes nothing."""
    with store.ingest_session("k", "a.xlsx"):
        store.create_table("t", _table(("x",)))
        with pytest.raises(RuntimeError), store.ingest_session("k", "b.xlsx"):
            pass
    assert store.sources() == {"a.xlsx": "k"}
    assert store.table_names() == ["t"]


def test_a_query_that_never_ends_is_stopped() -> None:
    """A runaway is interrupted after a bound of steps."""
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT SUM(i) FROM n"
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(BackendError, match="too many steps"),
    ):
        run_query(connection, sql, rows_max=1, ticks_max=1)
