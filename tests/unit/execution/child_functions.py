"""Functions that run in child processes of the execution tests."""

import os
import signal
import subprocess
import sys

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.models import ProcessingResult


def behave(text: str) -> str:
    """Do to this process what ``text`` says."""
    if text == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == "exit":
        os._exit(7)
    if text == "hang":
        signal.pause()
    if text.startswith("start "):
        # Something that outlives us and does not care about signals.
        ignore = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        tell = f"open({text[6:]!r}, 'w').write('up'); signal.pause()"
        started = subprocess.Popen([sys.executable, "-c", f"{ignore}; {tell}"])
        while not os.path.exists(text[6:]):
            signal.sigtimedwait([], 0.01)
        return str(started.pid)
    if text == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    if text == "raise":
        raise ValueError("a cell's content")
    if text == "allocate":
        return str(len(bytearray(8 << 30)))
    if text == "pid":
        return str(os.getpid())
    if text == "session":
        return str(os.getsid(0))
    return text.upper()


def ingest(
    file_path: str, config: ExcelProcessorConfig, source_uri: str | None
) -> ProcessingResult:
    """Give a result without reading anything; a path named ``crash`` ends the process."""
    if file_path == "crash":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return ProcessingResult(
        file_path=file_path,
        ingest_key=source_uri or "",
        ingest_run_id=str(os.getpid()),
        tenant_id=config.tenant_id,
    )


class Owner:
    """Has a method for workbooks, and holds the backend that calls it."""

    execution: object = None

    def ingest(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None
    ) -> ProcessingResult:
        """Do as the function does."""
        return ingest(file_path, config, source_uri)
