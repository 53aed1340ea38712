"""SQLite is kept off network file systems."""

from pathlib import Path

import pytest

from ingestkit_excel.backends import SQLiteStore
from ingestkit_excel.errors import ConfigurationError
from ingestkit_excel.mounts import filesystem_of, is_network_filesystem, mount_of

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
40 22 0:35 / /mnt/share rw,relatime shared:3 - nfs4 server:/export rw
41 22 0:36 / /mnt/with\\040space rw - cifs //server/x rw
42 40 8:2 / /mnt/share/local rw - xfs /dev/sdb1 rw
43 22 0:37 / /mnt/twice rw - ext4 /dev/sdc1 rw
44 22 0:38 / /mnt/twice rw - fuse.sshfs host: rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/x.db", "ext4"),
        ("/mnt/share/x.db", "nfs4"),
        ("/mnt/shared/x.db", "ext4"),
        ("/mnt/with space/x.db", "cifs"),
        ("/mnt/share/local/x.db", "xfs"),
        ("/mnt/twice/x.db", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_latest_mount_holds_a_path(path: str, kind: str) -> None:
    """Mounts nest, hide each other and have escaped names."""
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_a_mount_has_the_options_of_both_columns() -> None:
    """Those of the mount and those of the file system are told alike; a flag has no value."""
    table = "40 22 0:35 / /mnt/a\\040b rw,noatime - nfs4 server:/x\\040y rw,vers=4.2,hard,nolock\n"
    mount = mount_of(Path("/mnt/a b/spool"), table)
    assert mount is not None
    assert (mount.point, mount.kind, mount.source) == ("/mnt/a b", "nfs4", "server:/x y")
    assert mount.options == {"rw": "", "noatime": "", "vers": "4.2", "hard": "", "nolock": ""}


def test_a_path_outside_every_mount_has_none() -> None:
    """An empty table tells nothing."""
    assert mount_of(Path("/x"), "") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.glusterfs"])
def test_network_types_are_known(kind: str) -> None:
    """These are shared between hosts."""
    assert is_network_filesystem(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.ntfs-3g"])
def test_local_types_are_known(kind: str) -> None:
    """These are of one host."""
    assert not is_network_filesystem(kind)


def test_a_file_on_a_share_is_refused_and_not_made(tmp_path: Path) -> None:
    """The error names the file system and what to use instead."""
    mounts = f"1 0 0:1 / {tmp_path} rw - nfs4 server:/x rw\n"
    store = SQLiteStore(tmp_path / "s.db", mountinfo=mounts)
    with pytest.raises(ConfigurationError, match=r"network file system \(nfs4\).*bundle://"):
        store.table_names()
    assert list(tmp_path.iterdir()) == []
