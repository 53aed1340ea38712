"""Helping processes: each is started on one path of the directory and told deeds line by line.

Owns: the processes and the pipes to them. Promises: no question waits for ever, and none of the
processes outlives its `Crew`. Never does: end a process by anything but its own handle.
"""

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.doctor.bench import Place
from ingestkit_excel.doctor.deeds import Deeds
from ingestkit_excel.doctor.rawdisk import RawDisk
from ingestkit_excel.spool.fs import FileSystemError, RealFileSystem, Unreachable

__all__ = ["ProcessHand", "hire", "open_place", "serve"]

_PROGRAM: Final = "from ingestkit_excel.doctor.crew import serve; serve()"
_START_S: Final = 180.0  # an interpreter on a slow, busy host, and its imports
_END_S: Final = 2.0  # after that it hangs in the mount, and is left to the kernel


def open_place(directory: Path) -> Place:
    """Give the directory as this process sees it."""
    return Place(directory, RealFileSystem(directory), RawDisk(directory))


class ProcessHand:
    """One process, reached by its standard input and output."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._clock = clock
        # -P: nothing in the current directory may stand for a module.
        command = [sys.executable, "-P", "-c", _PROGRAM, str(directory)]
        # A session of its own: Ctrl-C is for the doctor alone, who then ends its hands.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._asked = 0
        self._reader = threading.Thread(target=self._read, name="doctor-hand", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")  # the process has ended

    def start(self, deed: str, **facts: Any) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._asked += 1
        try:
            self._process.stdin.write(json.dumps([self._asked, deed, facts]) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Unreachable("", "a helping process has ended") from error

    def answer(self, timeout_s: float) -> Any:
        """Wait for the line that answers the last question; one that came too late is dropped."""
        ends_s = self._clock.monotonic() + timeout_s
        while True:  # ends with the answer or the time
            try:
                line = self._answers.get(timeout=max(0.0, ends_s - self._clock.monotonic()))
            except queue.Empty:
                raise Unreachable("", f"a process got no answer in {timeout_s:.0f} s") from None
            if not line:
                self._answers.put("")  # for whoever asks next
                raise Unreachable("", "a helping process has ended")
            answer = json.loads(line)
            if answer["number"] == self._asked:
                break
        if "error" in answer:
            raise Unreachable("", answer["error"])
        return answer["value"]

    def kill(self) -> None:
        """End the process by SIGKILL, and wait for its end unless the mount keeps it."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
            self._reader.join(_END_S)
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


@contextlib.contextmanager
def hire(directories: Iterable[Path]) -> Iterator[list[ProcessHand]]:
    """Start one process on each path, all at once; they end with the context."""
    hands: list[ProcessHand] = []
    clock = SystemClock()
    try:
        for directory in directories:
            hands.append(ProcessHand(directory, clock))
        for hand in hands:
            hand.start("greet")
        for hand in hands:
            hand.answer(_START_S)
        yield hands
    finally:
        for hand in hands:
            hand.kill()


def serve(clock: Clock | None = None) -> None:
    """Do the deeds that come in by standard input, until it ends; the main of a process."""
    deeds = Deeds(open_place(Path(sys.argv[1])), clock or SystemClock())
    for line in sys.stdin:
        number, deed, facts = json.loads(line)
        answer: dict[str, Any] = {"number": number}
        try:
            answer["value"] = deeds.do(deed, facts)
        except FileSystemError as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)
    deeds.close()
