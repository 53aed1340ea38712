"""What the daemon does while its directory holds no spool, as when a share is unmounted."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package

import pytest
from daemon_bench import DaemonBench, done

from spool_worker.daemon import Until


def test_a_spool_that_is_away_is_logged_when_it_goes_and_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once a minute in between: 27 rounds of five seconds are two and a quarter minutes."""
    caplog.set_level("INFO")
    bench = DaemonBench(done)
    bench.rounds_max = 35

    def unmount(number: int) -> None:
        if number == 3:
            bench.disk.rename("spool.json", "away.json")
        if number == 30:
            bench.disk.rename("away.json", "spool.json")
            bench.submit()

    bench.on_round = unmount
    assert bench.daemon.run() == 1
    logged = [r for r in caplog.records if r.name == "spool_worker.outages"]
    assert [r.getMessage() for r in logged] == ["spool_failed"] * 3 + ["spool_recovered"]
    assert vars(logged[0])["code"] == "E_SPOOL_NOT_FOUND"
    assert vars(logged[-1])["away_s"] == 135.0


def test_a_drain_does_not_end_because_the_spool_is_away() -> None:
    """What waits is done when it is back."""
    bench = DaemonBench(done, until=Until.DRAINED)
    bench.submit()
    bench.disk.rename("spool.json", "away.json")

    def come_back(number: int) -> None:
        if number == 5:
            bench.disk.rename("away.json", "spool.json")

    bench.on_round = come_back
    assert bench.daemon.run() == 1
