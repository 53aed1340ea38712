"""Tells whether a directory keeps the promises a spool needs; each probe gives a verdict.

What is probed is what `docs/spool-protocol.md` asks of a file system (P1 to P5), and what makes
a spool slow or awkward.
"""

from ingestkit_excel.doctor.examine import examine
from ingestkit_excel.doctor.findings import Finding, Report, Verdict

__all__ = ["Finding", "Report", "Verdict", "examine"]
