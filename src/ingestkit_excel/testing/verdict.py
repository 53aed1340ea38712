"""Whether the histories of all processes together keep the promises of the spool. Pure.

`check` holds what each process was told against what the others were told and what is in the
spool when all is quiet, in the way of a Jepsen queue test: an answer is believed, and no answer
means that either may be so.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ingestkit_excel.testing.history import Commit, Event, Kind, Phase, Remains

__all__ = ["Figures", "Flaw", "Verdict", "Violation", "check"]


class Flaw(StrEnum):
    """A broken promise."""

    LOST = "lost"
    """A job was accepted and has no outcome."""
    UNEXPECTED = "unexpected"
    """A job has an outcome and nobody submitted it."""
    DENIED = "denied"
    """Its submitter was told that the job was not accepted, and it was."""
    DUPLICATED = "duplicated"
    """Something happened twice that happens once."""
    ZOMBIE = "zombie"
    """An attempt counts that was taken away from its worker before it ended."""
    MISMATCHED = "mismatched"
    """The outcome is not that of the attempt which was committed."""
    DISORDERED = "disordered"
    """What came later does not follow from what was before."""
    OVERRUN = "overrun"
    """A job was run after its last allowed failure."""
    TORN = "torn"
    """An outcome was visible in part."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, whose, and how it shows."""

    flaw: Flaw
    job_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What the histories amount to."""

    accepted: int
    refused: int
    unanswered: int
    """Submissions whose submitter died, or was told that nobody knows."""
    recovered: int
    """Those of them that were found to have happened."""
    ended: int
    executions: int
    overlaps: int
    """Executions that began while another of the same job was under way; allowed, and rare."""
    superseded: int
    """Executions whose worker was told that the job is not its own any more."""
    reads: int
    faults: Mapping[str, int]

    @property
    def overlap_rate(self) -> float:
        """Overlapping executions as a share of all."""
        return self.overlaps / self.executions if self.executions else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Figures, and what they hide."""

    figures: Figures
    violations: tuple[Violation, ...]


def check(events: Iterable[Event], remains: Remains) -> Verdict:
    """Find every broken promise."""
    story = _Story(sorted(events, key=lambda event: event.ended_s), remains)
    found = [violation for look in _LOOKS for violation in look(story)]
    return Verdict(story.figures(), tuple(dict.fromkeys(found)))


class _Story:
    """All histories, sorted into what the looks need."""

    def __init__(self, events: Sequence[Event], remains: Remains) -> None:
        self.events = events
        self.remains = remains
        self.submits: dict[str, list[Event]] = defaultdict(list)
        self.by_job: dict[str, dict[Kind, list[Event]]] = defaultdict(lambda: defaultdict(list))
        for event in events:
            if event.kind is Kind.SUBMIT:
                self.submits[event.ref].append(event)
            elif event.job_id:
                self.by_job[event.job_id][event.kind].append(event)
        self.commits: dict[str, list[Commit]] = defaultdict(list)
        for commit in remains.commits:
            self.commits[commit.job_id].append(commit)
        self.shown = {shown.job_id: shown for shown in remains.shown}
        self.accepted_jobs = {
            event.job_id: ref
            for ref, submits in self.submits.items()
            for event in submits
            if event.phase is Phase.OK
        }
        self.committed_refs = {commit.ref for commit in remains.commits}

    def of(self, job_id: str, kind: Kind, phase: Phase = Phase.OK) -> list[Event]:
        return [event for event in self.by_job[job_id][kind] if event.phase is phase]

    def is_unanswered(self, ref: str) -> bool:
        phases = Counter(event.phase for event in self.submits[ref])
        answered = phases[Phase.OK] + phases[Phase.FAIL]
        return phases[Phase.OK] == 0 and phases[Phase.INVOKE] > answered

    def runs(self) -> dict[str, list[tuple[float, float]]]:
        """Give when each job was executed; an execution without end ended with its process."""
        ends = {e.note: e.ended_s for e in self.events if e.kind is Kind.END}
        last_s = self.events[-1].ended_s if self.events else 0.0
        runs: dict[str, list[tuple[float, float]]] = {}
        for job_id in list(self.by_job):
            ended = {e.run_id: e.ended_s for e in self.of(job_id, Kind.RUN)}
            spans = [
                (e.began_s, ended.get(e.run_id, ends.get(e.process, last_s)))
                for e in self.of(job_id, Kind.RUN, Phase.INVOKE)
            ]
            if spans:
                runs[job_id] = sorted(spans)
        return runs

    def _count(self, kind: Kind, phase: Phase) -> int:
        return sum(event.kind is kind and event.phase is phase for event in self.events)

    def figures(self) -> Figures:
        unanswered = {ref for ref in self.submits if self.is_unanswered(ref)}
        answers = [{event.phase for event in submits} for submits in self.submits.values()]
        runs = self.runs()
        return Figures(
            accepted=len(self.accepted_jobs),
            refused=sum(Phase.FAIL in phases and Phase.OK not in phases for phases in answers),
            unanswered=len(unanswered),
            recovered=len(unanswered & self.committed_refs),
            ended=len(self.shown),
            executions=sum(map(len, runs.values())),
            overlaps=sum(map(_overlaps, runs.values())),
            superseded=self._count(Kind.COMPLETE, Phase.FAIL),
            reads=self._count(Kind.READ, Phase.OK) + self._count(Kind.READ, Phase.FAIL),
            faults=Counter(event.note for event in self.events if event.kind is Kind.FAULT),
        )


def _overlaps(spans: Sequence[tuple[float, float]]) -> int:
    count, until_s = 0, float("-inf")
    for began_s, ended_s in spans:
        count += began_s < until_s
        until_s = max(until_s, ended_s)
    return count


def _lost(story: _Story) -> Iterator[Violation]:
    for job_id in story.accepted_jobs:
        if job_id in story.shown:
            continue
        where = story.remains.waiting.get(job_id)
        if job_id in story.commits:
            where = "committed, its outcome not to be seen"
        yield Violation(Flaw.LOST, job_id, f"accepted, and {where or 'nowhere'} in the end")
    for job_id, where in story.remains.waiting.items():
        if job_id in story.commits:
            text = f"committed, and {where} in the end"
            yield Violation(Flaw.DUPLICATED, job_id, text)
        elif job_id not in story.accepted_jobs:
            yield Violation(Flaw.LOST, job_id, f"submitted, and {where} in the end")


def _unexpected(story: _Story) -> Iterator[Violation]:
    for commit in story.remains.commits:
        if commit.ref not in story.submits:
            text = f"ended, and nobody submitted {commit.ref!r}"
            yield Violation(Flaw.UNEXPECTED, commit.job_id, text)
        elif not story.is_unanswered(commit.ref):
            phases = {event.phase for event in story.submits[commit.ref]}
            if Phase.OK not in phases:
                text = f"ended, and its submitter was told that {commit.ref!r} was not accepted"
                yield Violation(Flaw.DENIED, commit.job_id, text)
    for job_id in story.shown.keys() - story.commits.keys():
        yield Violation(Flaw.UNEXPECTED, job_id, "has an outcome and was never committed")


def _duplicated(story: _Story) -> Iterator[Violation]:
    jobs: dict[str, set[str]] = defaultdict(set)
    for job_id, ref in story.accepted_jobs.items():
        jobs[ref].add(job_id)
    for commit in story.remains.commits:
        jobs[commit.ref].add(commit.job_id)
    for ref, ids in jobs.items():
        if len(ids) > 1:
            text = f"submission {ref!r} became {len(ids)} jobs: {', '.join(sorted(ids))}"
            yield Violation(Flaw.DUPLICATED, min(ids), text)
    for job_id in list(story.by_job.keys() | story.commits.keys()):
        counts = _counts_of_once(story, job_id)
        for what, count in counts.items():
            if count > 1:
                yield Violation(Flaw.DUPLICATED, job_id, f"{what} {count} times")


def _counts_of_once(story: _Story, job_id: str) -> dict[str, int]:
    digests = {event.digest for event in story.of(job_id, Kind.READ)}
    if job_id in story.shown:
        digests.add(story.shown[job_id].digest)
    claims = Counter(event.attempt for event in story.of(job_id, Kind.CLAIM))
    return {
        "committed names are there": len(story.commits[job_id]),
        "it was committed": len(story.of(job_id, Kind.FENCE)),
        "a worker was told that its outcome counts": len(story.of(job_id, Kind.COMPLETE)),
        "its outcome was seen with other content": len(digests),
        **{f"attempt {attempt} was claimed": count for attempt, count in claims.items()},
    }


def _zombies(story: _Story) -> Iterator[Violation]:
    for job_id in list(story.by_job):
        taken = {event.attempt for event in story.of(job_id, Kind.TAKE_BACK)}
        claims = story.of(job_id, Kind.CLAIM)
        for fence in story.of(job_id, Kind.FENCE):
            later = [claim for claim in claims if claim.attempt > fence.attempt]
            if fence.attempt in taken:
                text = f"attempt {fence.attempt} was taken back and committed"
                yield Violation(Flaw.ZOMBIE, job_id, text)
            elif later:
                text = f"attempt {later[0].attempt} was claimed, and {fence.attempt} committed"
                yield Violation(Flaw.ZOMBIE, job_id, text)
        shown = story.shown.get(job_id)
        for refusal in story.of(job_id, Kind.COMPLETE, Phase.FAIL):
            if shown is not None and refusal.run_id and refusal.run_id == shown.run_id:
                text = f"run {refusal.run_id} counts, and its worker was told otherwise"
                yield Violation(Flaw.ZOMBIE, job_id, text)


def _mismatched(story: _Story) -> Iterator[Violation]:
    for job_id, shown in story.shown.items():
        for commit in story.commits[job_id][:1]:
            if (shown.attempt, shown.job_digest) != (commit.attempt, commit.job_digest):
                text = f"shows attempt {shown.attempt}, and {commit.attempt} was committed"
                yield Violation(Flaw.MISMATCHED, job_id, text)
        for told in story.of(job_id, Kind.COMPLETE):
            if told.run_id and told.run_id != shown.run_id:
                text = f"a worker was told that run {told.run_id} counts, and {shown.run_id} does"
                yield Violation(Flaw.MISMATCHED, job_id, text)


def _disordered(story: _Story) -> Iterator[Violation]:
    for job_id in list(story.by_job):
        seen_s = min((e.ended_s for e in story.of(job_id, Kind.READ)), default=float("inf"))
        for miss in story.of(job_id, Kind.READ, Phase.FAIL):
            if miss.began_s > seen_s:
                text = f"its outcome was seen at {seen_s:.6f} and was not at {miss.began_s:.6f}"
                yield Violation(Flaw.DISORDERED, job_id, text)
    last: dict[str, str] = {}
    for event in story.events:
        if event.kind is Kind.SUBMIT and event.phase is Phase.OK and event.note != "keyed":
            before = last.get(event.process, "")
            if event.job_id <= before:
                text = f"has a smaller id than {before}, submitted before by {event.process}"
                yield Violation(Flaw.DISORDERED, event.job_id, text)
            last[event.process] = event.job_id


def _overrun(story: _Story) -> Iterator[Violation]:
    for job_id in list(story.by_job):
        for run in story.of(job_id, Kind.RUN, Phase.INVOKE):
            if run.failures >= run.failures_max:
                text = f"was run after {run.failures} failures of {run.failures_max} allowed"
                yield Violation(Flaw.OVERRUN, job_id, text)


def _torn(story: _Story) -> Iterator[Violation]:
    for event in story.events:
        if event.kind is Kind.TORN:
            yield Violation(Flaw.TORN, event.job_id, event.note)


_LOOKS = (_lost, _unexpected, _duplicated, _zombies, _mismatched, _disordered, _overrun, _torn)
