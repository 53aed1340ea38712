"""Any order of submitting, claiming, dying, sleeping and reaping keeps every job, once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.spool import (
    Claim,
    Completion,
    JobDraft,
    JobState,
    Outcome,
    Spool,
    SpoolSettings,
    SpoolWorker,
)
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, MemoryFileSystem

DRAFT = JobDraft(root="share", rel="a.xlsx", file_path="/x/a.xlsx", size_bytes=3, mtime_ns=5)
DIRECTORY = Path("/spool")
WORKERS = 3
NEVER = 1_000_000_000
ENDED = {JobState.DONE, JobState.DEAD, JobState.CANCELLED}

which_worker = st.integers(0, WORKERS - 1)


class SpoolMachine(RuleBasedStateMachine):
    """Three workers on two hosts; the model is the outcome each job was first seen with."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.disk = MemoryFileSystem(self.clock)
        rules = SpoolSettings(retry_backoff_s=1.0)
        self.spool = Spool.create(DIRECTORY, rules, fs=self.disk, clock=self.clock)
        self.jobs: dict[str, Outcome | None] = {}
        self.views: list[FaultyFileSystem] = []
        self.workers: list[SpoolWorker] = []
        self.claims: list[list[Claim]] = [[] for _ in range(WORKERS)]
        for number in range(WORKERS):
            view, worker = self.start(number)
            self.views.append(view)
            self.workers.append(worker)

    def start(self, number: int) -> tuple[FaultyFileSystem, SpoolWorker]:
        """Start a worker; two of them share a host."""
        view = FaultyFileSystem(self.disk, Fault.FAILED, NEVER)
        spool = Spool.open(DIRECTORY, fs=view, clock=self.clock)
        return view, spool.enlist(host=f"host{number % 2}")

    @rule(max_attempts=st.integers(1, 3), priority=st.integers(4, 5))
    def submit(self, max_attempts: int, priority: int) -> None:
        """Accept one more job."""
        draft = DRAFT.model_copy(update={"max_attempts": max_attempts})
        self.jobs[self.spool.submit(draft, priority=priority)] = None

    @rule(number=which_worker)
    def claim(self, number: int) -> None:
        """Take a job, if there is one."""
        claim = self.workers[number].try_claim()
        if claim is not None:
            assert self.jobs[claim.job.job_id] is None
            assert claim.charged_failures < claim.job.max_attempts
            self.claims[number].append(claim)

    @rule(number=which_worker)
    def complete(self, number: int) -> None:
        """Publish the oldest claim, which may be long lost."""
        if self.claims[number]:
            claim = self.claims[number].pop(0)
            worker = self.workers[number]
            outcome = Outcome(
                job_id=claim.job.job_id,
                status="done",
                worker_id=worker.worker_id,
                attempt=claim.attempt,
                run_s=self.clock.monotonic(),
            )
            done = worker.complete(claim, outcome)
            assert done in (Completion.PUBLISHED, Completion.SUPERSEDED)

    @rule(number=which_worker)
    def fail(self, number: int) -> None:
        """Report a failure of the oldest claim."""
        if self.claims[number]:
            claim = self.claims[number].pop(0)
            self.workers[number].retry(claim, code=ErrorCode.E_INTERNAL, message="boom")

    @rule(number=which_worker)
    def release(self, number: int) -> None:
        """Give the oldest claim back."""
        if self.claims[number]:
            self.workers[number].release(self.claims[number].pop(0))

    @rule(number=which_worker)
    def die(self, number: int) -> None:
        """Kill a worker and start another in its place."""
        self.views[number].crash()
        self.views[number], self.workers[number] = self.start(number)
        self.claims[number] = []

    @rule(number=which_worker)
    def beat_and_reap(self, number: int) -> None:
        """Do a round of the main loop."""
        self.workers[number].renew()
        self.workers[number].reap()

    @rule(number=which_worker)
    def outlive_the_others(self, number: int) -> None:
        """Let one worker go on while all others sleep longer than a lease."""
        for _ in range(8):
            self.clock.advance(10.0)
            self.beat_and_reap(number)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Ask that a job be given up."""
        self.spool.cancel(data.draw(st.sampled_from(sorted(self.jobs))))

    @invariant()
    def every_job_is_somewhere_and_its_outcome_never_changes(self) -> None:
        """No job is lost, none has two outcomes."""
        for job_id, known in self.jobs.items():
            assert self.spool.find_state(job_id) is not JobState.UNKNOWN
            outcome = self.spool.find_outcome(job_id)
            assert known is None or outcome == known
            self.jobs[job_id] = outcome

    @invariant()
    def every_job_stands_once(self) -> None:
        """Waiting, claimed and committed jobs add up to the submitted ones."""
        status = self.spool.status()
        stands = status.pending + status.delayed + status.claimed + status.done + status.dead
        assert stands == len(self.jobs)
        assert status.quarantined == 0

    def teardown(self) -> None:
        """One sound worker ends everything that was ever accepted."""
        for view in self.views:
            view.crash()
        worker = self.spool.enlist(host="last")
        for _ in range(40):
            self.clock.advance(10.0)
            worker.renew()
            worker.reap()
            while (claim := worker.try_claim()) is not None:
                outcome = Outcome(
                    job_id=claim.job.job_id,
                    status="done",
                    worker_id=worker.worker_id,
                    attempt=claim.attempt,
                )
                assert worker.complete(claim, outcome) is Completion.PUBLISHED
        for job_id in self.jobs:
            assert self.spool.find_state(job_id) in ENDED
            assert self.spool.find_outcome(job_id) is not None


SpoolMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestSpoolMachine = pytest.mark.slow(SpoolMachine.TestCase)
