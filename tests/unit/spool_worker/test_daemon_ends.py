"""When a daemon ends by itself, and how often it looks; all in memory."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package

from daemon_bench import DaemonBench, done, unfinished

from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.spool import Claim, JobState
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem
from spool_worker import cli
from spool_worker.daemon import DaemonSettings, Until
from spool_worker.isolation import Verdict


@pytest.mark.parametrize("until", [Until.DRAINED, Until.ONE_LOOK])
def test_a_worker_that_ends_by_itself_takes_over_from_the_dead_first(until: Until) -> None:
    """Under cron nobody else would: each worker ends before its first regular round."""
    bench = DaemonBench(done, until=until)
    job = bench.submit()
    view = FaultyFileSystem(bench.disk, Fault.FAILED, 1 << 60)
    killed = bench.open(view).enlist(host="here")
    assert killed.try_claim() is not None
    view.crash()
    assert bench.daemon.run() == 1
    assert bench.spool.find_state(job) is JobState.DONE


@pytest.mark.parametrize("until", [Until.DRAINED, Until.ONE_LOOK])
def test_a_worker_that_ends_by_itself_runs_what_is_due_again(until: Until) -> None:
    """A retry of the night before is not left for ever."""
    bench = DaemonBench(done, until=until)
    job = bench.submit()
    other = bench.spool.enlist(host="there")
    claim = other.try_claim()
    assert claim is not None
    other.release(claim, delay_s=60.0)
    other.retire()
    bench.clock.advance(3600.0)
    assert bench.daemon.run() == 1
    assert bench.spool.find_state(job) is JobState.DONE


def test_a_drain_waits_for_a_retry_that_is_due_soon() -> None:
    """The workbook that could not be read a moment ago is one that the drain was asked for."""
    bench = DaemonBench(done, until=Until.DRAINED, retry_backoff_s=5.0)
    job = bench.submit()
    bench.slot.script = lambda claim: (
        done(claim)
        if claim.attempt > 1
        else Verdict(claim, code=ErrorCode.E_SOURCE_NOT_FOUND, message="cannot read it")
    )
    assert bench.daemon.run() == 1
    assert bench.spool.find_state(job) is JobState.DONE
    assert bench.rounds < 10


def test_a_drain_leaves_what_is_held_back_for_long() -> None:
    """It waits half a minute, not for ever."""
    bench = DaemonBench(unfinished, until=Until.DRAINED)
    bench.submit()
    other = bench.spool.enlist(host="there")
    claim = other.try_claim()
    assert claim is not None
    other.release(claim, delay_s=3600.0)
    assert bench.daemon.run() == 0
    assert bench.rounds in (6, 7)


def test_a_drain_leaves_what_only_newer_workers_understand() -> None:
    """A job of the next format waits for its worker."""
    bench = DaemonBench(done, until=Until.DRAINED)
    bench.submit()
    (bucket,) = bench.disk.list_directory("pending/5")
    (name,) = bench.disk.list_directory(f"pending/5/{bucket}")
    newer = name.replace(".v1.", ".v2.")
    bench.disk.rename(f"pending/5/{bucket}/{name}", f"pending/5/{bucket}/{newer}")
    assert bench.daemon.run() == 0
    assert bench.rounds in (6, 7)


def test_a_drain_without_its_root_ends() -> None:
    """The queue is for hosts that have it."""
    bench = DaemonBench(done, until=Until.DRAINED)
    for _ in range(100):
        bench.submit()
    bench.slot.script = lambda claim: Verdict(
        claim, code=ErrorCode.E_SOURCE_UNREADABLE, message="cannot find it", is_charged=False
    )
    assert bench.daemon.run() == 0
    assert bench.rounds < 40
    assert bench.spool.status().pending > 80


def test_rounds_are_short_beside_the_lease() -> None:
    """With a lease of three seconds, five seconds between looks would expire nobody, ever."""
    fitted = DaemonSettings().fitted_to(3.0)
    waits = {fitted.reap_interval_s, fitted.idle_wait_s}
    assert (waits, fitted.busy_wait_s) == ({0.25}, 0.1)
    assert DaemonSettings().fitted_to(60.0) == DaemonSettings()


def test_a_child_that_cannot_be_killed_ends_the_worker() -> None:
    """The job is charged, what else runs is finished, and nothing more is claimed."""
    bench = DaemonBench(done)
    jobs = [bench.submit() for _ in range(2)]

    def hang(claim: Claim) -> Verdict:
        bench.slot.is_hanging = True
        return Verdict(claim, code=ErrorCode.E_EXECUTION_TIMEOUT, message="cannot finish it")

    bench.slot.script = hang
    with pytest.raises(ExecutionError, match="does not die"):
        bench.daemon.run()
    assert [bench.spool.find_state(job) for job in jobs] == [JobState.PENDING] * 2
    bench.worker.retire()
    claims = [bench.spool.enlist(host="there").try_claim() for _ in jobs]
    assert sorted(claim.charged_failures for claim in claims if claim) == [0, 1]


def test_a_process_with_such_a_child_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The interpreter waits for all children when it ends."""

    def hang(_options: object) -> None:
        raise ExecutionError(ErrorCode.E_EXECUTION_TIMEOUT, "cannot end it: a mount; check it")

    left: list[int] = []
    monkeypatch.setattr(cli, "_run", hang)
    monkeypatch.setattr(cli, "configure_logging", lambda _: None)
    assert cli.main(["--spool", "/spool"], leave=left.append) == 10
    assert left == [10]
    assert "a mount" in capsys.readouterr().err
