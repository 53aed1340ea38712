"""A file system in memory that a power cut takes back to what was synced, and not a bit further.

Real disks mostly keep more. What survives here survives anywhere that keeps P3.
"""

from dataclasses import dataclass

from ingestkit_excel.clock import Clock
from ingestkit_excel.testing.filesystem import Directory, File, MemoryFileSystem

__all__ = ["VolatileFileSystem"]

_Node = File | Directory


@dataclass(frozen=True, slots=True, eq=False)
class _Rename:
    node: _Node
    old_parent: int
    old_name: str
    new_parent: int
    new_name: str


class VolatileFileSystem(MemoryFileSystem):
    """Keeps an image of the disk beside what processes see.

    A name is on the disk when its directory was synced since, the bytes of a file when it was
    made durable. A rename is one transaction of the journal: syncing either directory brings
    both sides of it to the disk, and what had moved the same file before.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._names: dict[int, dict[str, _Node]] = {}
        self._bytes: dict[int, bytes] = {}
        self._renames: list[_Rename] = []

    def create(self, path: str, data: bytes, *, durable: bool) -> None:
        """Make a new file, whose bytes are on the disk if it is durable."""
        super().create(path, data, durable=durable)
        if durable:
            self._bytes[self._file(path).inode] = bytes(data)

    def rewrite(self, path: str, data: bytes) -> None:
        """Replace the content in place and sync it."""
        super().rewrite(path, data)
        self._bytes[self._file(path).inode] = bytes(data)

    def rename(self, source: str, target: str) -> None:
        """Move a name; the disk learns of it by the next sync of either directory."""
        node = self._find(source)
        old_parent, old_name = self._parent(source)
        new_parent, new_name = self._parent(target)
        super().rename(source, target)
        rename = _Rename(node, old_parent.inode, old_name, new_parent.inode, new_name)
        self._renames.append(rename)

    def sync_directory(self, path: str) -> None:
        """Bring the names in the directory to the disk."""
        directory = self._directory(path)
        waiting, self._renames = self._renames, []
        moved = set()
        # From the last to the first: with a move, all earlier moves of the same node are synced.
        for rename in reversed(waiting):
            if directory.inode in (rename.old_parent, rename.new_parent):
                moved.add(rename.node.inode)
            if rename.node.inode not in moved:
                self._renames.insert(0, rename)
        for rename in waiting:
            if rename not in self._renames:
                self._names.setdefault(rename.old_parent, {}).pop(rename.old_name, None)
                self._names.setdefault(rename.new_parent, {})[rename.new_name] = rename.node
        self._names[directory.inode] = dict(directory.children)

    def cut_power(self) -> None:
        """Lose what is not on the disk, all locks too; go on with what is."""
        self._restore(self._root)
        self._renames.clear()
        self._held.clear()

    def _restore(self, node: _Node) -> None:
        if isinstance(node, File):
            node.data = self._bytes.get(node.inode, b"")
            return
        node.children = dict(self._names.get(node.inode, {}))
        for child in node.children.values():
            self._restore(child)
