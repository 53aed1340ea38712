"""The loop claims, completes, retries and gives back; jobs run in fake slots."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.execution import Roots, failed_result
from ingestkit_excel.spool import Claim, JobDraft, JobState, Outcome, Spool, SpoolSettings
from spool_worker.daemon import Daemon, DaemonSettings, Until
from spool_worker.isolation import JobSlot, Verdict
from spool_worker.renewal import LeaseRenewer
from spool_worker.shutdown import StopToken

pytestmark = pytest.mark.slow  # a spool has hundreds of directories, which take a while to make

CLOCK = SystemClock()


class SkippingClock(SystemClock):
    """The clock of this host, ahead by what it was told."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        """Give the time ahead."""
        return super().monotonic() + self.ahead_s


class ScriptedSlot(JobSlot):
    """Gives the verdict that ``script`` gives; ``None`` keeps the job running."""

    def __init__(
        self,
        share: Path,
        script: Callable[[Claim], Verdict | None],
        on_start: Callable[[Claim], None] = lambda _: None,
    ) -> None:
        super().__init__(
            roots=Roots({"share": share}), spool_directory=share, store="memory://", clock=CLOCK
        )
        self._script = script
        self._on_start = on_start
        self._claim: Claim | None = None

    @property
    def claim(self) -> Claim | None:
        """The claim it was started with."""
        return self._claim

    def start(self, claim: Claim) -> None:
        """Remember the claim."""
        self._on_start(claim)
        self._claim = claim

    def poll(self) -> Verdict | None:
        """Ask the script."""
        assert self._claim is not None
        verdict = self._script(self._claim)
        if verdict is not None:
            self._claim = None
        return verdict

    def stop(self) -> Claim | None:
        """Forget the claim."""
        claim, self._claim = self._claim, None
        return claim


def _done(claim: Claim) -> Verdict:
    result = failed_result(claim.job.file_path, ErrorCode.E_PARSE_EMPTY, "empty")
    outcome = Outcome(
        job_id=claim.job.job_id,
        status="failed",
        result=result,
        worker_id=claim.worker_id,
        attempt=claim.attempt,
    )
    return Verdict(claim, outcome)


class ObservedToken(StopToken):
    """Calls ``on_wait`` in each round of the loop."""

    def __init__(self, on_wait: Callable[[float], None]) -> None:
        super().__init__()
        self._on_wait = on_wait

    def wait(self, timeout_s: float) -> None:
        """Tell, instead of waiting."""
        self._on_wait(timeout_s)


class Bench:
    """A spool, a worker and what a daemon needs."""

    def __init__(self, share: Path) -> None:
        settings = SpoolSettings(durability="none", retry_backoff_s=0.0)
        self.share = share
        self.spool = Spool.create(share / "spool", settings)
        self.stop = StopToken()
        self.lease_clock = SkippingClock()
        self.on_start: Callable[[Claim], None] = lambda _: None

    def submit(self) -> str:
        """Put one job into the spool."""
        draft = JobDraft(root="share", rel="a", file_path="a", size_bytes=1, mtime_ns=1)
        return self.spool.submit(draft)

    def run(self, script: Callable[[Claim], Verdict | None], **settings: object) -> int:
        """Run a daemon with one slot to its end."""
        worker = self.spool.enlist(host="here")
        renewer = LeaseRenewer(
            lambda: None, interval_s=10, lease_duration_s=60, clock=self.lease_clock
        )
        waits = {"idle_wait_s": 0.0, "busy_wait_s": 0.0, "cancel_interval_s": 0.0}
        daemon = Daemon(
            worker,
            [ScriptedSlot(self.share, script, self.on_start)],
            settings=DaemonSettings(**{"until": Until.DRAINED, **waits, **settings}),  # type: ignore[arg-type]
            renewer=renewer,
            stop=self.stop,
            clock=CLOCK,
            is_drained=lambda: self.spool.status().pending == 0,
        )
        try:
            return daemon.run()
        finally:
            worker.retire()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Give a bench on a share of its own."""
    return Bench(tmp_path)


def test_a_drain_completes_everything_that_waits(bench: Bench) -> None:
    """Then the daemon ends by itself."""
    jobs = [bench.submit() for _ in range(3)]
    assert bench.run(_done) == 3
    assert [bench.spool.find_state(job) for job in jobs] == [JobState.DONE] * 3


@pytest.mark.parametrize("settings", [{"until": Until.ONE_LOOK}, {"jobs_max": 1}])
def test_a_limit_leaves_the_rest(bench: Bench, settings: dict[str, object]) -> None:
    """Jobs beyond it are not claimed."""
    jobs = [bench.submit() for _ in range(2)]
    assert bench.run(_done, **settings) == 1
    assert bench.spool.find_state(jobs[1]) is JobState.PENDING


def test_one_look_at_an_empty_spool_ends(bench: Bench) -> None:
    """There is nothing to wait for."""
    assert bench.run(_done, until=Until.ONE_LOOK) == 0


def test_a_crash_is_charged_and_tried_again_until_dead(bench: Bench) -> None:
    """Three attempts, then the job is dead."""
    job = bench.submit()
    attempts: list[int] = []

    def crash(claim: Claim) -> Verdict:
        attempts.append(claim.attempt)
        return Verdict(claim, code=ErrorCode.E_EXECUTION_CRASHED, message="cannot run: SIGSEGV")

    assert bench.run(crash) == 0
    assert attempts == [1, 2, 3]
    assert bench.spool.find_state(job) is JobState.DEAD


def test_a_cancelled_job_is_stopped_and_says_so(bench: Bench) -> None:
    """The slot is free for the next one."""
    job = bench.submit()

    def cancel(_claim: Claim) -> None:
        bench.spool.cancel(job)

    assert bench.run(cancel) == 1
    assert bench.spool.find_state(job) is JobState.CANCELLED


def test_a_stop_finishes_what_runs(bench: Bench) -> None:
    """No further job is claimed."""
    jobs = [bench.submit() for _ in range(2)]
    rounds: list[int] = []

    def finish_later(claim: Claim) -> Verdict | None:
        if not rounds:
            bench.stop.request()
        rounds.append(1)
        return _done(claim) if len(rounds) > 2 else None

    assert bench.run(finish_later, until=Until.STOPPED) == 1
    states = [bench.spool.find_state(job) for job in jobs]
    assert states == [JobState.DONE, JobState.PENDING]


@pytest.mark.parametrize(("requests", "grace_s"), [(2, 60.0), (1, 0.0)])
def test_a_job_that_may_not_finish_is_given_back(
    bench: Bench, requests: int, grace_s: float
) -> None:
    """A second signal, or the end of the grace; the attempt is not charged."""
    job = bench.submit()

    def stop(_claim: Claim) -> None:
        for _ in range(requests):
            bench.stop.request()

    assert bench.run(stop, until=Until.STOPPED, grace_s=grace_s) == 0
    assert bench.spool.find_state(job) is JobState.PENDING
    claim = bench.spool.enlist(host="there").try_claim()
    assert claim is not None
    assert (claim.attempt, claim.charged_failures) == (2, 0)


def test_a_lost_lease_stops_the_jobs(bench: Bench) -> None:
    """Others may run them by now, so nothing goes on here, not even within the grace."""
    job = bench.submit()

    def lose(_claim: Claim) -> None:
        bench.lease_clock.ahead_s = 61.0
        bench.stop.request()

    assert bench.run(lose, until=Until.STOPPED, grace_s=60.0) == 0
    assert bench.spool.find_state(job) is JobState.PENDING


def test_an_outcome_that_cannot_be_published_is_kept_until_it_can(bench: Bench) -> None:
    """An unreachable spool costs time, not work."""
    job = bench.submit()
    prepared = bench.spool.directory / "prep"
    hidden = bench.spool.directory / "prep-away"
    rounds: list[int] = []

    def finish(claim: Claim) -> Verdict:
        prepared.rename(hidden)
        return _done(claim)

    def come_back(_seconds: float) -> None:
        rounds.append(1)
        if len(rounds) == 3:
            hidden.rename(prepared)

    bench.stop = ObservedToken(come_back)
    assert bench.run(finish) == 1
    assert bench.spool.find_state(job) is JobState.DONE


def test_a_job_that_cannot_be_started_is_charged(bench: Bench) -> None:
    """It ends dead after its attempts, and its worker goes on with the next job."""
    jobs = [bench.submit() for _ in range(2)]

    def refuse(claim: Claim) -> None:
        if claim.job.job_id == jobs[0]:
            raise ZeroDivisionError

    bench.on_start = refuse
    assert bench.run(_done) == 1
    assert [bench.spool.find_state(job) for job in jobs] == [JobState.DEAD, JobState.DONE]
