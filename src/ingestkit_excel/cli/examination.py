"""The command that examines a directory on behalf of a spool."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ingestkit_excel.cli.exit_codes import ExitCode
from ingestkit_excel.cli.output import advise, print_json, printable
from ingestkit_excel.cli.places import spool_directory
from ingestkit_excel.doctor import Finding, Report, Verdict, examine

__all__ = ["examine_directory"]

_EXIT_CODES: Final = {
    Verdict.OK: ExitCode.OK,
    Verdict.DEGRADED: ExitCode.DEGRADED,
    Verdict.UNSAFE: ExitCode.UNSAFE,
}
_CONCLUSIONS: Final = {
    Verdict.OK: "a spool is safe there",
    Verdict.DEGRADED: "a spool is safe there, with the drawbacks above",
    Verdict.UNSAFE: "do not put a spool there before the above is changed",
}
_INDENT: Final = " " * 10  # the width of a verdict


def examine_directory(directory: str, peer: str | None, *, as_json: bool) -> ExitCode:
    """Print what the doctor finds and give the exit code of the worst verdict.

    Raises:
        ConfigurationError: A path is no directory, or the two are not the same one.
    """

    def tell(probe: str) -> None:
        if sys.stderr.isatty():
            advise(f"probing: {probe}")

    other = None if peer is None else Path(peer).absolute()
    report = examine(spool_directory(directory), other, on_probe=tell)
    if as_json:
        print_json(_as_json(report))
    else:
        _print_text(report)
    return _EXIT_CODES[report.verdict]


def _as_json(report: Report) -> dict[str, object]:
    facts = {"directory": report.directory, "peer": report.peer, "verdict": report.verdict}
    return {**facts, "findings": [asdict(finding) for finding in report.findings]}


def _print_text(report: Report) -> None:
    width = max(len(finding.probe) for finding in report.findings)
    for finding in report.findings:
        _print_finding(finding, width)
    print(f"{report.verdict}: {_CONCLUSIONS[report.verdict]}")


def _print_finding(finding: Finding, width: int) -> None:
    print(printable(f"{finding.verdict:10}{finding.probe:{width}}  {finding.found}"))
    if finding.follows:
        print(printable(f"{_INDENT}  {finding.follows}"))
    if finding.change:
        print(printable(f"{_INDENT}  -> {finding.change}"))
