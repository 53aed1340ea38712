"""What processes did to a spool, as each wrote it down, and what is in the spool after. Pure.

Every process writes a history of its own: what it asked for, what it was told, when. Times are of
one host's monotonic clock.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

__all__ = [
    "Commit",
    "Event",
    "Kind",
    "Phase",
    "Remains",
    "Shown",
    "decode_history",
    "encode_event",
]


class Kind(StrEnum):
    """What a process did."""

    SUBMIT = "submit"
    CLAIM = "claim"
    """Renamed a waiting job into its claims."""
    RUN = "run"
    FENCE = "fence"
    """Renamed a claim to its committed name."""
    TAKE_BACK = "take_back"
    """Renamed a claim back to where jobs wait, its own or that of a worker found dead."""
    COMPLETE = "complete"
    """Was told that its outcome is the job's (ok), or that the job is not its own (fail)."""
    READ = "read"
    """Looked for an outcome: there (ok), or not yet (fail)."""
    TORN = "torn"
    """Saw an outcome that is not whole."""
    FAULT = "fault"
    END = "end"
    """The process named in ``note`` is no more."""


class Phase(StrEnum):
    """How far it came."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    """It did not happen."""
    UNKNOWN = "unknown"
    """It may have happened."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history."""

    kind: Kind
    phase: Phase
    began_s: float
    ended_s: float
    job_id: str = ""
    ref: str = ""
    """What the submitter calls the submission; repeated when it submits again under a key."""
    attempt: int = 0
    failures: int = 0
    failures_max: int = 0
    worker_id: str = ""
    run_id: str = ""
    """Names one execution; its outcome carries it."""
    digest: str = ""
    """Of the outcome as it was read."""
    note: str = ""
    process: str = ""
    """Who wrote it; not part of the line."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A job in ``done`` or ``dead``."""

    job_id: str
    attempt: int
    job_digest: str
    ref: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A job's outcome, as a reader finds it."""

    job_id: str
    attempt: int
    job_digest: str
    run_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Remains:
    """What is in the spool when all is quiet."""

    commits: tuple[Commit, ...]
    shown: tuple[Shown, ...]
    waiting: Mapping[str, str]
    """Where each job is that has not ended."""


def encode_event(event: Event) -> bytes:
    """Give one line; what is empty is left out."""
    values = {name: value for name, value in asdict(event).items() if value and name != "process"}
    return json.dumps(values).encode() + b"\n"


def decode_history(data: bytes, process: str) -> list[Event]:
    """Read a history; a last line without end was cut short by the death of its writer."""
    lines = data.split(b"\n")[:-1]
    known = {field.name for field in fields(Event)} - {"kind", "phase"}
    events = []
    for line in lines:
        record = json.loads(line)
        facts = {"began_s": 0.0, "ended_s": 0.0, **record}
        facts = {name: value for name, value in facts.items() if name in known}
        kind, phase = Kind(record["kind"]), Phase(record["phase"])
        events.append(Event(kind, phase, **{**facts, "process": process}))
    return events
