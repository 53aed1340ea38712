"""Which file system a path lies on, told from the text of ``/proc/self/mountinfo`` (pure)."""

from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["filesystem_of", "is_network_filesystem", "read_mountinfo"]

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


def filesystem_of(path: Path, mountinfo: str) -> str | None:
    """Give the type of the file system that holds ``path`` (absolute); None when unknown."""
    wanted = PurePosixPath(path)
    best: tuple[int, str] | None = None
    for line in mountinfo.splitlines():
        fields, _, tail = line.partition(" - ")
        parts = fields.split(" ")
        if len(parts) < 5 or not tail:
            continue
        mount_point = PurePosixPath(_unescape(parts[4]))
        depth = len(mount_point.parts)
        # The later line wins among equals: it is mounted over the earlier one.
        if wanted.is_relative_to(mount_point) and (best is None or depth >= best[0]):
            best = depth, tail.split(" ", 1)[0]
    return None if best is None else best[1]


def is_network_filesystem(kind: str) -> bool:
    """Whether a file system of this type is shared between hosts."""
    family, _, name = kind.lower().partition(".")
    return family in _NETWORK or (family == "fuse" and name in _NETWORK_FUSE)


def _unescape(text: str) -> str:
    # proc(5): space, tab, newline and backslash stand as octal escapes.
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text
