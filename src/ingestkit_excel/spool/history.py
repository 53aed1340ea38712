"""Records of attempts that gave no outcome, for the history of the one that will.

Owns: history/J. Promises nothing: a lost record costs an explanation, never a job.
"""

import contextlib

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import Exists, FileSystemError
from ingestkit_excel.spool.records import (
    JOB_BYTES_MAX,
    AttemptRecord,
    RecordError,
    decode_attempt,
    encode_attempt,
)
from ingestkit_excel.spool.settings import SpoolContext

__all__ = ["read_history", "record_attempt"]


def record_attempt(context: SpoolContext, job_id: str, record: AttemptRecord) -> None:
    """Write down what became of an attempt, if the disk lets us."""
    directory = layout.history_directory(job_id)
    with contextlib.suppress(FileSystemError):
        with contextlib.suppress(Exists):
            context.fs.make_directory(directory)
        path = f"{directory}/n{record.attempt:04d}.json"
        context.fs.create(path, encode_attempt(record), durable=context.is_durable)


def read_history(context: SpoolContext, job_id: str) -> tuple[AttemptRecord, ...]:
    """Give what is known of earlier attempts, oldest first."""
    directory = layout.history_directory(job_id)
    records: list[AttemptRecord] = []
    with contextlib.suppress(FileSystemError):
        for name in list_known(context, directory):
            with contextlib.suppress(FileSystemError, RecordError):
                data = context.fs.read(f"{directory}/{name}", max_bytes=JOB_BYTES_MAX)
                records.append(decode_attempt(data))
    return tuple(records)
