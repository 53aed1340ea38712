"""`Spool`, the way in: a directory on a share through which jobs reach workers.

Owns: what callers see. Promises: an accepted job gets exactly one outcome as long as workers
come by. Never does: touch the disk itself, or lose an error.
"""

import contextlib
from enum import StrEnum
from pathlib import Path

from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.errors import ErrorCode, ExecutionError, SpoolError
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.blobs import Blob, fetch_blob, put_blob, restore_blob
from ingestkit_excel.spool.failures import translated
from ingestkit_excel.spool.fs import Exists, FileSystem, Missing, RealFileSystem, boot_id
from ingestkit_excel.spool.home import check_home, encode_settings, open_settings
from ingestkit_excel.spool.ids import PROCESS_JOB_IDS, JobIds, host_digest
from ingestkit_excel.spool.patience import Patience
from ingestkit_excel.spool.publish import server_time_s
from ingestkit_excel.spool.records import JobDraft, Outcome, RecordError
from ingestkit_excel.spool.retention import collect_garbage
from ingestkit_excel.spool.settings import SpoolContext, SpoolSettings
from ingestkit_excel.spool.submission import submit_job, submit_keyed
from ingestkit_excel.spool.survey import (
    JobState,
    SpoolStatus,
    find_state,
    read_outcome,
    take_status,
)
from ingestkit_excel.spool.watch import Hint, wait_for
from ingestkit_excel.spool.worker import SpoolWorker, WorkerPlace

__all__ = ["Cancellation", "Spool"]


class Cancellation(StrEnum):
    """What became of a wish to cancel."""

    REQUESTED = "requested"
    TOO_LATE = "too_late"
    UNKNOWN = "unknown"


class Spool:
    """A spool directory; made by `create` or `open`. May be used from any thread."""

    def __init__(
        self, directory: Path, context: SpoolContext, *, watches_disk: bool = False
    ) -> None:
        self.directory = directory
        self._context = context
        self._patience = Patience()
        self._watches_disk = watches_disk

    @property
    def settings(self) -> SpoolSettings:
        """What all hosts on this spool agree on."""
        return self._context.settings

    @classmethod
    def create(
        cls,
        directory: Path,
        settings: SpoolSettings | None = None,
        *,
        fs: FileSystem | None = None,
        clock: Clock | None = None,
    ) -> "Spool":
        """Make a spool in a directory, whose parent exists; an existing spool is opened as it is.

        Raises:
            SpoolError: It cannot be made there; the message says what to do.
        """
        given, fs = fs, fs or RealFileSystem(directory)
        with translated("create the spool", directory):
            try:
                with contextlib.suppress(Exists):
                    fs.make_directory("")
            except Missing as error:
                parent = directory.absolute().parent
                raise SpoolError(
                    ErrorCode.E_SPOOL_NOT_FOUND,
                    f"cannot create the spool {directory}: there is no directory {parent}; "
                    "make it, mount the share or correct the path",
                    directory=str(directory),
                ) from error
            for path in layout.FIXED_DIRECTORIES:
                with contextlib.suppress(Exists):
                    fs.make_directory(path)
            for path in ("", *layout.TOP_DIRECTORIES):
                fs.sync_directory(path)
            data = encode_settings(settings or SpoolSettings())
            # Last, so that a directory with settings is a whole spool; a second creator loses.
            with contextlib.suppress(Exists):
                fs.create(layout.SETTINGS_FILE, data, durable=True)
            fs.sync_directory("")
        return cls.open(directory, fs=given, clock=clock)

    @classmethod
    def open(
        cls, directory: Path, *, fs: FileSystem | None = None, clock: Clock | None = None
    ) -> "Spool":
        """Open an existing spool.

        Raises:
            SpoolError: ``E_SPOOL_NOT_FOUND``, ``E_SPOOL_INVALID``, ``E_SPOOL_NEWER_FORMAT``,
                ``E_SPOOL_PERMISSION``, ``E_SPOOL_READ_ONLY`` or ``E_SPOOL_UNREACHABLE``.
        """
        # Hints come from the real disk in real time.
        watches_disk = fs is None and clock is None
        fs = fs or RealFileSystem(directory)
        with translated("open the spool", directory):
            chosen, spool_id = open_settings(fs, directory)
        # A clock of its own has an order of its own.
        ids = PROCESS_JOB_IDS if clock is None else JobIds()
        context = SpoolContext(fs, clock or SystemClock(), chosen, ids, spool_id)
        return cls(directory, context, watches_disk=watches_disk)

    def submit(
        self,
        draft: JobDraft,
        *,
        priority: int = 5,
        not_before_s: float | None = None,
        key: str | None = None,
        attach: Path | None = None,
    ) -> str:
        """Accept a job and give its id; once this returns, the job survives a crash.

        ``priority`` 0 is served first, 9 last. ``not_before_s`` holds the job back so many
        seconds. Two submissions under the same ``key`` are one job. The workbook ``attach`` is
        copied into the spool, for hosts that cannot see it; its content counts, not its place.

        Raises:
            ValueError: The priority is not 0 to 9, or the job is too large.
            OSError: The workbook to attach cannot be read.
            SpoolError: The job was not accepted.
            ExecutionError: ``E_EXECUTION_SUBMIT``: the key belongs to another workbook.
        """
        if priority not in layout.PRIORITIES:
            raise ValueError(f"cannot submit with priority {priority}: give one from 0 to 9")
        with translated("submit to", self.directory):
            check_home(self._context)
            due_s: int | None = None
            if not_before_s is not None and not_before_s > 0:
                due_s = int(server_time_s(self._context) + not_before_s) + 1
            blob: Blob | None = None
            if attach is not None:
                limit = draft.config.max_file_size_bytes
                blob = put_blob(self._context, attach, max_bytes=limit)
                facts = {"blob_sha256": blob.sha256, "size_bytes": blob.size_bytes}
                draft = draft.model_copy(update=facts)
            if key is None:
                job_id = submit_job(self._context, draft, priority=priority, due_s=due_s)
            else:
                job_id = submit_keyed(self._context, draft, key, priority=priority, due_s=due_s)
            if blob is not None and attach is not None:
                restore_blob(self._context, blob, attach)
            return job_id

    def fetch_attachment(self, sha256: str, target: Path, *, max_bytes: int) -> None:
        """Copy a workbook that travels with a job to a new file of this host.

        Raises:
            OSError: The file cannot be written.
            SpoolError: The workbook is not there, damaged, or out of reach; worth another try.
        """
        damage: tuple[ErrorCode, str]
        with translated("fetch a workbook from", self.directory):
            try:
                return fetch_blob(self._context, sha256, target, max_bytes=max_bytes)
            except Missing:
                damage = ErrorCode.E_SOURCE_NOT_FOUND, "it is not there; submit the workbook again"
            except RecordError as error:
                advice = "remove that file and submit the workbook again"
                damage = ErrorCode.E_SOURCE_UNREADABLE, f"{error}; {advice}"
        message = f"cannot fetch a workbook from {self.directory}: {damage[1]}"
        raise SpoolError(damage[0], message, directory=str(self.directory))

    def find_outcome(self, job_id: str) -> Outcome | None:
        """Give the outcome of a job; ``None`` when there is none yet.

        Raises:
            ExecutionError: ``E_EXECUTION_RESULT_LOST``: its bytes fail their digest.
            SpoolError: The spool cannot be reached.
        """
        _check_job_id(job_id)
        with translated("read an outcome from", self.directory):
            try:
                return read_outcome(self._context, job_id)
            except RecordError as error:
                raise ExecutionError(
                    ErrorCode.E_EXECUTION_RESULT_LOST,
                    f"cannot read the outcome of job {job_id}: {error}; submit the workbook again",
                    job_id=job_id,
                ) from error

    def wait_for_outcome(self, job_id: str, timeout_s: float | None) -> Outcome | None:
        """Wait for the outcome of a job; ``None`` when ``timeout_s`` passed without one.

        A mount that hangs does not prolong the wait by more than half a second.

        Raises:
            ExecutionError: ``E_EXECUTION_RESULT_LOST``: its bytes fail their digest.
            SpoolError: The spool cannot be reached, for a minute or until the time was over; the
                job still stands.
        """

        def look(allowed_s: float | None) -> Outcome | None:
            with translated("read an outcome from", self.directory):
                return self._patience.call(lambda: self.find_outcome(job_id), allowed_s)

        return wait_for(
            look, self._context.clock, timeout_s, open_hint=lambda: self._open_hint(job_id)
        )

    def _open_hint(self, job_id: str) -> Hint | None:
        if not self._watches_disk:
            return None
        from ingestkit_excel.spool.hints import open_native_hint

        result = self.directory / layout.result_path(job_id)
        return open_native_hint(result.parent, result.name)

    def find_state(self, job_id: str, *, timeout_s: float | None = None) -> JobState:
        """Tell where a job is; ``UNKNOWN`` when it was never here or retention removed it.

        Raises:
            SpoolError: The spool cannot be reached, or did not answer within ``timeout_s``.
        """
        _check_job_id(job_id)
        with translated("look for a job in", self.directory):
            try:
                return self._patience.call(lambda: find_state(self._context, job_id), timeout_s)
            except RecordError:
                return JobState.DONE  # `find_outcome` says what is wrong with it

    def cancel(self, job_id: str) -> Cancellation:
        """Ask that a job be given up; a worker ends it, unless its outcome comes first.

        Raises:
            SpoolError: The spool cannot be reached.
        """
        state = self.find_state(job_id)
        if state is JobState.UNKNOWN:
            return Cancellation.UNKNOWN
        if state in (JobState.DONE, JobState.DEAD, JobState.CANCELLED):
            return Cancellation.TOO_LATE
        with translated("cancel a job in", self.directory):
            with contextlib.suppress(Exists):
                path = layout.cancel_path(job_id)
                self._context.fs.create(path, b"", durable=self._context.is_durable)
            self._context.sync(layout.CANCEL)
        return Cancellation.REQUESTED

    def status(self) -> SpoolStatus:
        """Count jobs and workers.

        Raises:
            SpoolError: The spool cannot be reached.
        """
        with translated("count jobs in", self.directory):
            return take_status(self._context)

    def collect_garbage(self) -> int:
        """Remove outcomes older than the retention, and their traces; give how many.

        Raises:
            SpoolError: The spool cannot be reached; calling again goes on.
        """
        with translated("collect garbage in", self.directory):
            return collect_garbage(self._context)

    def enlist(self, *, host: str) -> SpoolWorker:
        """Become a worker of this spool.

        Raises:
            SpoolError: The spool cannot be reached or written.
        """
        with translated("enlist a worker in", self.directory):
            place = WorkerPlace(self.directory, host, host_digest(host, boot_id()))
            return SpoolWorker(self._context, place)


def _check_job_id(job_id: str) -> None:
    if not layout.JOB_ID_PATTERN.fullmatch(job_id):
        raise ValueError(f"cannot use {job_id!r} as a job id: give one that submit returned")
