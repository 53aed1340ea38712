"""Reading workbooks: from a path to typed cells, and from cells to counts."""

from ingestkit_excel.parsing.chain import parse_workbook
from ingestkit_excel.parsing.profile import profile_workbook

__all__ = ["parse_workbook", "profile_workbook"]
