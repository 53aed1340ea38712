"""Decide of each sheet whether it is a table, a document or both.

Rules decide first; a sheet they leave open goes to a small model, then to a reasoning one. What
is still open after that fails the workbook or is split by region, as the policy says.
"""

from ingestkit_excel.classification.redaction import redact
from ingestkit_excel.classification.tiers import Classification, classify_workbook

__all__ = ["Classification", "classify_workbook", "redact"]
