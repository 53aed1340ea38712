"""One run: strike while jobs flow, let all come to rest, and hold the histories to account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from openpyxl import Workbook

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.spool import Spool, SpoolSettings
from ingestkit_excel.testing.history import Event
from ingestkit_excel.testing.torture.crew import Crew
from ingestkit_excel.testing.torture.nemesis import Ballast, Nemesis
from ingestkit_excel.testing.torture.plan import Plan, Role
from ingestkit_excel.testing.torture.recording import HistoryWriter
from ingestkit_excel.testing.torture.remains import (
    count_ended,
    find_waiting,
    leftovers,
    read_remains,
)
from ingestkit_excel.testing.torture.submitter import read_histories
from ingestkit_excel.testing.verdict import Verdict, check

__all__ = ["Run", "prepare", "run"]

_STEP_S: Final = 0.05
_REPORT_S: Final = 15.0
_STANDSTILL_S: Final = 90.0  # leases, retries and rounds of janitors take seconds
_QUIET_LOOKS: Final = 4  # one may miss a job on its way back
_WORKBOOKS: Final = 8
_ROWS: Final = 5


@dataclass(frozen=True, slots=True)
class Run:
    """What a run gave."""

    verdict: Verdict
    events: tuple[Event, ...]
    crashes: tuple[str, ...]
    leftovers: Mapping[str, int]
    duration_s: float


def prepare(plan: Plan) -> Plan:
    """Make the spool, the workbooks and the directories of a run."""
    for directory in (plan.histories, plan.logs, plan.workbooks):
        directory.mkdir(parents=True)
    for number in range(_WORKBOOKS):
        book = Workbook()
        sheet = book.worksheets[0]
        sheet.append(["item", "amount"])
        for row in range(_ROWS):
            sheet.append([f"part {row}", number + row])
        book.save(plan.workbooks / f"book{number}.xlsx")
    settings = SpoolSettings(
        lease_duration_s=plan.lease_s, retry_backoff_s=0.5, retry_backoff_max_s=2.0
    )
    Spool.create(plan.mount(0), settings)
    begun = replace(plan, began_s=SystemClock().monotonic())
    begun.save()
    return begun


def run(plan: Plan, ballast: Ballast | None, say: Callable[[str], None]) -> Run:
    """Do a prepared run; nothing it started is left when it returns."""
    clock = SystemClock()
    start_s = clock.monotonic()
    history = HistoryWriter(plan.histories / "nemesis.jsonl")
    crew = Crew(plan, history)
    nemesis = Nemesis(plan, crew, ballast)
    try:
        crew.start()
        _strike(plan, crew, nemesis, say)
        nemesis.rest()
        crew.dismiss(Role.SUBMITTER)
        _come_to_rest(plan, crew, say)
        crew.dismiss(Role.WAITER, Role.WORKER, Role.DAEMON)
    finally:
        nemesis.rest()
        crew.abandon()
    remains, torn = read_remains(plan.mount(0))
    events = (*read_histories(plan, "*"), *torn)
    return Run(
        check(events, remains),
        events,
        tuple(crew.crashes),
        leftovers(plan.mount(0)),
        clock.monotonic() - start_s,
    )


def _strike(plan: Plan, crew: Crew, nemesis: Nemesis, say: Callable[[str], None]) -> None:
    clock = SystemClock()
    start_s = said_s = clock.monotonic()
    while clock.monotonic() - start_s < plan.duration_s:
        now_s = clock.monotonic()
        nemesis.step(now_s)
        crew.tend()
        if now_s - said_s >= _REPORT_S:
            said_s = now_s
            say(f"{now_s - start_s:5.0f} s  {_state(plan.mount(0))}")
        clock.sleep(_STEP_S)


def _come_to_rest(plan: Plan, crew: Crew, say: Callable[[str], None]) -> None:
    """Wait until no job is seen to wait in several looks, or until nothing has moved for long."""
    clock = SystemClock()
    spool = plan.mount(0)
    before: dict[str, str] | None = None
    moved_s = said_s = clock.monotonic()
    quiet_looks = 0
    while quiet_looks < _QUIET_LOOKS:  # ended by the standstill, if not by the quiet
        waiting = find_waiting(spool)
        quiet_looks = 0 if waiting else quiet_looks + 1
        now_s = clock.monotonic()
        if waiting != before:
            before, moved_s = waiting, now_s
        if waiting and now_s - moved_s > _STANDSTILL_S:
            say(f"nothing moved for {_STANDSTILL_S:.0f} s, and {len(waiting)} jobs wait")
            return
        if now_s - said_s >= _REPORT_S:
            said_s = now_s
            say(f"         {_state(spool)}")
        crew.tend()
        clock.sleep(10 * _STEP_S)


def _state(spool: Path) -> str:
    return f"{count_ended(spool)} jobs ended, {len(find_waiting(spool))} wait"
