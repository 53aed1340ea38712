"""One claim at a time becomes a verdict: checked, run in a child, and described.

Knows neither the spool nor signals. Everything a workbook can do ends in a `Verdict`.
"""

import json
import re
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import ValidationError

from ingestkit_excel.clock import Clock
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError, IngestError
from ingestkit_excel.execution import Reply, Roots, WarmChild, failed_result, look_at
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool import Claim, Job, Outcome
from spool_worker.child import run_job

__all__ = ["JobSlot", "Verdict"]

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")  # all of a submitted name that reaches our disk
_MTIME_TOLERANCE_NS = 1_000_000  # SMB keeps 100 ns, some servers milliseconds
_SOURCE_CODES = frozenset(
    {
        ErrorCode.E_SOURCE_NOT_FOUND,
        ErrorCode.E_SOURCE_PERMISSION,
        ErrorCode.E_SOURCE_UNREADABLE,
        ErrorCode.E_SOURCE_CHANGED,
    }
)
_Status = Literal["done", "failed", "rejected", "cancelled"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a claim: an ``outcome``, or another attempt for the ``code``.

    An attempt that failed by this host, not by the job, is not ``is_charged``.
    """

    claim: Claim
    outcome: Outcome | None = None
    code: ErrorCode = ErrorCode.E_INTERNAL
    message: str = ""
    is_charged: bool = True


@dataclass(frozen=True, slots=True)
class _Running:
    claim: Claim
    started: float
    verdict: Verdict | None


class JobSlot:
    """A place for one running job, with its warm child.

    Args:
        spool_directory: Where the child finds workbooks that travel with their jobs.
        store: URL of the store that the child's router writes to.
        on_done: Called from another thread when `poll` may have a verdict.
        memory_bytes_max: What the child may use.
    """

    def __init__(
        self,
        *,
        roots: Roots,
        spool_directory: Path,
        store: str,
        clock: Clock,
        on_done: Callable[[], None] | None = None,
        memory_bytes_max: int | None = None,
    ) -> None:
        self._roots = roots
        self._spool_directory = spool_directory
        self._store = store
        self._clock = clock
        self._child = WarmChild(
            run_job, clock=clock, on_done=on_done, memory_bytes_max=memory_bytes_max
        )
        self._running: _Running | None = None
        self._private: TemporaryDirectory[str] | None = None

    @property
    def claim(self) -> Claim | None:
        """The claim that is being run."""
        return None if self._running is None else self._running.claim

    def start(self, claim: Claim) -> None:
        """Begin to run a claimed job; a job whose workbook is not fit gets its verdict here."""
        assert self._running is None, "a slot runs one job at a time"
        started = self._clock.monotonic()
        found = self._locate(claim)
        if isinstance(found, Verdict):
            self._running = _Running(claim, started, found)
            return
        self._child.start(self._payload(claim.job, found), timeout_s=claim.job.timeout_s)
        self._running = _Running(claim, started, None)

    def poll(self) -> Verdict | None:
        """Give the verdict on the running job, or ``None`` while it runs."""
        running = self._running
        assert running is not None, "there is no running job"
        verdict = running.verdict
        if verdict is None:
            reply = self._child.poll()
            if reply is None:
                return None
            verdict = self._judge(running, reply)
        self._end()
        return verdict

    def stop(self) -> Claim | None:
        """Kill the running job; nothing of it runs when its claim is returned."""
        claim = self.claim
        if claim is not None:
            self._child.kill()
        self._end()
        return claim

    @property
    def is_stuck(self) -> bool:
        """Whether a child could not be killed, so that its job may still run."""
        return self._child.is_stuck

    def kill_at_once(self) -> None:
        """Kill the child without waiting and without forgetting its job; from any thread."""
        self._child.kill_at_once()

    def close(self) -> None:
        """End the child."""
        self._child.close()
        self._end()

    def _end(self) -> None:
        self._running = None
        private, self._private = self._private, None
        if private is not None:
            private.cleanup()

    def cancelled(self, claim: Claim) -> Outcome:
        """Describe a job that was stopped at its submitter's wish."""
        code = ErrorCode.E_EXECUTION_CANCELLED
        message = f"cannot ingest {claim.job.file_path}: its job was cancelled; submit it again"
        result = failed_result(claim.job.file_path, code, message)
        return self._outcome(claim, "cancelled", result)

    def _payload(self, job: Job, path: Path) -> str:
        attachment = None
        if job.blob_sha256 is not None:
            attachment = {
                "spool": str(self._spool_directory),
                "sha256": job.blob_sha256,
                "size_bytes": job.size_bytes,
            }
        return json.dumps(
            {
                "store": self._store,
                "path": str(path),
                "file_path": job.file_path,
                # The path of a private copy names nothing that would last.
                "source_uri": job.source_uri or (job.file_path if attachment else None),
                "config": job.config.model_dump(mode="json"),
                "attachment": attachment,
            }
        )

    def _private_path(self, claim: Claim) -> Path | Verdict:
        # The child copies the workbook there, so that a slow share holds up no heartbeat.
        try:
            self._private = TemporaryDirectory(prefix="spool-worker-", ignore_cleanup_errors=True)
        except OSError as error:
            message = f"cannot make a temporary directory: {error.strerror}; set TMPDIR"
            return Verdict(claim, code=ErrorCode.E_SOURCE_UNREADABLE, message=message)
        suffix = PurePath(claim.job.file_path).suffix
        name = f"workbook{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        return Path(self._private.name, name)

    def _locate(self, claim: Claim) -> Path | Verdict:
        job = claim.job
        if job.blob_sha256 is not None:
            return self._private_path(claim)
        try:
            path = self._roots.resolve(job.root, job.rel)
            status = look_at(path)
        except ExecutionError as error:
            return self._refuse(claim, "rejected", error.code, error.message)
        except ConfigurationError as error:
            # Another worker may have this root.
            return Verdict(claim, code=error.code, message=error.message)
        except OSError as error:
            return self._missed(claim, error)
        if not stat.S_ISREG(status.st_mode):
            message = f"cannot ingest {job.file_path}: it is no plain file; submit a workbook"
            return self._refuse(claim, "rejected", ErrorCode.E_EXECUTION_REJECTED, message)
        moved = abs(status.st_mtime_ns - job.mtime_ns) > _MTIME_TOLERANCE_NS
        if status.st_size != job.size_bytes or moved:
            message = f"cannot ingest {job.file_path}: it was changed after submission; resubmit it"
            return self._try_later(claim, ErrorCode.E_SOURCE_CHANGED, message)
        return path

    def _missed(self, claim: Claim, error: OSError) -> Verdict:
        job = claim.job
        if self._roots.is_absent(job.root):
            # All jobs of this root would fail here; other hosts may have it.
            message = f"cannot find the root {job.root!r}: its directory is empty; mount it"
            code = ErrorCode.E_SOURCE_UNREADABLE
            return Verdict(claim, code=code, message=message, is_charged=False)
        code, cause = _source_error(error)
        return self._try_later(claim, code, f"cannot read {job.file_path}: {cause}")

    def _try_later(self, claim: Claim, code: ErrorCode, message: str) -> Verdict:
        # What this host sees of a share may be old; the last attempt tells the reason.
        if _has_attempts_left(claim):
            return Verdict(claim, code=code, message=message)
        return self._refuse(claim, "failed", code, message)

    def _judge(self, running: _Running, reply: Reply) -> Verdict:
        claim = running.claim
        if reply.text is None:
            return Verdict(claim, code=reply.code or ErrorCode.E_INTERNAL, message=reply.message)
        try:
            result = ProcessingResult.model_validate_json(reply.text)
        except ValidationError:
            message = "cannot finish the workbook: its process answered with garbage; report it"
            return Verdict(claim, code=ErrorCode.E_EXECUTION_CRASHED, message=message)
        passing = next((e for e in result.error_details if _may_pass(e)), None)
        if result.errors and passing is not None and _has_attempts_left(claim):
            return Verdict(claim, code=passing.code, message=passing.message)
        run_s = self._clock.monotonic() - running.started
        status: _Status = "failed" if result.errors else "done"
        return Verdict(claim, self._outcome(claim, status, result, run_s=run_s))

    def _refuse(self, claim: Claim, status: _Status, code: ErrorCode, message: str) -> Verdict:
        job = claim.job
        result = failed_result(job.file_path, code, message, tenant_id=job.config.tenant_id)
        return Verdict(claim, self._outcome(claim, status, result))

    def _outcome(
        self,
        claim: Claim,
        status: _Status,
        result: ProcessingResult,
        *,
        run_s: float = 0.0,
    ) -> Outcome:
        return Outcome(
            job_id=claim.job.job_id,
            status=status,
            result=result,
            worker_id=claim.worker_id,
            host=socket.gethostname(),
            attempt=claim.attempt,
            # Two hosts' clocks: good enough to show, never used to decide.
            queued_s=max(0.0, self._clock.wall() - claim.job.submitted_at - run_s),
            run_s=run_s,
            job_digest=claim.stem.digest,
        )


def _has_attempts_left(claim: Claim) -> bool:
    return claim.charged_failures + 1 < claim.job.max_attempts


def _may_pass(error: IngestError) -> bool:
    return error.recoverable or error.code in _SOURCE_CODES


def _source_error(error: OSError) -> tuple[ErrorCode, str]:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ErrorCode.E_SOURCE_NOT_FOUND, "it is not there any more; restore and resubmit it"
    if isinstance(error, PermissionError):
        return ErrorCode.E_SOURCE_PERMISSION, "the worker may not read it; change its permissions"
    return ErrorCode.E_SOURCE_UNREADABLE, f"{error.strerror}; check the share"
