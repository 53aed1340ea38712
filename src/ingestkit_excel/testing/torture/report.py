"""What a run gave, as text."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from ingestkit_excel.testing.history import Event
from ingestkit_excel.testing.torture.run import Run
from ingestkit_excel.testing.verdict import Flaw

__all__ = ["report_lines"]

_TOLD_MAX: Final = 10  # one defect shows in many jobs
_TRACED_MAX: Final = 3


def report_lines(run: Run) -> Iterator[str]:
    """Give figures, then violations with what happened to their jobs."""
    figures = run.verdict.figures
    yield f"time         {run.duration_s:.0f} s"
    yield f"faults       {_counts(figures.faults)}"
    yield (
        f"submissions  {figures.accepted} accepted, {figures.refused} refused, "
        f"{figures.unanswered} unanswered of which {figures.recovered} had happened"
    )
    yield f"jobs ended   {figures.ended} ({figures.ended / run.duration_s:.1f}/s)"
    yield (
        f"executions   {figures.executions} by bare workers, "
        f"{figures.overlaps} overlapping ({figures.overlap_rate:.2%}), "
        f"{figures.superseded} told in the end that the job was not theirs"
    )
    yield f"reads        {figures.reads}"
    yield f"left behind  {_counts(run.leftovers)}"
    flaws = Counter(violation.flaw for violation in run.verdict.violations)
    yield f"violations   {', '.join(f'{flaw} {flaws[flaw]}' for flaw in Flaw)}"
    yield from (f"crash: {crash}" for crash in run.crashes)
    for violation in run.verdict.violations[:_TOLD_MAX]:
        yield f"{violation.flaw}: {violation.job_id} {violation.text}"
    jobs = dict.fromkeys(violation.job_id for violation in run.verdict.violations)
    for job_id in list(jobs)[:_TRACED_MAX]:
        yield from _trace(run.events, job_id)


def _counts(counts: object) -> str:
    items = counts.items() if isinstance(counts, dict) else ()
    return ", ".join(f"{name} {count}" for name, count in sorted(items)) or "none"


def _trace(events: tuple[Event, ...], job_id: str) -> Iterator[str]:
    yield f"trace of {job_id}:"
    refs = {event.ref for event in events if event.ref and event.job_id == job_id}
    about = [e for e in events if e.job_id == job_id or (e.ref and e.ref in refs)]
    for event in sorted(about, key=lambda event: event.ended_s):
        facts = f"n{event.attempt} {event.worker_id} {event.run_id} {event.digest} {event.note}"
        span = f"{event.began_s:.6f} to {event.ended_s:.6f}"
        yield f"  {span} {event.process:16} {event.kind} {event.phase} {' '.join(facts.split())}"
