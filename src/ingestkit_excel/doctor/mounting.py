"""What the type and the options of a mount promise, judged without touching the disk. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ingestkit_excel.doctor.findings import Finding, Verdict
from ingestkit_excel.mounts import Mount, is_network_filesystem

__all__ = ["judge_mount", "judge_peer"]

PROBE: Final = "mount"
_FRESH_S_MAX: Final = 60  # the default bound of NFS caches, and of a lease

_NFS: Final = frozenset({"nfs", "nfs4"})
_SMB: Final = frozenset({"cifs", "smb3", "smbfs"})
_NETWORK_ANY: Final = _NFS | _SMB
_SHOWN: Final = (
    *("vers", "hard", "soft", "softerr", "nolock", "local_lock", "nocto", "noac", "actimeo"),
    *("acregmax", "acdirmax", "lookupcache", "cache", "nobrl", "nocase", "sync", "proto"),
    *("nobarrier", "barrier", "data", "file_mode", "dir_mode"),
)

_OBJECT_STORES: Final = frozenset(
    {"fuse.gcsfuse", "fuse.s3fs", "fuse.goofys", "fuse.blobfuse", "fuse.blobfuse2"}
    | {"fuse.rclone", "fuse.mount-s3", "fuse.curlftpfs", "fuse.davfs2", "davfs"}
)


def _is_slow(value: str) -> bool:
    return value.isdigit() and int(value) > _FRESH_S_MAX


def _any(_value: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Rule:
    """An option that changes what a mount promises."""

    kinds: frozenset[str] | None
    option: str
    applies: Callable[[str], bool]
    verdict: Verdict
    follows: str
    change: str


_SILENT_LOSS: Final = (
    "a write that times out fails after the program believes it done: data may be lost silently"
)
_LOCAL_LOCKS: Final = (
    "locks hold among the processes of one host only; the spool asks no more of them, but other "
    "programs may"
)
_STALE: Final = (
    "opening a directory does not ask the server, so results are seen only when caches expire, "
    "and heartbeats look older than they are"
)

_RULES: Final = (
    _Rule(None, "ro", _any, Verdict.UNSAFE, "nothing can be submitted or worked on", "mount it rw"),
    _Rule(_NFS, "soft", _any, Verdict.UNSAFE, _SILENT_LOSS, "mount with hard, the default"),
    _Rule(_NFS, "softerr", _any, Verdict.UNSAFE, _SILENT_LOSS, "mount with hard, the default"),
    _Rule(_NFS, "nocto", _any, Verdict.DEGRADED, _STALE, "mount without nocto"),
    _Rule(
        _NFS,
        "nolock",
        _any,
        Verdict.DEGRADED,
        _LOCAL_LOCKS,
        "mount without nolock, which is meant for root file systems",
    ),
    _Rule(
        _NFS,
        "local_lock",
        lambda value: value in {"all", "flock", "posix"},
        Verdict.DEGRADED,
        _LOCAL_LOCKS,
        "mount with local_lock=none, the default",
    ),
    _Rule(
        _NFS,
        "noac",
        _any,
        Verdict.DEGRADED,
        "every look at a file asks the server and every write waits for it: safe, but slow",
        "mount without noac; the spool asks the server where it matters",
    ),
    _Rule(
        _NFS,
        "vers",
        lambda value: value in {"2", "3", "4.0"},
        Verdict.OK,
        "a request whose answer got lost may be done twice; the spool expects that",
        "vers=4.1 or 4.2 rules it out",
    ),
    _Rule(
        _SMB,
        "soft",
        _any,
        Verdict.DEGRADED,
        "while the server is away calls fail instead of waiting: submitters see errors, and "
        "workers leave and must be started again; no job is lost",
        "mount with hard",
    ),
    _Rule(
        _SMB,
        "vers",
        lambda value: value in {"1.0", "2.0", "2.1"},
        Verdict.DEGRADED,
        "the protocol is old: no reconnection that keeps open files, no encryption",
        "mount with vers=3.1.1",
    ),
    _Rule(
        _SMB,
        "cache",
        lambda value: value == "loose",
        Verdict.UNSAFE,
        "data is cached without the server's consent: what another host wrote may never be seen",
        "mount with cache=strict, the default",
    ),
    _Rule(
        _SMB,
        "nostrictsync",
        _any,
        Verdict.UNSAFE,
        "a sync does not reach the server's disk: an accepted job may be lost in a power cut",
        "mount without nostrictsync",
    ),
    _Rule(_SMB, "nobrl", _any, Verdict.DEGRADED, _LOCAL_LOCKS, "mount without nobrl"),
    *(
        _Rule(
            _NETWORK_ANY,
            option,
            _is_slow,
            Verdict.DEGRADED,
            "programs that look without opening the directory first see changes later than after "
            "a minute; the spool itself opens it",
            f"lower {option} to 60 or less",
        )
        for option in ("acregmax", "acdirmax", "actimeo")
    ),
    _Rule(
        None,
        "nobarrier",
        _any,
        Verdict.UNSAFE,
        "the disk may keep synced data in its cache: an accepted job may be lost in a power cut",
        "mount with barriers, the default",
    ),
    _Rule(
        None,
        "barrier",
        lambda value: value == "0",
        Verdict.UNSAFE,
        "the disk may keep synced data in its cache: an accepted job may be lost in a power cut",
        "mount with barrier=1, the default",
    ),
    _Rule(
        frozenset({"9p"}),
        "cache",
        lambda value: value in {"loose", "fscache", "mmap"},
        Verdict.DEGRADED,
        "what another host wrote may be seen late or never",
        "mount with cache=none",
    ),
)


def judge_mount(mount: Mount | None, *, peer: bool = False) -> list[Finding]:
    """Judge the mount of the directory, or of its peer: one finding, and one for each bad option.

    Whether the server's export is ``async`` cannot be seen from a client.
    """
    probe = f"{PROBE} of the peer" if peer else PROBE
    if mount is None:
        return [
            Finding(
                probe,
                Verdict.DEGRADED,
                "this system does not tell what is mounted there",
                "only the probes below can judge it",
                "run the doctor on a Linux host that mounts it",
            )
        ]
    bad = list(_bad_options(probe, mount))
    return [_judge_kind(probe, mount, has_bad=bool(bad)), *bad]


def _judge_kind(probe: str, mount: Mount, *, has_bad: bool) -> Finding:
    found = f"{mount.kind} at {mount.point} ({_shown(mount.options)})"
    facts = {"type": mount.kind, "source": mount.source, "options": dict(mount.options)}
    verdict, follows, change = Verdict.OK, "", ""
    if mount.kind in _OBJECT_STORES:
        verdict = Verdict.UNSAFE
        follows = "renaming copies and deletes, so two workers may both win a job"
        change = "put the spool on a file system: NFS, SMB or a local disk"
    elif mount.kind in {"tmpfs", "ramfs"}:
        verdict = Verdict.UNSAFE
        follows = "it is memory: all jobs and results are gone when this host stops"
        change = "put the spool on a disk; for tests this is fine"
    elif mount.kind in _NFS:
        follows = "an async export would lose accepted jobs when the server crashes, unseen here"
        change = "on the server, see that exportfs -v shows sync for this export"
    elif mount.kind.startswith("fuse") and not is_network_filesystem(mount.kind):
        follows = "what it caches does not show in its options; the probes below measure it"
    elif not is_network_filesystem(mount.kind):
        follows = "it is of this host: workers on other hosts need a share of it"
    if has_bad and verdict is Verdict.OK:
        found += "; see below"
    return Finding(probe, verdict, found, follows, change, facts)


def _bad_options(probe: str, mount: Mount) -> Iterator[Finding]:
    for rule in _RULES:
        value = mount.options.get(rule.option)
        if value is None or (rule.kinds is not None and mount.kind not in rule.kinds):
            continue
        if rule.applies(value):
            text = f"{rule.option}={value}" if value else rule.option
            yield Finding(probe, rule.verdict, f"option {text}", rule.follows, rule.change)


def _shown(options: Mapping[str, str]) -> str:
    shown = [f"{name}={options[name]}" for name in _SHOWN if options.get(name)]
    shown += [name for name in _SHOWN if options.get(name) == ""]
    return ", ".join(sorted(shown)) or "no option that matters"


def judge_peer(here_device: int, peer_device: int) -> Finding:
    """Judge whether the two paths are two views: one mount shares all caches with itself."""
    if here_device != peer_device:
        return Finding("two views", Verdict.OK, "the two paths have caches of their own")
    return Finding(
        "two views",
        Verdict.DEGRADED,
        f"both paths are one mount (device {here_device}): they share their caches",
        "what other hosts see late is seen at once here, so the delays below say nothing",
        "mount the share a second time with nosharecache (NFS) or nosharesock (SMB)",
    )
