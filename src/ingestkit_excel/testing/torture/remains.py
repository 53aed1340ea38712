"""What is in a spool, read name by name and not through the code that is on trial."""

from collections import Counter
from collections.abc import Iterator
from glob import iglob
from pathlib import Path

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.records import Outcome, RecordError, decode_outcome, load_strict
from ingestkit_excel.testing.history import Commit, Event, Kind, Phase, Remains, Shown
from ingestkit_excel.testing.torture.waiter import content_digest

__all__ = ["count_ended", "find_waiting", "leftovers", "read_remains"]


def find_waiting(spool: Path) -> dict[str, str]:
    """Give the name of each job file that has not reached its end, by job."""
    found: dict[str, str] = {}
    for pattern in ("pending/*/*/*.job", "delayed/*.job", "claims/*/*.job"):
        for path in _names(spool, pattern):
            name = path.rpartition("/")[2]
            stem = layout.parse_job_file(name[name.find("j") :])
            if stem is not None:
                found[stem.job_id] = path
    for path in _names(spool, "prep/*.out"):
        prepared = layout.parse_prepared(path.rpartition("/")[2])
        # Of a lost attempt it stays until the retention ends; of a committed one it must be shown.
        if prepared is not None and _is_committed(spool, prepared):
            found[prepared.job_id] = path
    return found


def _names(spool: Path, pattern: str) -> Iterator[str]:
    return iglob(pattern, root_dir=spool)  # Path.glob fails when a directory goes meanwhile


def _is_committed(spool: Path, stem: layout.Stem) -> bool:
    return any(
        (spool / layout.done_path(stem, is_dead=is_dead)).exists() for is_dead in (False, True)
    )


def count_ended(spool: Path) -> int:
    """Count the outcomes that can be seen."""
    return sum(1 for _ in _names(spool, "results/*/*.json"))


def leftovers(spool: Path) -> dict[str, int]:
    """Count what is left in the directories that serve work under way."""
    names = (layout.TMP, layout.PREP, layout.CLAIMS, layout.WORKERS, layout.QUARANTINE)
    return Counter({name: sum(1 for _ in (spool / name).iterdir()) for name in names})


def read_remains(spool: Path) -> tuple[Remains, list[Event]]:
    """Give what is there, and an event for each outcome that is not whole."""
    commits = [
        Commit(stem.job_id, stem.attempt, stem.digest, _ref_of(path))
        for pattern in ("done/*/*.job", "dead/*.job")
        for path in spool.glob(pattern)
        if (stem := layout.parse_job_file(path.name)) is not None
    ]
    shown, torn = [], []
    for path in spool.glob("results/*/*.json"):
        try:
            shown.append(_shown(decode_outcome(path.read_bytes(), job_id=path.stem)))
        except RecordError as error:
            torn.append(Event(Kind.TORN, Phase.OK, 0.0, 0.0, job_id=path.stem, note=str(error)))
    return Remains(tuple(commits), tuple(shown), find_waiting(spool)), torn


def _ref_of(job_file: Path) -> str:
    record = load_strict(job_file.read_bytes())
    return str(record.get("file_path")) if isinstance(record, dict) else ""


def _shown(outcome: Outcome) -> Shown:
    run_id = outcome.result.ingest_run_id if outcome.result is not None else ""
    return Shown(
        outcome.job_id, outcome.attempt, outcome.job_digest, run_id, content_digest(outcome)
    )
