"""What the daemon does while the share is away, and when it is back; all in memory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package

from daemon_bench import DaemonBench, done, unfinished

from ingestkit_excel.spool import Claim, JobState
from ingestkit_excel.spool.fs import FileSystemError, NoSpace, Unreachable
from spool_worker.isolation import Verdict


def _away(path: str) -> FileSystemError:
    return Unreachable(path, "EIO")


def test_a_claim_lost_in_an_outage_is_given_back_after_it() -> None:
    """A living worker that forgot its claim would keep the job from everybody for ever."""
    bench = DaemonBench(unfinished)
    job = bench.submit()
    bench.rounds_max = 30

    def outage(number: int) -> None:
        if number == 3:
            bench.connection.fault = _away
        if number == 20:
            assert bench.slot.claim is None  # the lease was lost, so the job was stopped
            bench.connection.fault = lambda _: None
            bench.slot.script = done

    bench.on_round = outage
    assert bench.daemon.run() == 1
    assert bench.spool.find_state(job) is JobState.DONE
    outcome = bench.spool.find_outcome(job)
    assert outcome is not None
    assert outcome.attempt == 2


def test_a_worker_whose_claims_were_reaped_in_an_outage_works_again() -> None:
    """It enlists under a new id and takes the job that it lost."""
    bench = DaemonBench(unfinished)
    job = bench.submit()
    bench.rounds_max = 40
    other = bench.spool.enlist(host="there")

    def outage(number: int) -> None:
        other.renew()
        other.reap()
        if number == 3:
            bench.connection.fault = _away
        if number == 20:
            assert bench.spool.find_state(job) is JobState.PENDING
            bench.connection.fault = lambda _: None
            bench.slot.script = done

    bench.on_round = outage
    assert bench.daemon.run() == 1
    assert bench.spool.find_state(job) is JobState.DONE


def test_an_outcome_survives_an_outage_of_any_length_that_fences_nobody() -> None:
    """The work of hours is told when the share is back, however late."""
    bench = DaemonBench(done)
    job = bench.submit()
    bench.rounds_max = 60

    def finish_in_outage(claim: Claim) -> Verdict:
        bench.connection.fault = _away
        return done(claim)

    def come_back(number: int) -> None:
        if number == 50:
            bench.connection.fault = lambda _: None

    bench.slot.script = finish_in_outage
    bench.on_round = come_back
    assert bench.daemon.run() == 1
    outcome = bench.spool.find_outcome(job)
    assert outcome is not None
    assert outcome.attempt == 1


def test_an_outcome_that_the_spool_refuses_does_not_keep_the_worker_from_others() -> None:
    """After a while its job is given back uncharged and held back."""
    bench = DaemonBench(done)
    jobs = [bench.submit() for _ in range(2)]

    def refuse_first(path: str) -> FileSystemError | None:
        is_first = path.startswith("prep/") and jobs[0] in path
        return NoSpace(path, "EDQUOT") if is_first else None

    bench.connection.fault = refuse_first
    bench.rounds_max = 20
    assert bench.daemon.run() == 1
    assert bench.spool.find_state(jobs[1]) is JobState.DONE
    assert bench.spool.find_state(jobs[0]) is JobState.DELAYED
    bench.clock.advance(3600.0)
    other = bench.spool.enlist(host="there")
    other.reap()
    claim = other.try_claim()
    assert claim is not None
    assert (claim.job.job_id, claim.charged_failures) == (jobs[0], 0)


def test_a_full_disk_makes_the_worker_wait_with_further_claims() -> None:
    """Holding a job back takes a new file; without room it is given back at once instead."""
    bench = DaemonBench(done)
    job = bench.submit()
    bench.connection.fault = lambda path: (
        NoSpace(path, "EDQUOT") if path.startswith(("prep/", "tmp/")) else None
    )
    bench.slot.script = done
    bench.rounds_max = 30  # 150 s: one minute until it is let go, half a minute of waiting
    assert bench.daemon.run() == 0
    claim = bench.spool.enlist(host="there").try_claim()
    assert claim is not None
    assert claim.job.job_id == job
    assert claim.charged_failures == 0
    assert claim.attempt <= 3


def test_a_job_whose_claim_was_reaped_is_stopped_before_the_share_is_touched() -> None:
    """Another worker runs it by now; two must not write to the same store for long."""
    bench = DaemonBench(unfinished)
    job = bench.submit()
    other = bench.spool.enlist(host="there")
    running: list[tuple[int, bool]] = []
    late: list[str] = []

    def note(path: str) -> None:
        if bench.slot.claim is not None and bench.worker.is_fenced:
            late.append(path)

    def reap(number: int) -> None:
        if number == 1:
            other._reaper.dismiss(bench.worker.worker_id, is_charged=True)
            assert other.try_claim() is not None
        if number == 2:
            bench.connection.fault = note
        running.append((number, bench.slot.claim is not None))

    bench.on_round = reap
    bench.rounds_max = 8
    bench.daemon.run()
    assert running[1:3] == [(2, True), (3, False)]  # the heartbeat of round 2 tells
    assert late == []
    assert bench.spool.find_state(job) is JobState.CLAIMED
