"""What commands print: tables and progress on a terminal, plain lines and JSON elsewhere.

Facts go to standard output, progress and advice to standard error, so that a pipe holds facts
only. Imports rich, hence only imported by commands.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

__all__ = ["Advance", "advise", "print_json", "print_table", "printable", "progress"]


class Advance(Protocol):
    """Told once for each workbook that has ended."""

    def __call__(self, line: str) -> None:
        """Count one more, described by ``line``."""
        ...


def printable(text: str) -> str:
    """Replace what could steer a terminal; names of files and sheets come from strangers."""
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text)


def advise(text: str) -> None:
    """Print one line of advice to standard error."""
    print(printable(text), file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """Print ``value`` as one JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under their titles."""
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=None, pad_edge=False)
        for title in titles:
            # Folded, not cut: a name that is cut can be neither read nor copied.
            table.add_column(title, overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in (titles, *cells):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


class _Rate(ProgressColumn):
    """Workbooks per second so far."""

    max_refresh = 0.5  # seconds; a number that changes faster cannot be read

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


@contextmanager
def progress(total: int) -> Iterator[Advance]:
    """Show how far ``total`` workbooks are: a bar on a terminal, else one line for each."""
    if not sys.stderr.isatty():
        yield _PlainLines(total)
        return
    columns = (
        TextColumn("ingesting"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(line: str) -> None:
            bar.update(task, advance=1, description=printable(line))

        yield advance


class _PlainLines:
    def __init__(self, total: int) -> None:
        self._total = total
        self._count = 0

    def __call__(self, line: str) -> None:
        self._count += 1
        advise(f"[{self._count}/{self._total}] {line}")
