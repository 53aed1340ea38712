"""Each probe of the doctor passes a sound file system, and is seen to fail on a broken one."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package

from doctor_bench import SCRATCH, disk_of, make_bench

from ingestkit_excel.doctor import Finding, Verdict
from ingestkit_excel.doctor.bench import Bench
from ingestkit_excel.doctor.examine import PROBES, run_probes
from ingestkit_excel.doctor.locking import probe_locks, probe_locks_across
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
from ingestkit_excel.spool import Spool
from ingestkit_excel.spool.fs import HeldLock, Missing, NotRegular, Unreachable
from ingestkit_excel.testing.clock import FakeClock
from ingestkit_excel.testing.filesystem import Fault, FaultyFileSystem, MemoryFileSystem

Probe = Callable[[Bench], list[Finding]]


class CopyingRename(MemoryFileSystem):
    """Copies where it should move, as some object stores do."""

    def rename(self, source: str, target: str) -> None:
        self.create(target, self.read(source, max_bytes=1 << 20), durable=False)


class LosingRename(MemoryFileSystem):
    """Removes the old name and never makes the new one."""

    def rename(self, source: str, target: str) -> None:
        assert source != target
        self.read(source, max_bytes=1 << 20)
        self.remove(source)


class OverwritingCreate(MemoryFileSystem):
    """Takes a taken name for a free one."""

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        with contextlib.suppress(Missing):
            self.remove(path)
        super().create(path, data, durable=durable)


class TornRead(MemoryFileSystem):
    """Shows half of what was written."""

    def read(self, path: str, *, max_bytes: int) -> bytes:
        data = super().read(path, max_bytes=max_bytes)
        return data[: len(data) // 2]


class GapOnReplace(MemoryFileSystem):
    """Has no file for a moment after each replacement."""

    def read(self, path: str, *, max_bytes: int) -> bytes:
        if path.endswith("replace/name"):
            raise Missing(path, "it is being replaced")
        return super().read(path, max_bytes=max_bytes)


class DirectoryReplaced(MemoryFileSystem):
    """Lets a directory take the place of a full one."""

    def rename(self, source: str, target: str) -> None:
        if target.endswith("full/first"):
            self.remove(f"{target}/owner")
        super().rename(source, target)


class TwoDisks(MemoryFileSystem):
    """Keeps ``dead`` on another disk."""

    def rename(self, source: str, target: str) -> None:
        if ("/dead/" in source) != ("/dead/" in target):
            raise Unreachable(source, "Invalid cross-device link")
        super().rename(source, target)


class CaseFolding(MemoryFileSystem):
    """Knows small letters only."""

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        super().create(path.lower(), data, durable=durable)

    def read(self, path: str, *, max_bytes: int) -> bytes:
        return super().read(path.lower(), max_bytes=max_bytes)


class FreeLocks(MemoryFileSystem):
    """Grants every lock to everybody."""

    def try_lock(self, path: str) -> HeldLock | None:
        return super().try_lock(f"{path}.{len(self.list_directory(path.rpartition('/')[0]))}")


class NoLocks(MemoryFileSystem):
    """Has no locks."""

    def try_lock(self, path: str) -> HeldLock | None:
        assert path
        return None


class StuckLock(MemoryFileSystem):
    """Never frees a lock."""

    def try_lock(self, path: str) -> HeldLock | None:
        lock = super().try_lock(path)
        if lock is not None:
            lock.release = lambda: None  # type: ignore[method-assign]
        return lock


class FullDisk(MemoryFileSystem):
    """Has room for nothing."""

    def free_space(self) -> int:
        return 1 << 20


class NearlyFullDisk(MemoryFileSystem):
    """Has room for little."""

    def free_space(self) -> int:
        return 1 << 28


def _verdicts(findings: list[Finding]) -> list[Verdict]:
    return [finding.verdict for finding in findings]


@pytest.mark.parametrize("name", [name for name in PROBES if name != "locks across mounts"])
def test_a_sound_file_system_passes_each_probe(name: str) -> None:
    """No probe cries wolf."""
    findings = PROBES[name](make_bench())
    assert set(_verdicts(findings)) == {Verdict.OK}


@pytest.mark.parametrize(
    ("probe", "kind", "verdict"),
    [
        (probe_claim_race, CopyingRename, Verdict.UNSAFE),
        (probe_claim_race, LosingRename, Verdict.UNSAFE),
        (probe_exclusive_create, OverwritingCreate, Verdict.UNSAFE),
        (probe_replacement, TornRead, Verdict.UNSAFE),
        (probe_replacement, GapOnReplace, Verdict.DEGRADED),
        (probe_full_directory, DirectoryReplaced, Verdict.UNSAFE),
        (probe_directory_pairs, TwoDisks, Verdict.UNSAFE),
        (probe_case, CaseFolding, Verdict.DEGRADED),
        (probe_locks, FreeLocks, Verdict.UNSAFE),
        (probe_locks, NoLocks, Verdict.DEGRADED),
        (probe_locks, StuckLock, Verdict.DEGRADED),
        (probe_space, FullDisk, Verdict.UNSAFE),
        (probe_space, NearlyFullDisk, Verdict.DEGRADED),
    ],
)
def test_a_broken_promise_is_found(
    probe: Probe, kind: type[MemoryFileSystem], verdict: Verdict
) -> None:
    """The verdict comes with what follows and what to change."""
    (finding,) = probe(make_bench(kind()))
    assert finding.verdict is verdict
    assert finding.follows
    assert finding.change


@pytest.mark.parametrize("probe", [probe_claim_race, probe_exclusive_create])
def test_a_lost_answer_in_a_race_is_a_drawback_only(probe: Probe) -> None:
    """The spool expects it, and the operator is told of it."""
    disk = MemoryFileSystem()
    bench = make_bench(disk, far=FaultyFileSystem(disk, Fault.REPORTED_FAILED, 3))
    hands = [*bench.peer_hands[:1]]
    alone = Bench(bench.here, hands, [], bench.clock, bench.mountinfo, SCRATCH)
    (finding,) = probe(alone)
    assert finding.verdict is Verdict.DEGRADED
    assert finding.facts["unclear"] == 1


def test_a_replaced_name_may_be_refused_while_it_is_read() -> None:
    """Some servers share no open file; the spool renames to fresh names only."""
    disk = MemoryFileSystem()
    bench = make_bench(FaultyFileSystem(disk, Fault.FAILED, 11))
    (finding,) = probe_replacement(bench)
    assert finding.verdict is Verdict.OK
    assert finding.facts["replacements_refused"] == 1


def test_a_link_onto_a_taken_name_is_found() -> None:
    """Other programs build locks on that."""
    bench = make_bench()
    disk_of(bench).link_errors = ["", ""]
    assert _verdicts(probe_hard_links(bench)) == [Verdict.DEGRADED]


def test_a_file_system_without_links_is_fine() -> None:
    """The spool makes none."""
    bench = make_bench()
    disk_of(bench).link_errors = ["ENOTSUP"]
    assert _verdicts(probe_hard_links(bench)) == [Verdict.OK]


class LateView(FaultyFileSystem):
    """Shows no file that is younger than its delay, unless by listing."""

    def __init__(self, disk: MemoryFileSystem, clock: FakeClock, delay_s: float) -> None:
        super().__init__(disk, Fault.FAILED, 1 << 60)
        self._clock, self._from_s = clock, clock.monotonic() + delay_s

    def read(self, path: str, *, max_bytes: int) -> bytes:
        if self._clock.monotonic() < self._from_s:
            raise Missing(path, "cached as missing")
        return super().read(path, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("delay_s", "verdict"),
    [(1.0, Verdict.OK), (30.0, Verdict.DEGRADED), (1e9, Verdict.UNSAFE)],
)
def test_a_late_view_is_judged_by_how_late_it_is(delay_s: float, verdict: Verdict) -> None:
    """Opening the directory must show what is in it; never is too late."""
    disk, clock = MemoryFileSystem(), FakeClock()
    bench = make_bench(disk, far=LateView(disk, clock, delay_s))
    bench = Bench(bench.here, bench.hands, bench.peer_hands, clock, "", SCRATCH)
    for hand in bench.peer_hands:
        hand._deeds._clock = clock  # type: ignore[attr-defined]
    findings = {finding.probe: finding for finding in probe_visibility(bench)}
    assert findings["seen by: open directory, open"].verdict is verdict
    assert findings["seen by: list directory"].verdict is Verdict.OK


def test_a_bare_look_that_never_finds_is_told_and_forgiven() -> None:
    """The spool does not look so, and programs that do are advised."""
    bench = make_bench()
    disk_of(bench).finds = False
    findings = {finding.probe: finding for finding in probe_visibility(bench)}
    assert findings["seen by: stat"].verdict is Verdict.OK
    assert "did not see" in findings["seen by: stat"].found
    assert findings["seen by: stat"].change


@pytest.mark.parametrize(
    ("kind", "tells", "verdict"),
    [
        ("ext4", True, Verdict.OK),
        ("ext4", False, Verdict.DEGRADED),
        ("ext4", None, Verdict.DEGRADED),
        ("nfs4", False, Verdict.OK),
        ("nfs4", None, Verdict.OK),
    ],
)
def test_missing_events_count_on_a_local_disk_only(
    kind: str, tells: bool | None, verdict: Verdict
) -> None:
    """Elsewhere nobody relies on them."""
    bench = make_bench(kind=kind)
    disk_of(bench).tells = tells
    assert _verdicts(probe_events(bench)) == [verdict]


def test_locks_across_mounts_that_do_not_exclude_are_found() -> None:
    """Workers of one host must then share a mount."""
    disk = MemoryFileSystem()
    bench = make_bench(disk, far=disk)
    assert _verdicts(probe_locks_across(bench)) == [Verdict.OK]
    disk = FreeLocks()
    bench = make_bench(disk, far=disk)
    assert _verdicts(probe_locks_across(bench)) == [Verdict.DEGRADED]
    disk = NoLocks()
    bench = make_bench(disk, far=disk)
    assert _verdicts(probe_locks_across(bench)) == [Verdict.OK]


def test_without_another_mount_there_are_no_locks_across() -> None:
    """Nothing is said of what was not tried."""
    assert probe_locks_across(make_bench()) == []


@pytest.mark.parametrize(
    ("kind", "error", "verdict"),
    [
        ("ext4", "EIO", Verdict.UNSAFE),
        ("ext4", "EINVAL", Verdict.DEGRADED),
        ("nfs4", "EINVAL", Verdict.OK),
        ("ext4", "", Verdict.OK),
    ],
)
def test_a_directory_that_cannot_be_synced_is_found(
    kind: str, error: str, verdict: Verdict
) -> None:
    """A local disk must; a server does it with each change."""
    bench = make_bench(kind=kind)
    disk_of(bench).sync_error = error
    assert _verdicts(probe_sync(bench)) == [verdict]


def test_a_server_that_syncs_in_no_time_is_suspected() -> None:
    """A disk behind a network takes longer than this."""
    bench = make_bench(kind="nfs4")
    still = Bench(bench.here, bench.hands, [], FakeClock(), bench.mountinfo, SCRATCH)
    assert _verdicts(probe_sync(still)) == [Verdict.DEGRADED]


@pytest.mark.parametrize(("offset_s", "word"), [(100.0, "ahead of"), (-100.0, "behind")])
def test_a_clock_that_is_off_is_told(offset_s: float, word: str) -> None:
    """Nothing is decided by it, but people read times."""
    bench = make_bench(MemoryFileSystem(FakeClock(1_700_000_000.0 + offset_s)))
    (finding,) = probe_clock(bench)
    assert finding.verdict is Verdict.DEGRADED
    assert f"100 s {word}" in finding.found


def test_too_few_names_left_are_found() -> None:
    """A disk can be full of files before it is full of bytes."""
    bench = make_bench()
    disk_of(bench).names = 10
    assert _verdicts(probe_space(bench)) == [Verdict.UNSAFE]
    disk_of(bench).names = 5_000
    assert _verdicts(probe_space(bench)) == [Verdict.DEGRADED]


@pytest.mark.parametrize(
    ("top", "made", "group", "verdict"),
    [
        (0o2770, 0o2770, 1, Verdict.OK),
        (0o755, 0o750, 1, Verdict.OK),
        (0o777, 0o770, 1, Verdict.UNSAFE),
        (0o2770, 0o777, 1, Verdict.UNSAFE),
        (0o3770, 0o2770, 1, Verdict.DEGRADED),
        (0o2770, 0o2750, 1, Verdict.DEGRADED),
        (0o770, 0o770, 2, Verdict.DEGRADED),
    ],
)
def test_rights_that_open_or_lock_are_found(
    top: int, made: int, group: int, verdict: Verdict
) -> None:
    """Everybody is too many, and one user may be too few."""
    bench = make_bench()
    disk = disk_of(bench)
    disk.mode_of_top, disk.mode_of_made, disk.group_of_made = top, made, group
    assert _verdicts(probe_rights(bench)) == [verdict]


class SlowCreate(MemoryFileSystem):
    """Takes a second for each file."""

    clock = FakeClock()

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        self.clock.advance(1.0)
        super().create(path, data, durable=durable)


def test_a_slow_share_is_found() -> None:
    """One job a second is a limit that workers cannot lift."""
    bench = make_bench(SlowCreate())
    slow = Bench(bench.here, bench.hands, [], SlowCreate.clock, bench.mountinfo, SCRATCH)
    assert _verdicts(probe_speed(slow)) == [Verdict.DEGRADED]


def test_an_examination_leaves_nothing_behind() -> None:
    """A spool that was in use holds what it held, and every shard was visited."""
    disk = MemoryFileSystem()
    Spool.create(Path("/share"), fs=disk)
    before = _all_names(disk, "")
    findings = run_probes(make_bench(disk, has_scratch=False))
    assert _all_names(disk, "") == before
    (pairs,) = [finding for finding in findings if finding.probe == "directory pairs"]
    assert "of the spool's directories" in pairs.found
    assert pairs.facts["renames"] > 512


def _all_names(disk: MemoryFileSystem, path: str) -> list[str]:
    names = []
    for name in sorted(disk.list_directory(path)):
        if name == SCRATCH:
            continue
        below = f"{path}/{name}".lstrip("/")
        names.append(below)
        try:
            names += _all_names(disk, below)
        except NotRegular:
            continue
    return names


def test_a_probe_that_meets_an_error_says_so_and_the_others_go_on() -> None:
    """The examination has a finding for each probe, whatever the disk does."""
    for fault_at in (1, 5, 20, 500, 1500):
        findings = run_probes(make_bench_failing(fault_at))
        bad = [finding for finding in findings if finding.verdict is Verdict.UNSAFE]
        assert len(findings) >= len(PROBES) - 1 or fault_at == 1
        assert all(finding.change for finding in bad)


def make_bench_failing(fault_at: int) -> Bench:
    """Give a bench whose own view fails once."""
    disk = MemoryFileSystem()
    Spool.create(Path("/share"), fs=disk)
    return make_bench(FaultyFileSystem(disk, Fault.FAILED, fault_at), has_scratch=False)
