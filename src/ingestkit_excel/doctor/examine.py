"""The examination: all probes, one after the other, in a directory of their own, then swept away.

Promises: a spool in use is not disturbed; a mount that hangs ends a probe, not the doctor.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.doctor.bench import Bench, Place
from ingestkit_excel.doctor.crew import hire, open_place
from ingestkit_excel.doctor.findings import Finding, Report, Verdict
from ingestkit_excel.doctor.locking import probe_locks, probe_locks_across
from ingestkit_excel.doctor.mounting import judge_mount, judge_peer
from ingestkit_excel.doctor.names import (
    probe_case,
    probe_claim_race,
    probe_directory_pairs,
    probe_exclusive_create,
    probe_full_directory,
    probe_hard_links,
    probe_replacement,
)
from ingestkit_excel.doctor.resources import (
    probe_clock,
    probe_rights,
    probe_space,
    probe_speed,
    probe_sync,
)
from ingestkit_excel.doctor.seeing import probe_events, probe_visibility
from ingestkit_excel.errors import ConfigurationError, ErrorCode
from ingestkit_excel.mounts import mount_of, read_mountinfo
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.fs import FileSystemError, Missing, NotRegular
from ingestkit_excel.spool.ids import new_nonce
from ingestkit_excel.spool.patience import Patience

__all__ = ["PROBES", "examine", "run_probes"]

Probe = Callable[[Bench], list[Finding]]

PROBES: Final[dict[str, Probe]] = {
    "rights": probe_rights,
    "space": probe_space,
    "sync to disk": probe_sync,
    "clock": probe_clock,
    "claim race": probe_claim_race,
    "exclusive create": probe_exclusive_create,
    "atomic rename": probe_replacement,
    "full directory": probe_full_directory,
    "directory pairs": probe_directory_pairs,
    "hard links": probe_hard_links,
    "case of names": probe_case,
    "events": probe_events,
    "visibility": probe_visibility,
    "locks across mounts": probe_locks_across,
    "speed": probe_speed,
    "locks on this host": probe_locks,  # last: one of the hands does not live through it
}
"""Each probe by the name that a failure of it is told under."""

_HANDS: Final = 4  # for each mount
_PROBE_S: Final = 300.0  # the longest takes a minute and a half
_PEER_S: Final = 5.0  # until a directory made through one mount must be in the other's listing
_PAUSE_S: Final = 0.1


def examine(
    directory: Path, peer: Path | None = None, *, on_probe: Callable[[str], None] = lambda _: None
) -> Report:
    """Examine a directory, together with another mount of it when there is one.

    Raises:
        ConfigurationError: It is no directory, or the other path does not show the same one.
    """
    directory = _checked(directory)
    peer = None if peer is None else _checked(peer)
    paths = [directory] * _HANDS + ([] if peer is None else [peer] * _HANDS)
    with hire(paths) as hands:
        bench = Bench(
            here=open_place(directory),
            hands=hands[:_HANDS],
            peer_hands=hands[_HANDS:],
            clock=SystemClock(),
            mountinfo=read_mountinfo(),
            scratch=f".ingestkit-doctor-{new_nonce()}",
            peer=None if peer is None else open_place(peer),
            is_spool=(directory / layout.SETTINGS_FILE).is_file(),
        )
        findings = run_probes(bench, on_probe)
    return Report(str(directory), None if peer is None else str(peer), findings)


def _checked(directory: Path) -> Path:
    if not directory.is_dir():
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot examine {directory}: it is no directory; mount the share or correct the path",
        )
    return directory.resolve()


def run_probes(bench: Bench, on_probe: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Judge the mounts and run all probes; what they made is gone afterwards.

    Raises:
        ConfigurationError: The other mount shows another directory.
    """
    findings = judge_mount(mount_of(bench.here.root, bench.mountinfo))
    try:
        bench.here.fs.make_directory(bench.scratch)
    except FileSystemError as error:
        return [*findings, _impossible("rights", error)]
    patience = Patience()
    try:
        if bench.peer is not None:
            findings += _judge_other_mount(bench, bench.peer)
        for name, probe in PROBES.items():
            on_probe(name)
            findings += _run(name, probe, bench, patience)
    finally:
        on_probe("sweeping up")
        with contextlib.suppress(FileSystemError):
            patience.call(lambda: _sweep(bench, bench.scratch), _PROBE_S)
    return findings


def _judge_other_mount(bench: Bench, peer: Place) -> list[Finding]:
    if not _shows(peer, bench.scratch, bench.clock):
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            f"cannot examine {bench.here.root} with {peer.root}: what is made in the one is not "
            "in the other; give two mounts of the same directory",
        )
    devices = (bench.here.disk.modes("").device, peer.disk.modes("").device)
    mount = mount_of(peer.root, bench.mountinfo)
    return [*judge_mount(mount, peer=True), judge_peer(*devices)]


def _shows(peer: Place, name: str, clock: Clock) -> bool:
    ends_s = clock.monotonic() + _PEER_S
    while name not in peer.fs.list_directory(""):
        if clock.monotonic() >= ends_s:
            return False
        clock.sleep(_PAUSE_S)
    return True


def _run(name: str, probe: Probe, bench: Bench, patience: Patience) -> Sequence[Finding]:
    try:
        return patience.call(lambda: probe(bench), _PROBE_S)
    except FileSystemError as error:
        return [_impossible(name, error)]


def _impossible(probe: str, error: FileSystemError) -> Finding:
    return Finding(
        probe,
        Verdict.UNSAFE,
        f"it could not be tried: {error} ({type(error).__name__})",
        "a spool would meet the same error",
        "see that the share is mounted, its server answers and this account may write there",
    )


def _sweep(bench: Bench, path: str) -> None:
    fs = bench.here.fs
    for name in fs.list_directory(path):
        below = f"{path}/{name}"
        try:
            fs.remove(below)
        except NotRegular:
            _sweep(bench, below)
        except Missing:
            continue  # a listing may be old
        except FileSystemError:
            _sweep(bench, below)  # some systems call unlinking a directory a lack of rights
    fs.remove_directory(path)
