"""Hints that a file has appeared, from the kernel, where the directory is on a local disk.

Owns: the observer of one wait, its threads and its inotify handle.
Promises: every thread it started has ended when `NativeHint.close` returns.
Never does: stand for a look. A hint may be late or missing, and on a network file system other
hosts' changes raise none at all, so there it is not even tried.

Imported by the first wait that is not short: most uses of a spool need no observer.
"""

import threading
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from ingestkit_excel.mounts import filesystem_of, is_network_filesystem, read_mountinfo

__all__ = ["NativeHint", "open_native_hint"]


class _NameHandler(FileSystemEventHandler):
    def __init__(self, name: str, seen: threading.Event) -> None:
        self._name = name
        self._seen = seen

    def dispatch(self, event: FileSystemEvent) -> None:
        # Any event of this name will do; others come from each look that opens the directory.
        paths = (str(event.src_path), str(event.dest_path))
        if any(path.rpartition("/")[2] == self._name for path in paths):
            self._seen.set()


class NativeHint:
    """Waits for one name in one directory."""

    def __init__(self, observer: BaseObserver, seen: threading.Event) -> None:
        self._observer = observer
        self._seen = seen

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass, fewer if the name was seen since the last call."""
        self._seen.wait(seconds)
        self._seen.clear()

    def close(self) -> None:
        """End the observer and its threads."""
        self._observer.stop()
        self._observer.join()


def open_native_hint(directory: Path, name: str) -> NativeHint | None:
    """Watch for a name in a directory; ``None`` where the kernel would not tell.

    That is on network file systems, where the kind of file system is not known, and when the
    system's limit of watches is reached.
    """
    if not _is_local(directory):
        return None
    try:
        observer = Observer()
    except OSError:  # no more inotify handles for this user
        return None
    if isinstance(observer, PollingObserver):
        return None  # the wait itself polls, and better
    seen = threading.Event()
    observer.schedule(_NameHandler(name, seen), str(directory), recursive=False)
    try:
        observer.start()
    except OSError:  # no more watches
        observer.stop()  # parts of it may run already
        return None
    return NativeHint(observer, seen)


def _is_local(directory: Path) -> bool:
    kind = filesystem_of(directory.resolve(), read_mountinfo())
    return kind is not None and not is_network_filesystem(kind)
