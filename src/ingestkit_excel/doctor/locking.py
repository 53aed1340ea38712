"""Probes of advisory locks: do they exclude, and are they free when their holder has died."""

from typing import Final

from ingestkit_excel.doctor.bench import Bench
from ingestkit_excel.doctor.findings import Finding, Verdict

__all__ = ["probe_locks", "probe_locks_across"]

_ANSWER_S: Final = 60.0
_FREED_S: Final = 10.0  # a server notices the end of a process at once, and is given a while
_PAUSE_S: Final = 0.2


def probe_locks(bench: Bench) -> list[Finding]:
    """Two processes of one view take one lock; then the holder is killed."""
    probe = "locks on this host"
    path = f"{bench.make('lock')}/lock"
    # The last of them: it is killed, and no other probe needs it after this one.
    holder, other = bench.hands[-1], bench.hands[0]
    holder.start("lock", path=path)
    if not holder.answer(_ANSWER_S):
        return [
            Finding(
                probe,
                Verdict.DEGRADED,
                "there are no locks on this file system",
                "a worker that died is noticed after its lease only, not at once",
                "mount with locks (NFS: without nolock; start rpc.statd for version 3)",
            )
        ]
    other.start("lock", path=path)
    if other.answer(_ANSWER_S):
        return [
            Finding(
                probe,
                Verdict.UNSAFE,
                "two processes held one lock at once",
                "workers of one host take each other for dead, and their jobs start over and over",
                "run one worker for each host, with more --concurrency",
            )
        ]
    holder.kill()
    if _is_freed(bench, path):
        return [Finding(probe, Verdict.OK, "they exclude, and are free once their holder is dead")]
    return [
        Finding(
            probe,
            Verdict.DEGRADED,
            f"{_FREED_S:.0f} s after the death of its holder a lock was still held",
            "a worker that died is noticed after its lease only, not at once",
            "see that the server's lock service runs",
        )
    ]


def _is_freed(bench: Bench, path: str) -> bool:
    ends_s = bench.clock.monotonic() + _FREED_S
    while True:  # ends with the lock or the time
        lock = bench.here.fs.try_lock(path)
        if lock is not None:
            lock.release()
            return True
        if bench.clock.monotonic() >= ends_s:
            return False
        bench.clock.sleep(_PAUSE_S)


def probe_locks_across(bench: Bench) -> list[Finding]:
    """A process of this view and one of the other take one lock."""
    probe = "locks across mounts"
    if not bench.peer_hands:
        return []
    path = f"{bench.make('lock-across')}/lock"
    lock = bench.here.fs.try_lock(path)
    if lock is None:
        return [Finding(probe, Verdict.OK, "there are no locks", "the spool asks for none there")]
    try:
        bench.far_hand.start("lock", path=path)
        is_double = bench.far_hand.answer(_ANSWER_S)
    finally:
        lock.release()
    if not is_double:
        return [Finding(probe, Verdict.OK, "they exclude")]
    return [
        Finding(
            probe,
            Verdict.DEGRADED,
            "both mounts held one lock at once",
            "between hosts the spool relies on no lock; but workers of one host that use two "
            "mounts of the share would take each other for dead",
            "let all workers of a host use one mount of the share",
        )
    ]
