"""The command: options, one run, a report and an exit code."""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingestkit_excel.testing.torture.disk import (
    mount_small_disk,
    run_in_namespace,
    unmount_small_disk,
    why_no_small_disk,
)
from ingestkit_excel.testing.torture.nemesis import Ballast, why_not_to_fill
from ingestkit_excel.testing.torture.plan import CREW, Plan
from ingestkit_excel.testing.torture.report import report_lines
from ingestkit_excel.testing.torture.run import Run, prepare, run

__all__ = ["main"]

_JOBS_PER_MINUTE: Final = 2100  # some are submitted twice, under one key
_DISK: Final = "disk"
_DISK_MIB: Final = 64  # of which the spool leaves 16 alone
_SUBMISSIONS_PER_MIB: Final = 50  # a job and its outcome take a page and an inode each


def main(arguments: Sequence[str] | None = None) -> int:
    """Torture a new spool; give 0 when every promise was kept, 1 when one was broken."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    scratch = Path(options.scratch or tempfile.mkdtemp(prefix="torture-"))
    disk = scratch / _DISK
    if options.scratch is not None:
        mount_small_disk(disk, mib=_DISK_MIB + _submissions(options) // _SUBMISSIONS_PER_MIB)
    elif not options.spool:
        disk.mkdir()
        reason = why_no_small_disk(disk)
        if reason is None:
            run_in_namespace([*given, "--scratch", str(scratch)])
        say(f"small disk   skipped: {reason}")
    is_right = _torture(options, scratch, options.spool or [disk])
    if options.scratch is not None:
        unmount_small_disk(disk)
    if is_right:
        shutil.rmtree(scratch)
    return int(not is_right)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torture",
        description="Submit, run and read jobs in many processes, kill, pause and cheat them, "
        "and check from what each was told that no promise of the spool was broken.",
    )
    add = parser.add_argument
    add("--minutes", type=float, default=5.0, metavar="M", help="how long faults go on; default 5")
    add(
        "--jobs",
        type=int,
        metavar="N",
        help=f"submissions; default: {_JOBS_PER_MINUTE} a minute",
    )
    add(
        "--spool",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="an existing directory to make the spool in; give the same one through several "
        "mounts to share the processes out among them; default: a small disk in memory",
    )
    add("--seed", type=int, metavar="S", help="of the dice; the scheduler of the system has others")
    add("--scratch", help=argparse.SUPPRESS)  # set where the small disk is about to be mounted
    return parser


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def _submissions(options: argparse.Namespace) -> int:
    return options.jobs or int(_JOBS_PER_MINUTE * options.minutes)


def _torture(options: argparse.Namespace, scratch: Path, spools: list[Path]) -> bool:
    seed = options.seed or secrets.randbelow(1_000_000)
    name = f"torture-{secrets.token_hex(4)}"
    plan = Plan(
        seed=seed,
        mounts=tuple(str(spool.absolute() / name) for spool in spools),
        scratch=str(scratch),
        jobs=_submissions(options),
        duration_s=options.minutes * 60,
    )
    crew = ", ".join(f"{count} {role}s" for role, count in CREW.items())
    say(f"torture      seed {seed}, {plan.jobs} submissions, {plan.duration_s:.0f} s, {crew}")
    say(f"spool        {' and '.join(plan.mounts)}")
    reason = why_not_to_fill(spools[0])
    if reason is not None:
        say(f"full disk    skipped: {reason}")
    say("clocks       set wrong in submitters, workers and waiters; daemons have the right time")
    plan = prepare(plan)
    done = run(plan, None if reason else Ballast(spools[0] / f"{name}.ballast"), say)
    for line in report_lines(done):
        say(line)
    return _conclude(plan, done)


def _conclude(plan: Plan, done: Run) -> bool:
    is_right = not (done.verdict.violations or done.crashes)
    if is_right:
        say("verdict      every promise was kept")
    else:
        shutil.copytree(plan.mount(0), Path(plan.scratch) / "spool-as-left")
        say(f"verdict      BROKEN; histories, logs and the spool are in {plan.scratch}")
    shutil.rmtree(plan.mount(0))
    return is_right
