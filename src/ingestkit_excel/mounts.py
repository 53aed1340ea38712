"""Which file system a path lies on, told from the text of ``/proc/self/mountinfo`` (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["Mount", "filesystem_of", "is_network_filesystem", "mount_of", "read_mountinfo"]

# SQLite's WAL needs shared memory between all its processes, and its locks need fcntl locks that
# hold across hosts; these give neither reliably (sqlite.org/wal.html, 1).
_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ncpfs", "9p", "ceph", "gfs2"}
    | {"ocfs2", "lustre", "glusterfs", "beegfs", "davfs", "virtiofs", "acfs", "gpfs", "orangefs"}
)
_NETWORK_FUSE: Final = frozenset(
    {"sshfs", "glusterfs", "davfs2", "rclone", "s3fs", "smbnetfs", "curlftpfs", "gcsfuse", "ceph"}
    | {"ceph-fuse", "goofys", "blobfuse", "blobfuse2", "juicefs", "mfs", "nfs"}
)


def read_mountinfo() -> str:
    """Give this process's mount table; empty where the system has none."""
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table."""

    point: str
    kind: str
    source: str
    options: Mapping[str, str]
    """Of the mount and of its file system; a flag has an empty value."""


def filesystem_of(path: Path, mountinfo: str) -> str | None:
    """Give the type of the file system that holds ``path`` (absolute); None when unknown."""
    mount = mount_of(path, mountinfo)
    return None if mount is None else mount.kind


def mount_of(path: Path, mountinfo: str) -> Mount | None:
    """Give the mount that holds ``path`` (absolute); None when unknown."""
    wanted = PurePosixPath(path)
    best: tuple[int, Mount] | None = None
    for line in mountinfo.splitlines():
        fields, _, tail = line.partition(" - ")
        parts = fields.split(" ")
        if len(parts) < 5 or not tail:
            continue
        mount_point = PurePosixPath(_unescape(parts[4]))
        depth = len(mount_point.parts)
        # The later line wins among equals: it is mounted over the earlier one.
        if wanted.is_relative_to(mount_point) and (best is None or depth >= best[0]):
            best = depth, _parse_mount(str(mount_point), parts, tail)
    return None if best is None else best[1]


def _parse_mount(point: str, parts: list[str], tail: str) -> Mount:
    kind, source, of_filesystem = [*tail.split(" "), "", ""][:3]
    options = {}
    for text in ",".join([*parts[5:6], of_filesystem]).split(","):
        name, _, value = text.partition("=")
        if name:
            options[name] = _unescape(value)
    return Mount(point, kind, _unescape(source), options)


def is_network_filesystem(kind: str) -> bool:
    """Whether a file system of this type is shared between hosts."""
    family, _, name = kind.lower().partition(".")
    return family in _NETWORK or (family == "fuse" and name in _NETWORK_FUSE)


def _unescape(text: str) -> str:
    # proc(5): space, tab, newline and backslash stand as octal escapes.
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text
