"""An exported table has its values under the right columns."""

from pathlib import Path

from ingestkit_excel.backends import BundleStore, SQLiteStore
from ingestkit_excel.backends.export import export_bundles
from ingestkit_excel.models import ColumnType, TableColumn, TableData


def test_export_keeps_values_under_their_columns(tmp_path: Path) -> None:
    """Columns whose names are not in alphabetical order keep their places and values."""
    columns = [
        TableColumn(name="zone", header="Zone", type=ColumnType.TEXT),
        TableColumn(name="age", header="Age", type=ColumnType.INTEGER),
    ]
    bundles = BundleStore(tmp_path / "bundles")
    with bundles.ingest_session("k" * 64, "file.xlsx"):
        bundles.create_table("people", TableData(columns, lambda: iter([("north", 41)])))
    target = SQLiteStore(tmp_path / "all.db")
    export_bundles(tmp_path / "bundles", target)
    assert list(target.get_table_schema("people")) == ["zone", "age"]
    assert target.query("SELECT zone, age FROM people").rows == [("north", 41)]
    target.close()
    bundles.close()
