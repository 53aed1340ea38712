"""Names of columns and tables."""

import re

from ingestkit_excel.processors.naming import column_names, table_name


def test_column_names_are_legal_and_unique() -> None:
    """Punctuation, case, accents, digits, length and repeats all give a legal name."""
    headers = ["Größe (m²)", "2024", "Name", "name ", "", "Qty.", "x" * 99, "x" * 98, "数量"]
    names = column_names(headers, 1, clean=True)
    assert names[:6] == ["grosse_m2", "_2024", "name", "name_2", "column_e", "qty"]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) for name in names)


def test_headers_are_kept_as_names_on_request() -> None:
    """Only whitespace is tidied, and repeats are told apart regardless of case."""
    names = column_names(["Net\nprice", "net price", ""], 3, clean=False)
    assert names == ["Net price", "net price_2", "column_e"]


def test_sheets_with_names_alike_get_different_tables() -> None:
    """The hash tells apart what the cleaned names do not."""
    names = {
        table_name("9 Plants & more", sheet, region_id="r1", ingest_key="k")
        for sheet in ("A-B", "A B", "A_B")
    }
    assert len(names) == 3
    assert all(re.fullmatch(r"_9_plants_more_a_b_r1_[0-9a-f]{8}", name) for name in names)
