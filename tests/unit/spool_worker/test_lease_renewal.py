"""The lease follows the progress of the main loop."""

from ingestkit_excel.errors import ErrorCode, SpoolError
from spool_worker.renewal import LeaseRenewer


class JumpingClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Give the time it was set to."""
        return self.now

    def wall(self) -> float:
        """Give the same time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the time on."""
        self.now += seconds


class Lease:
    """Counts renewals; out of reach when told."""

    def __init__(self) -> None:
        self.renewals = 0
        self.is_reachable = True

    def renew(self) -> None:
        """Count, or fail as a share that does not answer."""
        if not self.is_reachable:
            raise SpoolError(ErrorCode.E_SPOOL_UNREACHABLE, "cannot renew: no answer; check it")
        self.renewals += 1


def _renewer(lease: Lease, clock: JumpingClock) -> LeaseRenewer:
    return LeaseRenewer(lease.renew, interval_s=10, lease_duration_s=60, clock=clock)


def test_each_round_of_the_loop_allows_one_renewal() -> None:
    """A stalled loop lets the lease lapse."""
    lease, clock = Lease(), JumpingClock()
    renewer = _renewer(lease, clock)
    renewer.beat()
    renewer.beat()
    assert lease.renewals == 1
    renewer.tick()
    renewer.beat()
    assert lease.renewals == 2


def test_the_lease_is_lost_after_its_duration_without_renewal() -> None:
    """The worker then stops its jobs, for others may run them."""
    lease, clock = Lease(), JumpingClock()
    renewer = _renewer(lease, clock)
    lease.is_reachable = False
    clock.now = 60.0
    renewer.beat()
    assert not renewer.is_lost
    clock.now = 60.5
    assert renewer.is_lost
    lease.is_reachable = True
    renewer.tick()
    renewer.beat()
    assert not renewer.is_lost


def test_the_thread_ends_with_the_context() -> None:
    """No thread is left behind."""
    with _renewer(Lease(), JumpingClock()) as renewer:
        renewer.tick()
