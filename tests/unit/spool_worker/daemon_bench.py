"""A daemon on a spool in memory, whose share, clock and rounds a test controls."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ingestkit_excel.execution import Roots
from ingestkit_excel.spool import Claim, JobDraft, Outcome, Spool, SpoolSettings, SpoolWorker
from ingestkit_excel.spool.fs import FileSystem, FileSystemError
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, MemoryFileSystem
from spool_worker.daemon import Daemon, DaemonSettings
from spool_worker.isolation import JobSlot, Verdict
from spool_worker.renewal import LeaseRenewer
from spool_worker.shutdown import StopToken

T = TypeVar("T")
DIRECTORY = Path("/spool")
NEVER = 1 << 60


def done(claim: Claim) -> Verdict:
    """Give the verdict on a job that went well."""
    outcome = Outcome(
        job_id=claim.job.job_id, status="done", worker_id=claim.worker_id, attempt=claim.attempt
    )
    return Verdict(claim, outcome)


def unfinished(_claim: Claim) -> None:
    """Let the job run on."""


class Connection(FaultyFileSystem):
    """One host's view of the share; ``fault`` says which paths fail, and how."""

    def __init__(self, disk: MemoryFileSystem) -> None:
        super().__init__(disk, Fault.FAILED, NEVER)
        self.fault: Callable[[str], FileSystemError | None] = lambda _: None

    def _run(self, operation: Callable[[], T], path: str, torn: Callable[[], T] | None = None) -> T:
        error = self.fault(path)
        if error is not None:
            raise error
        return super()._run(operation, path, torn)


class ScriptedSlot(JobSlot):
    """Gives the verdict that ``script`` gives; ``None`` keeps the job running."""

    def __init__(self, clock: FakeClock, script: Callable[[Claim], Verdict | None]) -> None:
        super().__init__(roots=Roots({}), spool_directory=DIRECTORY, store="", clock=clock)
        self.script = script
        self._claim: Claim | None = None
        self.is_hanging = False

    @property
    def is_stuck(self) -> bool:
        """Whether it was told that its child does not die."""
        return self.is_hanging

    @property
    def claim(self) -> Claim | None:
        """The claim it was started with."""
        return self._claim

    def start(self, claim: Claim) -> None:
        """Remember the claim."""
        self._claim = claim

    def poll(self) -> Verdict | None:
        """Ask the script."""
        assert self._claim is not None
        verdict = self.script(self._claim)
        if verdict is not None:
            self._claim = None
        return verdict

    def stop(self) -> Claim | None:
        """Forget the claim."""
        claim, self._claim = self._claim, None
        return claim


class RoundToken(StopToken):
    """Calls ``on_wait`` in each round of the loop, instead of waiting."""

    def __init__(self, on_wait: Callable[[float], None]) -> None:
        super().__init__()
        self._on_wait = on_wait

    def wait(self, timeout_s: float) -> None:
        """Tell."""
        self._on_wait(timeout_s)


class DaemonBench:
    """A daemon with one slot; each round takes five seconds, each second one has a heartbeat.

    ``on_round`` is called with the number of the round; after ``rounds_max`` the daemon is asked
    to stop.
    """

    def __init__(
        self,
        script: Callable[[Claim], Verdict | None],
        *,
        retry_backoff_s: float = 0.0,
        **settings: object,
    ) -> None:
        self.clock = FakeClock()
        self.disk = MemoryFileSystem(self.clock)
        rules = SpoolSettings(retry_backoff_s=retry_backoff_s)
        self.spool = Spool.create(DIRECTORY, rules, fs=self.disk, clock=self.clock)
        self.connection = Connection(self.disk)
        self.worker: SpoolWorker = self.open(self.connection).enlist(host="here")
        self.slot = ScriptedSlot(self.clock, script)
        self.renewer = LeaseRenewer(
            self.worker.renew, interval_s=10, lease_duration_s=60, clock=self.clock
        )
        self.on_round: Callable[[int], None] = lambda _: None
        self.rounds = 0
        self.rounds_max = 400
        self.stop = RoundToken(self._round)
        self.daemon = Daemon(
            self.worker,
            [self.slot],
            settings=DaemonSettings(**settings),  # type: ignore[arg-type]
            renewer=self.renewer,
            stop=self.stop,
            clock=self.clock,
            is_drained=self._is_drained,
        )

    def open(self, fs: FileSystem) -> Spool:
        """Open the spool as another host would, by its own view of the share."""
        return Spool.open(DIRECTORY, fs=fs, clock=self.clock)

    def _is_drained(self) -> bool:
        status = self.spool.status()
        return status.pending == 0 and status.delayed == 0

    def submit(self) -> str:
        """Put one job into the spool."""
        draft = JobDraft(root="share", rel="a", file_path="a", size_bytes=1, mtime_ns=1)
        return self.spool.submit(draft)

    def _round(self, _timeout_s: float) -> None:
        self.rounds += 1
        self.clock.advance(5.0)
        if self.rounds % 2 == 0:
            self.renewer.beat()
        self.on_round(self.rounds)
        if self.rounds >= self.rounds_max:
            self.stop.request()
            self.stop.request()
