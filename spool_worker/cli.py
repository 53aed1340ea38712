"""``spool-worker``: options, a daemon made of them, and a named exit code."""

import argparse
import logging
import os
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path

from ingestkit_excel.backends import MemoryStore, open_store
from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.errors import ConfigurationError, ErrorCode, IngestKitError, SpoolError
from ingestkit_excel.execution import Roots
from ingestkit_excel.spool import Spool, SpoolWorker
from spool_worker.daemon import Daemon, DaemonSettings, Until
from spool_worker.isolation import JobSlot
from spool_worker.logs import configure_logging
from spool_worker.renewal import LeaseRenewer
from spool_worker.shutdown import StopToken, stop_on_signals
from spool_worker.watchdog import Watchdog

__all__ = ["ExitCode", "main"]

_LOG = logging.getLogger(__name__)
_BEATS_PER_LEASE = 6  # five may fail before others take the worker for dead
_STALL_S_MIN = 10.0  # ending a child takes up to six seconds, however short the lease
_STORE_NAME = "ingestkit-store"


class ExitCode(IntEnum):
    """What the process tells its supervisor."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    SPOOL_NOT_FOUND = 3
    SPOOL_INVALID = 4
    SPOOL_NEWER_FORMAT = 5
    SPOOL_READ_ONLY = 6
    SPOOL_PERMISSION = 7
    SPOOL_UNAVAILABLE = 8
    STALLED = 9
    CHILD_UNKILLABLE = 10


_EXIT_CODES = {
    ErrorCode.E_CONFIG_INVALID: ExitCode.USAGE,
    ErrorCode.E_EXECUTION_TIMEOUT: ExitCode.CHILD_UNKILLABLE,
    ErrorCode.E_SPOOL_NOT_FOUND: ExitCode.SPOOL_NOT_FOUND,
    ErrorCode.E_SPOOL_INVALID: ExitCode.SPOOL_INVALID,
    ErrorCode.E_SPOOL_NEWER_FORMAT: ExitCode.SPOOL_NEWER_FORMAT,
    ErrorCode.E_SPOOL_READ_ONLY: ExitCode.SPOOL_READ_ONLY,
    ErrorCode.E_SPOOL_PERMISSION: ExitCode.SPOOL_PERMISSION,
}

_EPILOG = (
    "exit codes: 0 stopped or drained as asked; 1 defect; 2 options; 3 no spool there; 4 not a "
    "spool; 5 spool of a newer format; 6 mounted read-only; 7 permissions; 8 full or unreachable; "
    "9 a mount did not answer for half a lease; 10 a job's process could not be killed"
)


def main(
    arguments: Sequence[str] | None = None, *, leave: Callable[[int], object] = os._exit
) -> int:
    """Run a worker; give the exit code.

    Args:
        leave: Ends the process when its usual end would wait for a child that does not die.
    """
    code = _run_coded(arguments)
    if code is ExitCode.CHILD_UNKILLABLE:
        leave(code)
    return code


def _run_coded(arguments: Sequence[str] | None) -> ExitCode:
    options = _parser().parse_args(arguments)
    configure_logging(options.log_format)
    try:
        _run(options)
    except IngestKitError as error:
        print(f"spool-worker: {error.message} [{error.code}]", file=sys.stderr)
        fallback = (
            ExitCode.SPOOL_UNAVAILABLE if isinstance(error, SpoolError) else ExitCode.INTERNAL
        )
        return _EXIT_CODES.get(error.code, fallback)
    except Exception:  # noqa: BLE001 - the last line of defence: a defect is logged, and coded
        _LOG.exception("worker_failed")
        return ExitCode.INTERNAL
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spool-worker",
        description="Run the jobs of a spool: claim, ingest, publish the result.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"spool-worker {version('ingestkit-excel')}")
    add("--spool", required=True, type=Path, metavar="DIR", help="the spool directory")
    add(
        "--root",
        action="append",
        default=[],
        type=_root,
        metavar="NAME=PATH",
        help="where this host has the root NAME; 'share' is the spool's parent unless given",
    )
    add("--store", metavar="URL", help=f"where to write; default: {_STORE_NAME} beside the spool")
    add("--concurrency", type=_positive, default=1, metavar="N", help="jobs at a time; default 1")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--once", action="store_true", help="run one job, or none if none waits")
    mode.add_argument(
        "--drain",
        action="store_true",
        help="end when nothing waits that can be run here within half a minute",
    )
    add("--max-jobs", type=_positive, metavar="N", help="end after N jobs")
    add(
        "--grace",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds a running job may take to finish after SIGTERM, before it is given back",
    )
    add("--memory-max", type=_positive, metavar="MIB", help="address space one job may use")
    add("--log-format", choices=("text", "json"), default="text")
    add("--insecure", action="store_true", help="accept a spool that everybody may write to")
    return parser


def _root(text: str) -> tuple[str, str]:
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    return name, path


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return number


def _run(options: argparse.Namespace) -> None:
    spool = Spool.open(options.spool)
    if not options.insecure:
        _refuse_world_writable(spool.directory)
    roots = Roots.for_spool(spool.directory, dict(options.root))
    store = options.store or f"bundle://{spool.directory.resolve().parent / _STORE_NAME}"
    _refuse_unfit_store(store)
    clock = SystemClock()
    stop = StopToken()
    with ExitStack() as stack:
        # Entered first, so that a signal during the steps below is not lost.
        stack.enter_context(stop_on_signals(stop))
        worker = spool.enlist(host=socket.gethostname())
        slots = [
            JobSlot(
                roots=roots,
                spool_directory=spool.directory.absolute(),
                store=store,
                clock=clock,
                on_done=stop.wake,
                memory_bytes_max=options.memory_max and options.memory_max << 20,
            )
            for _ in range(options.concurrency)
        ]
        # Left last, for a mount may also hang while we leave.
        watchdog = stack.enter_context(_watchdog(spool, slots))
        stack.callback(worker.retire)
        for slot in slots:
            stack.callback(slot.close)
            stack.callback(watchdog.tick)
        renewer = stack.enter_context(_renewer(spool, worker, clock, watchdog))
        extra = {"worker_id": worker.worker_id, "spool": str(spool.directory), "store": store}
        _LOG.info("worker_started", extra=extra)
        daemon = Daemon(
            worker,
            slots,
            settings=_daemon_settings(options).fitted_to(spool.settings.lease_duration_s),
            renewer=renewer,
            stop=stop,
            clock=clock,
            is_drained=_drained(spool),
        )
        completed = daemon.run()
    _LOG.info("worker_stopped", extra={"worker_id": worker.worker_id, "completed": completed})


def _refuse_unfit_store(store: str) -> None:
    # Said once at the start, rather than by the failure of every job.
    if isinstance(open_store(store), MemoryStore):
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot write to the store {store}: it ends with each job's process; "
            "use bundle:///directory or sqlite:///file.db",
        )


def _daemon_settings(options: argparse.Namespace) -> DaemonSettings:
    until = Until.STOPPED
    if options.once:
        until = Until.ONE_LOOK
    elif options.drain:
        until = Until.DRAINED
    return DaemonSettings(until=until, jobs_max=options.max_jobs, grace_s=options.grace)


def _watchdog(spool: Spool, slots: Sequence[JobSlot]) -> Watchdog:
    def kill() -> None:
        for slot in slots:
            slot.kill_at_once()

    duration_s = spool.settings.lease_duration_s
    return Watchdog(
        kill=kill,
        # No less will do: what would be waited for at a usual end may never come.
        abort=lambda: os._exit(ExitCode.STALLED),
        interval_s=duration_s / _BEATS_PER_LEASE,
        limit_s=max(duration_s / 2, _STALL_S_MIN),
    )


def _renewer(spool: Spool, worker: SpoolWorker, clock: Clock, watchdog: Watchdog) -> LeaseRenewer:
    duration_s = spool.settings.lease_duration_s
    return LeaseRenewer(
        worker.renew,
        interval_s=duration_s / _BEATS_PER_LEASE,
        lease_duration_s=duration_s,
        clock=clock,
        on_tick=watchdog.tick,
    )


def _drained(spool: Spool) -> Callable[[], bool]:
    def is_drained() -> bool:
        status = spool.status()
        return status.pending == 0 and status.delayed == 0

    return is_drained


def _refuse_world_writable(directory: Path) -> None:
    try:
        mode = os.stat(directory).st_mode
    except OSError as error:
        raise SpoolError(
            ErrorCode.E_SPOOL_UNREACHABLE,
            f"cannot look at the spool {directory}: {error.strerror}; check the mount",
        ) from error
    if mode & stat.S_IWOTH:
        raise ConfigurationError(
            ErrorCode.E_SPOOL_PERMISSION,
            f"cannot trust the spool {directory}: everybody may write to it; "
            "run chmod o-w on it, or pass --insecure",
        )
