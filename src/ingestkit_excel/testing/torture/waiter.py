"""The waiters: they learn of jobs from what submitters wrote, and look for their outcomes."""

from typing import Final

from ingestkit_excel.errors import ExecutionError, IngestKitError
from ingestkit_excel.spool import Outcome
from ingestkit_excel.spool.records import digest_of
from ingestkit_excel.testing.history import Kind, Phase, decode_history
from ingestkit_excel.testing.torture.actor import Actor
from ingestkit_excel.testing.torture.plan import Plan, Role

__all__ = ["content_digest", "run_waiter"]

_LOOKS_AT_ONCE: Final = 15
_AGAIN_AT_ONCE: Final = 3  # looks at jobs whose outcome was seen before
_WAITED_SHARE: Final = 0.05
_WAIT_S: Final = 0.5
_PAUSE_S: Final = 0.1


def content_digest(outcome: Outcome) -> str:
    """Tell one outcome from any other."""
    return digest_of(outcome.model_dump_json().encode())[:16]


class _News:
    """The jobs that submitters were given ids for since the last look."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._read: dict[str, int] = {}

    def fresh(self) -> list[str]:
        """Give the ids of the jobs that are new."""
        found = []
        for path in self._plan.histories.glob(f"{Role.SUBMITTER}-*.jsonl"):
            start = self._read.get(path.name, 0)
            with open(path, "rb") as file:
                file.seek(start)
                data = file.read()
            self._read[path.name] = start + data.rfind(b"\n") + 1
            events = decode_history(data, path.stem)
            found += [event.job_id for event in events if event.job_id]
        return found


def run_waiter(actor: Actor) -> None:
    """Look for outcomes until told to stop."""
    news = _News(actor.plan)
    wanted: set[str] = set()
    seen: list[str] = []
    while actor.goes_on():
        wanted.update(set(news.fresh()) - set(seen))
        sample = actor.random.sample(sorted(wanted), min(_LOOKS_AT_ONCE, len(wanted)))
        again = actor.random.sample(seen, min(_AGAIN_AT_ONCE, len(seen)))
        for job_id in (*sample, *again):
            if _look(actor, job_id) and job_id in wanted:
                wanted.discard(job_id)
                seen.append(job_id)
        actor.pause(_PAUSE_S)


def _look(actor: Actor, job_id: str) -> bool:
    waits = actor.random.random() < _WAITED_SHARE
    history = actor.history
    began_s = history.now_s()
    try:
        outcome = (
            actor.spool.wait_for_outcome(job_id, _WAIT_S)
            if waits
            else actor.spool.find_outcome(job_id)
        )
    except ExecutionError as error:
        history.write(Kind.TORN, Phase.OK, began_s=began_s, job_id=job_id, note=str(error))
        return False
    except IngestKitError as error:
        print(error, flush=True)
        return False
    if outcome is None:
        history.write(Kind.READ, Phase.FAIL, began_s=began_s, job_id=job_id)
        return False
    digest = content_digest(outcome)
    history.write(Kind.READ, Phase.OK, began_s=began_s, job_id=job_id, digest=digest)
    return True
