"""What commands print: tables and progress on a terminal, plain lines and JSON elsewhere.

Facts go to standard output, progress and advice to standard error, so that a pipe holds facts
only. Imports rich, hence only imported by commands.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from ingestkit_excel.clock import SystemClock

__all__ = [
    "Progress",
    "advise",
    "counted",
    "counting",
    "print_job",
    "print_json",
    "print_table",
    "printable",
    "progress",
]


_LINE_INTERVAL_S = 5.0  # often enough to see that it goes on


class Progress(Protocol):
    """Told of each workbook that has ended."""

    def advance(self, words: str, path: str) -> None:
        """Count one more: ``words`` say how it ended."""
        ...

    def note(self, text: str) -> None:
        """Say something in between that does not count."""
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


def counted(number: int, noun: str) -> str:
    """Give ``1 table`` or ``2 tables``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_job(job_id: str, path: str) -> None:
    """Print a job at once, so that its id is not lost with this process."""
    print(f"{job_id}  {printable(path)}", flush=True)


def print_table(
    titles: Sequence[str], rows: Sequence[Sequence[Any]], *, is_wide: bool = False
) -> None:
    """Print rows under their titles; ``is_wide`` ones may run over the edge of the terminal.

    That suits a last column of paths: cut into pieces by a table they cannot be copied.
    """
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty() and not is_wide:
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
def progress(total: int, *, verb: str = "ingesting") -> Iterator[Progress]:
    """Show how far ``total`` workbooks are: a bar on a terminal, else one line for each."""
    if not sys.stderr.isatty():
        yield _Lines(total)
        return
    columns = (
        TextColumn(verb),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        # The only column that gives way, else a long name would push the bar out of sight.
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        yield _TerminalBar(bar, total)


@contextmanager
def counting(verb: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many of how many are done; elsewhere a line every few seconds."""
    if sys.stderr.isatty():
        columns = (TextColumn(verb), BarColumn(bar_width=24), MofNCompleteColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    clock = SystemClock()
    told_at = clock.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if clock.monotonic() - told_at >= _LINE_INTERVAL_S:
            told_at = clock.monotonic()
            advise(f"{verb}: {done} of {total}")

    yield tell


class _TerminalBar:
    def __init__(self, bar: Bar, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total)

    def advance(self, words: str, path: str) -> None:
        """Move the bar; the name alone, as folders are what makes paths long."""
        self._bar.update(
            self._task, advance=1, description=printable(f"{words}  {PurePath(path).name}")
        )

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._bar.console.print(Text(printable(text)), soft_wrap=True)


class _Lines:
    def __init__(self, total: int) -> None:
        self._total = total
        self._count = 0

    def advance(self, words: str, path: str) -> None:
        """Print one line, numbered."""
        self._count += 1
        advise(f"[{self._count}/{self._total}] {words}  {path}")

    def note(self, text: str) -> None:
        """Print one line."""
        advise(text)
