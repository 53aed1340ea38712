"""Probes of caches: how long another view of the directory takes to show a change.

Owns: the promise P4 (opening a directory refreshes it).
"""

import statistics
from typing import Any, Final

from ingestkit_excel.doctor.bench import Bench
from ingestkit_excel.doctor.deeds import LOOKS
from ingestkit_excel.doctor.findings import Finding, Verdict
from ingestkit_excel.mounts import filesystem_of, is_network_filesystem

__all__ = ["probe_events", "probe_visibility"]

_SAMPLES: Final = 5  # each in a directory of its own, so that no look refreshes another's
_LIMIT_S: Final = 75.0  # NFS keeps what it knows of a directory for 60 s at most
_PROMPT_S: Final = 2.5  # a waiter looks every two seconds at most anyway
_EVENT_S: Final = 3.0
_ANSWER_S: Final = 60.0
_SPOOLS_WAY: Final = "open directory, open"


def probe_visibility(bench: Bench) -> list[Finding]:
    """Measure how long a new name stays unseen by another view that looked for it before."""
    looks = []
    for number, way in enumerate(LOOKS):
        for sample in range(_SAMPLES):
            looks.append((way, f"{bench.make(f'see-{number}-{sample}')}/new"))
    hand = bench.far_hand
    # From here on the other view knows that the names are not there.
    hand.start("look", looks=looks)
    hand.answer(_ANSWER_S)
    hand.start("wait", looks=looks, limit_s=_LIMIT_S)
    made_s = []
    for _, path in looks:
        bench.here.fs.create(f"{path}.tmp", b"new", durable=False)
        bench.here.fs.rename(f"{path}.tmp", path)
        made_s.append(bench.clock.monotonic())
    seen_s = hand.answer(_LIMIT_S + _ANSWER_S)
    delays: dict[str, list[float | None]] = {way: [] for way in LOOKS}
    for (way, _), made, seen in zip(looks, made_s, seen_s, strict=True):
        delays[way].append(None if seen is None else max(0.0, seen - made))
    return [_judge_delay(bench, way, found) for way, found in delays.items()]


def _judge_delay(bench: Bench, way: str, delays: list[float | None]) -> Finding:
    probe = f"seen by: {way}"
    seen = [delay for delay in delays if delay is not None]
    facts: dict[str, Any] = {"delays_s": delays, "limit_s": _LIMIT_S}
    if not seen:
        found = f"{bench.far} did not see a new file within {_LIMIT_S:.0f} s"
    else:
        found = (
            f"{bench.far} sees a new file after {statistics.median(seen):.2f} s (median), "
            f"{max(seen):.2f} s (longest of {len(seen)})"
        )
        if len(seen) < len(delays):
            found += f"; {len(delays) - len(seen)} not within {_LIMIT_S:.0f} s"
    is_whole = len(seen) == len(delays)
    if is_whole and max(seen) <= _PROMPT_S:
        return Finding(probe, Verdict.OK, found, facts=facts)
    if way != _SPOOLS_WAY:
        follows = "the spool does not look in this way; programs of yours should not either"
        change = "open or list the directory before looking for a file in it"
        return Finding(probe, Verdict.OK, found, follows, change, facts)
    change = "mount without nocto and long cache times; a FUSE program may have options for that"
    if not is_whole:
        follows = "waiting for a result may never end"
        return Finding(probe, Verdict.UNSAFE, found, follows, change, facts)
    follows = "results are found, jobs claimed and heartbeats noticed so much later; none is lost"
    return Finding(probe, Verdict.DEGRADED, found, follows, change, facts)


def probe_events(bench: Bench) -> list[Finding]:
    """See whether the kernel tells of a change made by this process or through the other view."""
    directory = bench.make("events")
    fs, hand = bench.here.fs, bench.far_hand
    own = bench.here.disk.watch(directory)
    if own is None:
        has_own = False
    else:
        try:
            fs.create(f"{directory}/own", b"", durable=False)
            has_own = own.has_told("own", _EVENT_S)
        finally:
            own.close()
    hand.start("watch", path=directory)
    has_far = False
    if hand.answer(_ANSWER_S):
        fs.create(f"{directory}/far", b"", durable=False)
        hand.start("was_told", name="far", seconds=_EVENT_S)
        has_far = hand.answer(_ANSWER_S)
    return [_judge_events(bench, has_own=has_own, has_far=has_far)]


def _judge_events(bench: Bench, *, has_own: bool, has_far: bool) -> Finding:
    probe, facts = "events", {"own_change": has_own, "other_view": has_far}
    told = {True: "told", False: "not told"}
    found = f"of its own change a process is {told[has_own]}, {bench.far} is {told[has_far]}"
    kind = filesystem_of(bench.here.root, bench.mountinfo)
    if has_own and has_far:
        return Finding(probe, Verdict.OK, found, facts=facts)
    if kind is None or is_network_filesystem(kind) or (has_own and bench.peer_hands):
        follows = "the spool does not rely on events between hosts; it looks every two seconds"
        return Finding(probe, Verdict.OK, found, follows, facts=facts)
    return Finding(
        probe,
        Verdict.DEGRADED,
        found,
        "waiting for a result ends up to two seconds later",
        "raise fs.inotify.max_user_instances and max_user_watches, if they are used up",
        facts,
    )
