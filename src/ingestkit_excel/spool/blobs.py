"""Workbooks that travel with their jobs, each under the digest of its bytes.

Owns: blobs/.
Promises: a blob is whole or not there; a job whose submission returned finds its blob, however
old, until the job has ended.
Never does: change a blob, or remove one before it has looked at every job that might want it,
after the last moment at which a submitter could have found it.
Needs of the disk: P1, P3, P4.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestkit_excel.identity import hash_file
from ingestkit_excel.spool import layout
from ingestkit_excel.spool.claim import list_known
from ingestkit_excel.spool.fs import (
    Denied,
    Exists,
    FileSystemError,
    Missing,
    NoSpace,
    TooLarge,
)
from ingestkit_excel.spool.ids import new_nonce
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.publish import is_present, try_move
from ingestkit_excel.spool.records import JOB_BYTES_MAX, RecordError, decode_job
from ingestkit_excel.spool.settings import SpoolContext

__all__ = ["Blob", "fetch_blob", "put_blob", "restore_blob", "sweep_blobs"]

_NANOSECONDS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Blob:
    """A workbook in the spool."""

    sha256: str
    size_bytes: int


def put_blob(context: SpoolContext, source: Path, *, max_bytes: int) -> Blob:
    """Bring a workbook of this host into the spool, unless its content is there.

    Raises:
        OSError: The workbook cannot be read.
        TooLarge: It has more than ``max_bytes``.

    On disk: tmp/H.U.blob is written; it becomes blobs/xx/H.
    Crash: before the rename tmp/ is swept; after it the blob is swept as unwanted.
    """
    size_bytes = source.stat().st_size
    if size_bytes > max_bytes:
        raise TooLarge(str(source), f"{size_bytes} bytes, at most {max_bytes} are carried")
    sha256 = hash_file(source)
    if _try_keep(context, sha256, size_bytes):
        return Blob(sha256, size_bytes)
    if context.fs.free_space() < size_bytes + context.settings.free_space_bytes_min:
        raise NoSpace(".", f"the workbook's {size_bytes} bytes leave too little for outcomes")
    staged = f"{layout.TMP}/{sha256}.{new_nonce()}.blob"
    try:
        # The workbook may change between the two readings: the bytes that arrived are the blob.
        sha256 = context.fs.copy_in(source, staged, max_bytes=max_bytes, durable=context.is_durable)
        return Blob(sha256, _publish(context, staged, sha256))
    except (FileSystemError, OSError):
        with contextlib.suppress(FileSystemError):
            context.fs.remove(staged)
        raise


def _try_keep(context: SpoolContext, sha256: str, size_bytes: int) -> bool:
    path = layout.blob_path(sha256)
    try:
        context.fs.touch(path)  # first, so that from here on the blob is too young to be swept
        # Where nothing is synced a power cut may have left it short; its name would not tell.
        return context.fs.stamp(path).size == size_bytes
    except (Missing, Denied):  # a blob of another account can be replaced, if not touched
        return False


def _publish(context: SpoolContext, staged: str, sha256: str) -> int:
    path = layout.blob_path(sha256)
    shard = path.rpartition("/")[0]
    size_bytes = context.fs.stamp(staged).size
    with contextlib.suppress(Exists):
        context.fs.make_directory(shard)
    context.sync(layout.BLOBS)
    # Over a blob that is there, or that another submitter was quicker with: same name, same bytes.
    if not try_move(context, staged, path):
        raise Missing(staged, "it vanished before it was moved to its place")
    context.sync(shard)
    return size_bytes


def restore_blob(context: SpoolContext, blob: Blob, source: Path) -> None:
    """Bring the blob again if a janitor took it before its job could be seen; call after submit.

    Janitors move a blob aside and then look for jobs once more. Whichever comes first, this look
    or that move: either we miss the blob here, or they see the job there.
    """
    # The job is accepted by now, so no failure here may look like one of the submission.
    with contextlib.suppress(FileSystemError, OSError):
        if not is_present(context, layout.blob_path(blob.sha256)):
            put_blob(context, source, max_bytes=blob.size_bytes)


def fetch_blob(context: SpoolContext, sha256: str, target: Path, *, max_bytes: int) -> None:
    """Copy a blob to a new file of this host.

    Raises:
        Missing: It is not there.
        RecordError: Its bytes are not those of its name.
        OSError: The target cannot be written.
    """
    found = [name for name in _names(context, sha256[-2:]) if name.partition(".")[0] == sha256]
    if not found:
        raise Missing(layout.blob_path(sha256), "the workbook is not in the spool")
    path = f"{layout.BLOBS}/{sha256[-2:]}/{found[0]}"
    if context.fs.copy_out(path, target, max_bytes=max_bytes) != sha256:
        raise RecordError(f"the bytes of {path} do not match the digest in its name")


def sweep_blobs(context: SpoolContext, limit_s: float) -> None:
    """Remove blobs that are older than the limit and that no waiting or running job wants.

    On disk: blobs/xx/H becomes blobs/xx/H.U (out of the sight of submitters); then it goes, or
    returns if a job came that wants it.
    Crash: workers read H.U too, and the next sweep goes on with it.
    """
    old = [
        (shard, name)
        for shard in list_known(context, layout.BLOBS)
        for name in _names(context, shard)
        if _is_older(context, f"{layout.BLOBS}/{shard}/{name}", limit_s)
    ]
    # What waits but cannot be read now may want any of them, so then nothing is removed.
    with contextlib.suppress(FileSystemError, RecordError):
        wanted = _wanted(context) if old else set()
        doomed = [
            _set_aside(context, shard, name)
            for shard, name in old
            if name.partition(".")[0] not in wanted
        ]
        wanted = _wanted(context) if doomed else set()
        for path in doomed:
            _settle(context, path, wanted)


def _set_aside(context: SpoolContext, shard: str, name: str) -> str:
    path = f"{layout.BLOBS}/{shard}/{name}"
    if "." in name:
        return path  # by a sweep that ended early
    aside = f"{path}.{new_nonce()}"
    try_move(context, path, aside)
    return aside


def _settle(context: SpoolContext, path: str, wanted: set[str]) -> None:
    blob_path = path.partition(".")[0]
    with contextlib.suppress(Missing):  # another janitor settled it
        if blob_path.rpartition("/")[2] in wanted:
            context.fs.rename(path, blob_path)
        else:
            context.fs.remove(path)


def _names(context: SpoolContext, shard: str) -> list[str]:
    # Sorted, so that a blob stands before what was set aside of it.
    return list_known(context, f"{layout.BLOBS}/{shard}")


def _is_older(context: SpoolContext, path: str, limit_s: float) -> bool:
    try:
        return context.fs.stamp(path).mtime_ns / _NANOSECONDS < limit_s
    except FileSystemError:
        return False


def _wanted(context: SpoolContext) -> set[str]:
    wanted: set[str] = set()
    # Jobs move while we look, forward or back, so each state is looked at again after the others.
    rounds = (_buckets, _delayed, _claims, _buckets, _delayed, _claims, _buckets)
    for directory in itertools.chain.from_iterable(kind(context) for kind in rounds):
        for name in list_known(context, directory):
            delayed = layout.parse_delayed(name)
            stem = delayed[1] if delayed else layout.parse_job_file(name)
            if stem is not None:
                wanted |= _blob_of(context, f"{directory}/{name}", stem)
    return wanted


def _buckets(context: SpoolContext) -> Iterator[str]:
    for priority in layout.PRIORITIES:
        for bucket in list_known(context, f"{layout.PENDING}/{priority}"):
            yield f"{layout.PENDING}/{priority}/{bucket}"


def _delayed(_context: SpoolContext) -> Iterator[str]:
    yield layout.DELAYED


def _claims(context: SpoolContext) -> Iterator[str]:
    for worker_id in list_known(context, layout.CLAIMS):
        yield layout.claims_directory(worker_id)


def _blob_of(context: SpoolContext, path: str, stem: Stem) -> set[str]:
    try:
        data = context.fs.read(path, max_bytes=JOB_BYTES_MAX)
    except Missing:
        return set()  # it moved; the look at the next state finds it
    blob = decode_job(data, job_id=stem.job_id, digest=stem.digest).blob_sha256
    return set() if blob is None else {blob}
