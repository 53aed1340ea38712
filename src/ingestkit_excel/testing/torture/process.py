"""``python -m ingestkit_excel.testing.torture.process SCRATCH NAME``: one process of a run."""

import sys
from collections.abc import Callable
from pathlib import Path

from ingestkit_excel.testing.torture.actor import Actor
from ingestkit_excel.testing.torture.plan import Plan, Role
from ingestkit_excel.testing.torture.submitter import run_submitter
from ingestkit_excel.testing.torture.waiter import run_waiter
from ingestkit_excel.testing.torture.worker import run_worker

__all__ = ["main"]

_ROLES: dict[Role, Callable[[Actor], None]] = {
    Role.SUBMITTER: run_submitter,
    Role.WORKER: run_worker,
    Role.WAITER: run_waiter,
}


def main(scratch: str, name: str) -> None:
    """Play the role that the name begins with."""
    _ROLES[Role(name.split("-")[0])](Actor(Plan.load(Path(scratch)), name))


if __name__ == "__main__":
    main(*sys.argv[1:])
