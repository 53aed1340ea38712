"""A host that lacks a mount, or room, fails no jobs: it puts them off, and others run them."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package

from daemon_bench import DaemonBench, done

from ingestkit_excel.errors import ErrorCode
from ingestkit_excel.spool import Claim
from spool_worker.isolation import Verdict
from spool_worker.settlement import Settler


def test_a_worker_without_its_root_leaves_the_queue_to_others() -> None:
    """Its jobs are put off uncharged, a few only, and jobs of other roots are done meanwhile."""
    bench = DaemonBench(done)
    jobs = [bench.submit() for _ in range(30)]

    def miss(claim: Claim) -> Verdict:
        if claim.job.job_id == jobs[3]:
            return done(claim)
        code = ErrorCode.E_SOURCE_UNREADABLE
        return Verdict(claim, code=code, message="cannot find it: not mounted", is_charged=False)

    bench.slot.script = miss
    bench.rounds_max = 24  # two minutes
    assert bench.daemon.run() == 1
    status = bench.spool.status()
    assert status.pending >= 20
    assert status.pending + status.delayed == 29
    other = bench.spool.enlist(host="there")
    claims = []
    for _ in range(3):  # what was put off comes back later and later
        bench.clock.advance(60.0)
        other.renew()
        other.reap()
        claims += [claim for claim in iter(other.try_claim, None) if claim is not None]
    assert len(claims) == 29
    assert {claim.charged_failures for claim in claims} == {0}


def test_a_job_that_every_host_puts_off_is_charged_in_the_end() -> None:
    """Nothing goes round for ever."""
    bench = DaemonBench(done)
    job = bench.submit()
    claim = bench.worker.try_claim()
    assert claim is not None
    old = replace(claim, attempt=102)
    settler = Settler(bench.worker, clock=bench.clock)
    settler.settle(
        Verdict(old, code=ErrorCode.E_SOURCE_UNREADABLE, message="cannot", is_charged=False)
    )
    again = bench.worker.try_claim()
    assert again is not None
    assert (again.job.job_id, again.charged_failures) == (job, 1)


@pytest.mark.parametrize(
    ("error", "failures"), [(OSError(24, "too many open files"), 0), (ZeroDivisionError(), 1)]
)
def test_a_job_that_could_not_be_looked_after_is_charged_unless_the_host_failed(
    error: Exception, failures: int
) -> None:
    """A host out of files would otherwise fail the whole queue; a defect ends with its job."""
    bench = DaemonBench(done)
    bench.submit()

    def fail(_claim: Claim) -> Verdict:
        raise error

    bench.slot.script = fail
    bench.rounds_max = 2
    bench.daemon.run()
    bench.clock.advance(60.0)
    other = bench.spool.enlist(host="there")
    other.reap()
    claim = other.try_claim()
    assert claim is not None
    assert claim.charged_failures == failures
