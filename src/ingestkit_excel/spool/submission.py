"""Putting a job into the spool, once per key where a key is given.

Owns: tmp/ and ids/.
Promises: a job exists whole or not at all; submitters that give the same key get the same job,
also when one of them dies in between, for the next one finishes its work.
Needs of the disk: P1, P2, P3; P5 for keys.
"""

import contextlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from ingestkit_excel.errors import ErrorCode, ExecutionError
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import Exists, FileSystemError, Missing, NoSpace
from ingestkit_excel.spool.ids import new_nonce
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.publish import (
    ensure_directory,
    is_present,
    server_time_s,
    try_enqueue,
    try_move,
)
from ingestkit_excel.spool.records import (
    Job,
    JobDraft,
    RecordError,
    digest_of,
    encode_job,
    load_strict,
    short_digest,
)
from ingestkit_excel.spool.settings import SpoolContext
from ingestkit_excel.spool.survey import JobState, find_state

__all__ = [
    "Submission",
    "finish_keyed",
    "is_known",
    "list_markers",
    "read_marker",
    "set_aside",
    "submit_job",
    "submit_keyed",
]

_KEY_DIGITS: Final = 32
_MARKER_BYTES_MAX: Final = 4096  # five short fields
_IDENTITY_FIELDS: Final = {"root", "rel", "blob_sha256", "source_uri", "config"}


@dataclass(frozen=True, slots=True)
class Submission:
    """A staged job: its file in tmp/ and where it will wait."""

    stem: Stem
    staged: str
    priority: int
    due_s: int | None


def _stage(context: SpoolContext, draft: JobDraft, priority: int, due_s: int | None) -> Submission:
    if context.fs.free_space() < context.settings.free_space_bytes_min:
        raise NoSpace(".", "less space is left than outcomes need")
    now = context.clock.wall()
    job = Job(
        **{name: getattr(draft, name) for name in JobDraft.model_fields},
        job_id=context.job_ids.next_id(now),
        priority=priority,
        submitted_at=now,
    )
    data = encode_job(job)
    stem = Stem(job.job_id, 1, 0, short_digest(data))
    staged = f"{layout.TMP}/{job.job_id}.{new_nonce()}.job"
    context.fs.create(staged, data, durable=context.is_durable)
    return Submission(stem, staged, priority, due_s)


def _publish(context: SpoolContext, submission: Submission) -> bool:
    stem = submission.stem
    if submission.due_s is not None:
        is_moved = try_move(context, submission.staged, layout.delayed_path(submission.due_s, stem))
        context.sync(layout.DELAYED)
        return is_moved
    directory = layout.pending_directory(submission.priority, stem.job_id)
    return try_enqueue(context, submission.staged, directory, stem.file_name)


def submit_job(context: SpoolContext, draft: JobDraft, *, priority: int, due_s: int | None) -> str:
    """Submit a job.

    On disk: tmp/J.U.job is written; it becomes pending/P/B/S, or delayed/tT.S.
    Crash: before the rename nothing was submitted and tmp/ is swept; after it the job exists.
    """
    submission = _stage(context, draft, priority, due_s)
    _publish(context, submission)
    # Not found where it was staged and not where it belongs: a worker was quick to take it.
    return submission.stem.job_id


def submit_keyed(
    context: SpoolContext, draft: JobDraft, key: str, *, priority: int, due_s: int | None
) -> str:
    """Submit a job unless one of this key exists; give the id of the one that does.

    Raises:
        ExecutionError: ``E_EXECUTION_SUBMIT``: the key belongs to another workbook or settings.

    On disk: tmp/K.U/owner is written beside the staged job; tmp/K.U becomes ids/xx/K (who owns
    the key); then as without a key.
    Crash: once ids/xx/K exists, the next submitter of the key or a janitor finishes the move to
    pending.
    """
    digest = digest_of(key.encode())[:_KEY_DIGITS]
    marker = f"{layout.IDS}/{digest[-2:]}/{digest}"
    identity = digest_of(draft.model_dump_json(include=_IDENTITY_FIELDS).encode())
    owner = _find_owner(context, marker)
    if owner is not None and not is_known(context, marker, owner[0]):
        set_aside(context, marker, owner[0])
        owner = _find_owner(context, marker)
    if owner is None:
        submission = _stage(context, draft, priority, due_s)
        _offer(context, marker, submission, identity)
        owner = _find_owner(context, marker)
    if owner is None:
        raise Missing(marker, "the owner of the key cannot be seen")
    owned, owned_identity = owner
    if owned_identity != identity:
        raise ExecutionError(
            ErrorCode.E_EXECUTION_SUBMIT,
            f"cannot submit under the key {key!r}: job {owned.stem.job_id} has it for another "
            "workbook or other settings; use a new key",
            job_id=owned.stem.job_id,
        )
    if is_present(context, owned.staged):  # the owner may have died before its move: finish it
        _publish(context, owned)
    return owned.stem.job_id


def _offer(context: SpoolContext, marker: str, submission: Submission, identity: str) -> None:
    shard, _, digest = marker.rpartition("/")
    ensure_directory(context, shard)
    draft = f"{layout.TMP}/{digest}.{new_nonce()}"
    record = {
        "stem": str(submission.stem),
        "staged": submission.staged,
        "priority": submission.priority,
        "due_s": submission.due_s,
        "identity": identity,
    }
    context.fs.make_directory(draft)
    context.fs.create(f"{draft}/owner", json.dumps(record).encode(), durable=context.is_durable)
    context.sync(draft)
    try:
        context.fs.rename(draft, marker)  # P5: only the first directory gets the name
        context.sync(shard)
    except Exists:
        for path in (f"{draft}/owner", submission.staged):
            with contextlib.suppress(FileSystemError):
                context.fs.remove(path)
        with contextlib.suppress(FileSystemError):
            context.fs.remove_directory(draft)


def is_known(context: SpoolContext, marker: str, owned: Submission) -> bool:
    """Whether the job of a key is anywhere; only of an old key it is in doubt."""
    if is_present(context, owned.staged):
        return True
    settings = context.settings
    age_s = server_time_s(context) - context.fs.stamp(f"{marker}/owner").mtime_ns / 1e9
    if age_s <= min(settings.staging_retention_s, settings.retention_s):
        return True  # nothing of it was old enough to be removed
    try:
        return find_state(context, owned.stem.job_id) is not JobState.UNKNOWN
    except RecordError:
        return True  # there is an outcome, though a damaged one


def set_aside(context: SpoolContext, marker: str, forgotten: Submission) -> None:
    """Free the key of a job that is gone: its marker is moved out of the way and removed.

    Should this end half way, janitors sweep what was moved.
    """
    aside = f"{layout.TMP}/{marker.rpartition('/')[2]}.{new_nonce()}"
    with contextlib.suppress(Missing):  # another submitter did it
        context.fs.rename(marker, aside)
        owner = _find_owner(context, aside)
        if owner is not None and owner[0].stem != forgotten.stem:
            with contextlib.suppress(Exists):
                context.fs.rename(aside, marker)  # another one did, and has the key anew
            return
        context.fs.remove(f"{aside}/owner")
        context.fs.remove_directory(aside)


def finish_keyed(context: SpoolContext, staged: Collection[str]) -> set[str]:
    """Finish those of the staged submissions that own their key; give their files.

    Raises:
        FileSystemError: It cannot be told which do.
    """
    finished: set[str] = set()
    for marker in list_markers(context):
        owner: tuple[Submission, str] | None = None
        with contextlib.suppress(RecordError, Missing):
            owner = read_marker(context, marker)
        if owner is not None and owner[0].staged in staged:
            _publish(context, owner[0])
            finished.add(owner[0].staged)
    return finished


def list_markers(context: SpoolContext) -> Iterator[str]:
    """Give the paths of the markers of all keys."""
    for shard in list_known(context, layout.IDS):
        for name in list_known(context, f"{layout.IDS}/{shard}"):
            yield f"{layout.IDS}/{shard}/{name}"


def _find_owner(context: SpoolContext, marker: str) -> tuple[Submission, str] | None:
    try:
        return read_marker(context, marker)
    except RecordError as error:
        raise Missing(marker, f"the marker of the key cannot be read: {error}") from error


def read_marker(context: SpoolContext, marker: str) -> tuple[Submission, str] | None:
    """Give the submission that owns a key and the digest of what it asks for.

    Raises:
        RecordError: The marker does not say what it should.
    """
    if "owner" not in list_known(context, marker):
        return None
    record = load_strict(context.fs.read(f"{marker}/owner", max_bytes=_MARKER_BYTES_MAX))
    if not isinstance(record, dict):
        raise RecordError("it is no object")
    stem = Stem.try_parse(str(record.get("stem")))
    staged, priority, due_s = record.get("staged"), record.get("priority"), record.get("due_s")
    if (
        stem is None
        or not re.fullmatch(rf"{layout.TMP}/{stem.job_id}\.[0-9a-f]{{16}}\.job", str(staged))
        or priority not in layout.PRIORITIES
        or not (due_s is None or isinstance(due_s, int))
    ):
        raise RecordError("it names no staged job")
    return Submission(stem, str(staged), int(str(priority)), due_s), str(record.get("identity"))
