"""What a helping process can be asked to do; each deed takes and gives plain JSON values."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from ingestkit_excel.clock import Clock
from ingestkit_excel.doctor.bench import Place
from ingestkit_excel.doctor.rawdisk import Watch
from ingestkit_excel.spool.fs import Exists, FileSystemError, HeldLock, Missing, Stale

__all__ = ["LOOKS", "REPLACED_BYTES", "Deeds", "replaced_content"]

REPLACED_BYTES: Final = 4096  # one page: a torn write would show as two kinds of bytes
_PAUSE_S: Final = 0.02  # between looks; far below what any file system caches


def _look_by_spool(place: Place, path: str) -> bool:
    # As the spool looks for an outcome: open the directory, then the file.
    try:
        place.fs.refresh(path.rpartition("/")[0])
        place.fs.read(path, max_bytes=REPLACED_BYTES)
    except (Missing, Stale):
        return False
    return True


def _look_by_listing(place: Place, path: str) -> bool:
    parent, _, name = path.rpartition("/")
    return name in place.fs.list_directory(parent)


LOOKS: Final[dict[str, Callable[[Place, str], bool]]] = {
    "stat": lambda place, path: place.disk.has_name(path),
    "open": lambda place, path: place.disk.can_open(path),
    "open directory, open": _look_by_spool,
    "list directory": _look_by_listing,
}
"""Ways to look for a new file."""


def replaced_content(number: int) -> bytes:
    """Give what the n-th version of a replaced file consists of."""
    return bytes([number % 251]) * REPLACED_BYTES


class Deeds:
    """The deeds of one process, and what it holds between them."""

    def __init__(self, place: Place, clock: Clock) -> None:
        self._place = place
        self._clock = clock
        self._locks: list[HeldLock] = []
        self._watch: Watch | None = None

    def do(self, deed: str, facts: dict[str, Any]) -> Any:
        """Do one deed by its name."""
        deeds: dict[str, Callable[..., Any]] = {
            "greet": self.greet,
            "claim": self.claim,
            "create": self.create,
            "replace": self.replace,
            "read_again": self.read_again,
            "look": self.look,
            "wait": self.wait,
            "lock": self.lock,
            "watch": self.watch,
            "was_told": self.was_told,
        }
        return deeds[deed](**facts)

    def close(self) -> None:
        """Let go of what is held, as the end of the process would."""
        for lock in self._locks:
            lock.release()
        self._locks.clear()
        if self._watch is not None:
            self._watch.close()

    def greet(self) -> bool:
        """Answer, so that the asker knows the process runs."""
        return True

    def claim(self, names: Sequence[str], source: str, target: str, who: str) -> dict[str, Any]:
        """Move each name from one directory to a name of our own in another, as a worker does."""
        won, odd = [], Counter[str]()
        for name in names:
            try:
                self._place.fs.rename(f"{source}/{name}", f"{target}/{name}.{who}")
                won.append(name)
            except Missing:
                continue  # somebody else was first
            except FileSystemError as error:
                odd[f"{type(error).__name__}: {error.cause}"] += 1
        return {"won": won, "odd": dict(odd)}

    def create(self, names: Sequence[str], directory: str, who: str) -> dict[str, Any]:
        """Create each name exclusively."""
        won, odd = [], Counter[str]()
        for name in names:
            try:
                self._place.fs.create(f"{directory}/{name}", who.encode(), durable=False)
                won.append(name)
            except Exists:
                continue
            except FileSystemError as error:
                odd[f"{type(error).__name__}: {error.cause}"] += 1
        return {"won": won, "odd": dict(odd)}

    def replace(self, path: str, count: int) -> dict[str, Any]:
        """Rename ``count`` versions over one name."""
        refused = 0
        for number in range(count):
            new = f"{path}.{number}"
            self._place.fs.create(new, replaced_content(number), durable=False)
            try:
                self._place.fs.rename(new, path)
            except FileSystemError:
                refused += 1  # SMB servers refuse while a reader has the old one open
        return {"refused": refused}

    def read_again(self, path: str, count: int) -> dict[str, Any]:
        """Read one name ``count`` times; tell how often it was whole, torn, or not there."""
        seen = Counter[str]()
        for _ in range(count):
            try:
                data = self._place.fs.read(path, max_bytes=REPLACED_BYTES)
                is_whole = len(data) == REPLACED_BYTES and len(set(data)) == 1
                seen["whole" if is_whole else "torn"] += 1
            except Missing:
                seen["missing"] += 1
            except FileSystemError:
                seen["refused"] += 1  # a stale handle, or a server that shares no open file
        return dict(seen)

    def look(self, looks: Sequence[tuple[str, str]]) -> list[bool]:
        """Look for each (way, path) once."""
        return [LOOKS[way](self._place, path) for way, path in looks]

    def wait(self, looks: Sequence[tuple[str, str]], limit_s: float) -> list[float | None]:
        """Look for each (way, path) until it is found; give when, on the clock of this host."""
        found: list[float | None] = [None] * len(looks)
        ends_s = self._clock.monotonic() + limit_s
        while None in found and self._clock.monotonic() < ends_s:
            for index, (way, path) in enumerate(looks):
                if found[index] is None and LOOKS[way](self._place, path):
                    found[index] = self._clock.monotonic()
            self._clock.sleep(_PAUSE_S)
        return found

    def lock(self, path: str) -> bool:
        """Take the lock and hold it; whether that worked."""
        lock = self._place.fs.try_lock(path)
        if lock is not None:
            self._locks.append(lock)
        return lock is not None

    def watch(self, path: str) -> bool:
        """Begin to watch a directory; whether the kernel agreed."""
        self._watch = self._place.disk.watch(path)
        return self._watch is not None

    def was_told(self, name: str, seconds: float) -> bool:
        """Whether an event of that name came in time."""
        return self._watch is not None and self._watch.has_told(name, seconds)
