"""Probes of what there is: space, rights, time and speed.

Owns: the promise P3 (what is synced survives), as far as a running system can show it.
"""

import statistics
from typing import Final

from ingestkit_excel.doctor.bench import Bench
from ingestkit_excel.doctor.findings import Finding, Verdict
from ingestkit_excel.doctor.rawdisk import Modes
from ingestkit_excel.mounts import filesystem_of, is_network_filesystem

__all__ = ["probe_clock", "probe_rights", "probe_space", "probe_speed", "probe_sync"]

_FREE_BYTES_MIN: Final = 16 << 20  # below that a spool accepts no job by default
_FREE_BYTES_AMPLE: Final = 1 << 30
_FREE_NAMES_MIN: Final = 1_000
_FREE_NAMES_AMPLE: Final = 100_000  # a job takes a few names for as long as it is kept
_SYNCS: Final = 10
_SYNC_S_MIN: Final = 0.0001  # no disk behind a network syncs so quickly
_OFFSET_S_MAX: Final = 5.0
_SPEED_S: Final = 2.0
_ROUNDS_PER_S_MIN: Final = 5.0  # a job costs about as much as one round
_JOB: Final = b"x" * 1024  # about the size of a job


def probe_sync(bench: Bench) -> list[Finding]:
    """Sync a directory and some files; a sync that costs nothing may do nothing."""
    directory = bench.make("sync")
    refusal = bench.here.disk.sync_directory(directory)
    taken_s = []
    for number in range(_SYNCS):
        begun_s = bench.clock.monotonic()
        bench.here.fs.create(f"{directory}/f{number}", _JOB, durable=True)
        taken_s.append(bench.clock.monotonic() - begun_s)
    median_s = statistics.median(taken_s)
    facts = {"directory_error": refusal, "file_median_s": median_s}
    kind = filesystem_of(bench.here.root, bench.mountinfo)
    is_remote = kind is not None and is_network_filesystem(kind)
    probe = "sync to disk"
    found = f"a synced file takes {median_s * 1000:.1f} ms"
    if refusal in ("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"):
        found += f"; directories cannot be synced ({refusal})"
        if is_remote:
            follows = "the server does it with each change"
            return [Finding(probe, Verdict.OK, found, follows, facts=facts)]
        follows = "a job accepted just before a power cut may be lost"
        change = "use a file system that syncs directories, such as ext4 or xfs"
        return [Finding(probe, Verdict.DEGRADED, found, follows, change, facts)]
    if refusal:
        found = f"syncing a directory fails with {refusal}"
        follows = "no job is accepted, as none would be safe"
        change = "look into the system's log: the disk may be failing"
        return [Finding(probe, Verdict.UNSAFE, found, follows, change, facts)]
    if is_remote and median_s < _SYNC_S_MIN:
        follows = (
            "that is too quick for a disk: the server may only pretend, and lose it in a crash"
        )
        change = "see that the export is sync (exportfs -v), or that the server's cache is safe"
        return [Finding(probe, Verdict.DEGRADED, found, follows, change, facts)]
    return [Finding(probe, Verdict.OK, f"{found}; directories can be synced", facts=facts)]


def probe_clock(bench: Bench) -> list[Finding]:
    """Compare the time stamped on a new file with the clock of this host."""
    path = f"{bench.make('clock')}/file"
    before_s = bench.clock.wall()
    bench.here.fs.create(path, b"", durable=False)
    after_s = bench.clock.wall()
    stamped_s = bench.here.fs.stamp(path).mtime_ns / 1e9
    # Stamps may be cut to the second, or to a tick of the kernel's clock.
    offset_s = 0.0
    if stamped_s > after_s:
        offset_s = stamped_s - after_s
    elif stamped_s < int(before_s) - 1:
        offset_s = stamped_s - before_s
    facts = {"offset_s": offset_s}
    found = "the server's clock agrees with this host's"
    if abs(offset_s) > _OFFSET_S_MAX:
        word = "ahead of" if offset_s > 0 else "behind"
        found = f"the server's clock is {abs(offset_s):.0f} s {word} this host's"
        follows = "nothing is decided by it; but times in results and listings mislead"
        change = "let both follow a time server (NTP)"
        return [Finding("clock", Verdict.DEGRADED, found, follows, change, facts)]
    return [Finding("clock", Verdict.OK, found, facts=facts)]


def probe_space(bench: Bench) -> list[Finding]:
    """See how much more fits."""
    free, names = bench.here.fs.free_space(), bench.here.disk.free_names()
    facts = {"free_bytes": free, "free_names": names}
    found = f"{free / 2**30:.1f} GiB free"
    found += "" if names is None else f", {names} more files"
    change = "free space, or raise the quota"
    if free < _FREE_BYTES_MIN or (names is not None and names < _FREE_NAMES_MIN):
        follows = "jobs are refused, and results may not find room"
        return [Finding("space", Verdict.UNSAFE, found, follows, change, facts)]
    if free < _FREE_BYTES_AMPLE or (names is not None and names < _FREE_NAMES_AMPLE):
        follows = "a busy week may fill it: outcomes are kept for seven days by default"
        return [Finding("space", Verdict.DEGRADED, found, follows, change, facts)]
    return [Finding("space", Verdict.OK, found, facts=facts)]


def probe_rights(bench: Bench) -> list[Finding]:
    """See who else may write, by the directory's mode and by those of what is made in it."""
    directory = bench.make("rights")
    bench.here.fs.create(f"{directory}/file", b"", durable=False)
    disk = bench.here.disk
    top, made, file = disk.modes(""), disk.modes(directory), disk.modes(f"{directory}/file")
    facts = {
        "directory": f"{top.mode:o}",
        "new_directory": f"{made.mode:o}",
        "new_file": f"{file.mode:o}",
        "owner": top.owner,
        "group": top.group,
    }
    found = f"directory {top.mode:o}, what is made in it {made.mode:o} and {file.mode:o}"
    verdict, follows, change = _judge_rights(top, made, file)
    return [Finding("rights", verdict, found, follows, change, facts)]


def _judge_rights(top: Modes, made: Modes, file: Modes) -> tuple[Verdict, str, str]:
    if (top.mode | made.mode | file.mode) & 0o002:
        return (
            Verdict.UNSAFE,
            "everybody may put jobs there or take results away, and workers refuse such a spool",
            "take the write bit from others: chmod o-w, or file_mode=0660,dir_mode=0770 (SMB)",
        )
    if top.mode & 0o1000:
        return (
            Verdict.DEGRADED,
            "the sticky bit lets only owners rename: workers of another user cannot claim a job",
            "chmod -t on the directory",
        )
    if not top.mode & 0o020:
        follows = "only its owner may write: all submitters and workers must be that user"
        return Verdict.OK, follows, "for several users: chgrp to a common group, chmod g+ws"
    if not made.mode & 0o020:
        return (
            Verdict.DEGRADED,
            "the group may not write what is made: all submitters and workers must be one user",
            "start submitters and workers with umask 007, and give them a common group",
        )
    if made.group != top.group:
        return (
            Verdict.DEGRADED,
            "what is made belongs to another group than the directory, so others of its group are "
            "locked out",
            "chmod g+s on the directory",
        )
    return Verdict.OK, "", ""


def probe_speed(bench: Bench) -> list[Finding]:
    """Count rounds of a synced create, two renames, a read and a remove."""
    directory, fs = bench.make("speed"), bench.here.fs
    begun_s, rounds = bench.clock.monotonic(), 0
    taken_s = 0.0
    while taken_s < _SPEED_S:
        one, two, three = (f"{directory}/{step}{rounds}" for step in "abc")
        fs.create(one, _JOB, durable=True)
        fs.rename(one, two)
        fs.rename(two, three)
        fs.refresh(directory)
        fs.read(three, max_bytes=len(_JOB))
        fs.remove(three)
        rounds += 1
        taken_s = bench.clock.monotonic() - begun_s
    rate = rounds / taken_s
    facts = {"rounds_per_s": rate, "operations_per_s": rate * 6}
    found = f"{rate * 6:.0f} operations/s in one process, about {rate:.0f} jobs/s"
    if rate < _ROUNDS_PER_S_MIN:
        follows = "the share limits how many jobs can be handled, however many workers there are"
        change = "look at the network's delay and the server's disk"
        return [Finding("speed", Verdict.DEGRADED, found, follows, change, facts)]
    return [Finding("speed", Verdict.OK, found, facts=facts)]
