"""What one run consists of; the same for all its processes, which read it from a file."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from ingestkit_excel.spool import JobDraft

__all__ = ["CREW", "Plan", "Role", "draft_of"]


class Role(StrEnum):
    """What a process does."""

    SUBMITTER = "submitter"
    WORKER = "worker"
    """Claims and ends jobs without doing anything for them, so that there can be many."""
    DAEMON = "daemon"
    """A real ``spool_worker``, which ingests the workbook."""
    WAITER = "waiter"


CREW = {Role.SUBMITTER: 2, Role.WORKER: 5, Role.DAEMON: 2, Role.WAITER: 2}
"""How many there are of each; two cores keep up with them."""

_SHARED_EVERY = 16  # every so many submissions have a key that all submitters use
_KEYED_EVERY = 4
_POISONED_EVERY = 5
_FEW_ATTEMPTS, _MANY_ATTEMPTS = 3, 60  # that some jobs die, and most do not


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    mounts: tuple[str, ...]
    """The directory of the spool, as reached through each mount of its file system."""
    scratch: str
    """A directory of this host for histories, logs, workbooks and what daemons store."""
    jobs: int
    duration_s: float
    began_s: float = 0.0
    """When, by the clock of the histories."""
    lease_s: float = 2.0

    @property
    def histories(self) -> Path:
        """Where each process writes its history."""
        return Path(self.scratch) / "histories"

    @property
    def logs(self) -> Path:
        """Where what each process says goes."""
        return Path(self.scratch) / "logs"

    @property
    def workbooks(self) -> Path:
        """What jobs are about."""
        return Path(self.scratch) / "workbooks"

    def mount(self, number: int) -> Path:
        """Give the way to the spool that a process takes."""
        return Path(self.mounts[number % len(self.mounts)])

    def random(self, name: str) -> Random:
        """Give the dice of one process."""
        return Random(f"{self.seed}/{name}")

    def save(self) -> None:
        """Write the plan for `load`."""
        (Path(self.scratch) / "plan.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, scratch: Path) -> "Plan":
        """Read the plan of a run."""
        values = json.loads((scratch / "plan.json").read_text())
        return cls(**{**values, "mounts": tuple(values["mounts"])})


def draft_of(plan: Plan, number: int, index: int) -> tuple[str, str | None, JobDraft]:
    """Give the name, the key if any, and the job of one submission of a submitter."""
    is_shared = index % _SHARED_EVERY == 0
    ref = f"shared-{index:06d}" if is_shared else f"s{number}-{index:06d}"
    workbooks = sorted(plan.workbooks.iterdir())
    workbook = workbooks[index % len(workbooks)]
    status = workbook.stat()
    draft = JobDraft(
        root="torture",
        rel=workbook.name,
        file_path=ref,
        source_uri=f"torture:{ref}",
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        timeout_s=60.0,
        max_attempts=_MANY_ATTEMPTS if index % _POISONED_EVERY else _FEW_ATTEMPTS,
    )
    return ref, ref if index % _KEYED_EVERY == 0 else None, draft
