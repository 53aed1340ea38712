"""Hands workbooks to workers on other hosts through a spool directory on a share.

Jobs carry names of workbooks, or on request the workbooks, and never credentials. A job outlives
this process: its id is enough to ask for the result from anywhere the spool is mounted.
"""

import getpass
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.execution.failure import failed_result
from ingestkit_excel.execution.paths import Roots
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.spool import Cancellation, JobDraft, JobState, Outcome, Spool

__all__ = ["DistributedExecutionBackend"]

_SCHEME = "spool://"
_WAIT_STEP_S = 60.0  # a wait without limit asks again this often, so that it can be interrupted
_LOOKS = 3
_LOOK_MIN_S = 0.5  # for a look that decides between two errors when the time is already over
_NO_ANSWER = "NoAnswer"  # the kind of a failure of the spool that used up the caller's time


class DistributedExecutionBackend:
    """Submits workbooks to the spool at ``queue_url`` and waits for what workers make of them.

    Args:
        queue_url: ``spool:///mnt/share/spool``, the path of an existing spool directory, or a
            `Spool` that is already open.
        roots: Names of roots and where this host has them; ``share`` is the spool's parent.
        attach: Copy workbooks that lie outside every root into the spool, up to
            ``config.max_file_size_bytes``; without it they are refused.
        priority: 0 goes first, 9 last.

    Raises:
        ConfigurationError: The URL has another scheme, or a root or ``priority`` does not fit.
        SpoolError: There is no usable spool at that place.
    """

    def __init__(
        self,
        queue_url: str | os.PathLike[str] | Spool,
        *,
        roots: Mapping[str, str | os.PathLike[str]] | None = None,
        attach: bool = False,
        priority: int = 5,
    ) -> None:
        if not 0 <= priority <= 9:
            raise _unfit(f"priority is {priority}; give 0 (first) to 9 (last)")
        if isinstance(queue_url, Spool):
            self._spool = queue_url
        else:
            self._spool = Spool.open(_spool_directory(os.fspath(queue_url)))
        self._roots = Roots.for_spool(self._spool.directory, roots)
        self._clock = SystemClock()
        self._attach = attach
        self._priority = priority
        self._submitted: dict[str, str] = {}

    def submit(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None = None
    ) -> str:
        """Put a job for the workbook into the spool; it is there for good when this returns."""
        try:
            draft, attach = self._draft(file_path, config, source_uri)
            job_id = self._spool.submit(draft, priority=self._priority, attach=attach)
        # A name that is no Unicode text, links in a circle, settings beyond all measure.
        except (RuntimeError, ValueError) as error:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_SUBMIT,
                f"cannot submit {str(file_path)!a}: the job cannot be written down "
                f"({type(error).__name__}); rename the workbook or shorten the settings",
            ) from error
        except OSError as error:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_SUBMIT,
                f"cannot submit {file_path}: {error.strerror}; give a readable workbook",
            ) from error
        except SpoolError as error:
            raise ExecutionError(
                ErrorCode.E_EXECUTION_SUBMIT,
                f"cannot submit {file_path} to {self._spool.directory}: {_cause_of(error)}",
            ) from error
        self._submitted[job_id] = str(file_path)
        return job_id

    def get_result(self, job_id: str, timeout: float | None = None) -> ProcessingResult:
        """Wait for the job's result, whoever submitted it; at most a second past ``timeout``.

        Raises:
            ExecutionError: As `ExecutionBackend` says, or with the spool's own code when the
                spool cannot be reached; the job still stands then.
        """
        try:
            return self._get_result(job_id, _Deadline(self._clock, timeout))
        except SpoolError as error:
            # A mount that hangs leaves open what became of the job, as a worker that is slow does.
            is_slow = timeout is not None and error.facts.get("kind") == _NO_ANSWER
            raise ExecutionError(
                ErrorCode.E_EXECUTION_TIMEOUT if is_slow else error.code,
                f"cannot get the result of {job_id} from {self._spool.directory}: "
                f"{_cause_of(error)}; the job still stands, ask for it again",
                job_id=job_id,
            ) from error

    def _get_result(self, job_id: str, deadline: "_Deadline") -> ProcessingResult:
        if job_id not in self._submitted and self._is_unknown(job_id, deadline):
            raise ExecutionError(
                ErrorCode.E_EXECUTION_NOT_FOUND,
                f"cannot get the result of {job_id}: no such job in {self._spool.directory}; "
                "check the id and the spool",
                job_id=job_id,
            )
        outcome = self._wait(job_id, deadline)
        if outcome is None:
            self._raise_unfinished(job_id, deadline)
        return _read_outcome(outcome, self._submitted.get(job_id, ""))

    def cancel(self, job_id: str) -> Cancellation:
        """Ask for a job not to be run, or to be stopped if it runs."""
        return self._spool.cancel(job_id)

    def _draft(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None
    ) -> tuple[JobDraft, Path | None]:
        path = Path(file_path).resolve()
        status = path.stat()
        root, rel = self._locate(path)
        if not root:
            _check_can_be_carried(path, status, config)
        draft = JobDraft(
            root=root,
            rel=rel,
            file_path=str(file_path),
            source_uri=source_uri or str(path),
            config=config,
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            timeout_s=config.execution_job_timeout,
            submitter_host=socket.gethostname(),
            submitter_user=_user_name(),
            submitter_pid=os.getpid(),
        )
        return draft, None if root else path

    def _locate(self, path: Path) -> tuple[str, str]:
        try:
            return self._roots.locate(path)
        except ExecutionError:
            if not self._attach:
                raise
            return "", path.name

    def _wait(self, job_id: str, deadline: "_Deadline") -> Outcome | None:
        left_s = deadline.left_s()
        if left_s is not None:
            return self._spool.wait_for_outcome(job_id, left_s)
        has_failed = False
        while True:  # the caller asked for no limit
            try:
                outcome = self._spool.wait_for_outcome(job_id, _WAIT_STEP_S)
                has_failed = False
            except SpoolError:
                if has_failed:  # for a whole step, so this is no hiccup at its end
                    raise
                has_failed = True
                continue
            if outcome is not None:
                return outcome
            if self._is_unknown(job_id, deadline):
                return None

    def _is_unknown(self, job_id: str, deadline: "_Deadline") -> bool:
        # A job between two states may be seen in neither, so one look proves nothing.
        for _ in range(_LOOKS):
            left_s = deadline.left_s()
            allowed_s = None if left_s is None else max(left_s, _LOOK_MIN_S)
            try:
                state = self._spool.find_state(job_id, timeout_s=allowed_s)
            except ValueError:  # no spool has given out such an id
                return True
            if state is not JobState.UNKNOWN:
                return False
        return True

    def _raise_unfinished(self, job_id: str, deadline: "_Deadline") -> NoReturn:
        if self._is_unknown(job_id, deadline):
            raise ExecutionError(
                ErrorCode.E_EXECUTION_RESULT_LOST,
                f"cannot get the result of {job_id}: it was there and is no more; submit again",
                job_id=job_id,
            )
        raise ExecutionError(
            ErrorCode.E_EXECUTION_TIMEOUT,
            f"cannot get the result of {job_id}: not finished within {deadline.timeout_s} s; the "
            f"job is still there, ask for {job_id} again",
            job_id=job_id,
        )


class _Deadline:
    def __init__(self, clock: Clock, timeout_s: float | None) -> None:
        self._clock = clock
        self._started_s = clock.monotonic()
        self.timeout_s = timeout_s

    def left_s(self) -> float | None:
        if self.timeout_s is None:
            return None
        return max(0.0, self._started_s + self.timeout_s - self._clock.monotonic())


def _cause_of(error: SpoolError) -> str:
    return str(error.facts.get("cause", error.message))


def _check_can_be_carried(path: Path, status: os.stat_result, config: ExcelProcessorConfig) -> None:
    cause = None
    if not stat.S_ISREG(status.st_mode):
        cause = "it is no plain file, so it cannot be attached; give a workbook"
    elif status.st_size > config.max_file_size_bytes:
        cause = (
            f"its {status.st_size} bytes are more than the {config.max_file_size_bytes} that may "
            "be attached; raise max_file_size_bytes or put it where workers can see it"
        )
    if cause is not None:
        raise ExecutionError(ErrorCode.E_EXECUTION_SUBMIT, f"cannot submit {path}: {cause}")


def _read_outcome(outcome: Outcome, file_path: str) -> ProcessingResult:
    if outcome.status == "cancelled":
        raise ExecutionError(
            ErrorCode.E_EXECUTION_CANCELLED,
            f"cannot get the result of {outcome.job_id}: the job was cancelled; submit again",
            job_id=outcome.job_id,
        )
    if outcome.result is not None:
        return outcome.result
    # A job that every attempt crashed on has a history instead of a result.
    code, message = ErrorCode.E_EXECUTION_REJECTED, "cannot run the job: a worker rejected it"
    if outcome.status == "dead":
        code, message = ErrorCode.E_EXECUTION_CRASHED, "cannot run the job: no attempt ended"
    if outcome.attempts:
        code, message = outcome.attempts[-1].code, outcome.attempts[-1].message
    message = f"{message} (job {outcome.job_id}, attempt {outcome.attempt})"
    return failed_result(file_path, code, message)


def _spool_directory(queue_url: str) -> Path:
    if queue_url.startswith(_SCHEME):
        path = queue_url.removeprefix(_SCHEME)
        if not path.startswith("/"):
            raise _unfit(f"{queue_url!r} names a host; write spool:///absolute/path of the mount")
        return Path(path)
    if "://" in queue_url:
        scheme = queue_url.partition("://")[0]
        raise _unfit(
            f"there is no transport {scheme!r}; use spool:///path of a directory on a share"
        )
    return Path(queue_url).absolute()  # the caller may change its directory later


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return str(os.getuid())


def _unfit(cause: str) -> ConfigurationError:
    return ConfigurationError(
        ErrorCode.E_CONFIG_INVALID, f"cannot set up distributed execution: {cause}"
    )
