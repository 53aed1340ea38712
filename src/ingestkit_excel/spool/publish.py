"""Moving jobs between states, and the commit of an outcome: prepare, fence, reveal.

Owns: the order of writes, syncs and renames.
Promises: an outcome is visible whole or not at all; of all attempts at a job one commits; after
a crash at any step either the job is tried again or anyone can finish the reveal.
Never does: conclude from a missing name that something did not happen to it; delete a prepared
outcome once its fence was tried.
Needs of the disk: P1 (rename consumes its source), P2, P3, P4.
"""

import contextlib
from typing import Final

from ingestkit_excel.spool import layout
from ingestkit_excel.spool.fs import Denied, Exists, FileSystemError, Missing, NotRegular, Stale
from ingestkit_excel.spool.ids import new_nonce
from ingestkit_excel.spool.layout import Stem
from ingestkit_excel.spool.records import OUTCOME_BYTES_MAX
from ingestkit_excel.spool.settings import SpoolContext

__all__ = [
    "ensure_directory",
    "is_present",
    "reveal",
    "server_time_s",
    "try_enqueue",
    "try_fence",
    "try_move",
    "try_prepare",
]

_ENQUEUE_TRIES: Final = 4  # each further one needs a janitor to remove the bucket just made


def server_time_s(context: SpoolContext) -> float:
    """Give the time of the machine that stamps files, by having it stamp one."""
    path = f"{layout.TMP}/clock.{new_nonce()}"
    context.fs.create(path, b"", durable=False)
    try:
        return context.fs.stamp(path).mtime_ns / 1e9
    finally:
        with contextlib.suppress(FileSystemError):
            context.fs.remove(path)


def is_present(context: SpoolContext, path: str) -> bool:
    """Whether the name was seen just now; ``False`` says only that it was not."""
    directory, _, name = path.rpartition("/")
    try:
        context.fs.refresh(directory)  # P4: else NFS may answer from its cache
        context.fs.stamp(path)
    except Missing:
        return False
    except (Denied, NotRegular):
        # What may not be opened, or is a link or a socket, can be there all the same.
        return name in context.fs.list_directory(directory)
    return True


def try_move(context: SpoolContext, source: str, target: str) -> bool:
    """Rename a unique name to a unique name; ``False`` when someone else had moved it.

    Raises:
        FileSystemError: It cannot be told whether the move happened; call again.
    """
    try:
        context.fs.rename(source, target)
    except Missing:
        # A server that acted and lost its reply says "no such file" to the repeat; the target,
        # which only this move makes, is the evidence.
        return is_present(context, target)
    except FileSystemError:
        if is_present(context, target):
            return True
        raise
    return True


def ensure_directory(context: SpoolContext, path: str) -> None:
    """Make a directory unless it is there; its own name survives a crash as well (P3)."""
    with contextlib.suppress(Exists):
        context.fs.make_directory(path)
    # Also when it was there: whoever made it may have stopped before this line.
    context.sync(path.rpartition("/")[0])


def try_enqueue(context: SpoolContext, source: str, directory: str, name: str) -> bool:
    """Move a job into a bucket, which is made when it is missing; ``False`` as in `try_move`.

    Raises:
        FileSystemError: The job is still where it was, as far as can be told; call again.
    """
    for _ in range(_ENQUEUE_TRIES):
        # An empty bucket may be removed between these two calls; the source is still there then.
        ensure_directory(context, directory)
        try:
            moved = try_move(context, source, f"{directory}/{name}")
        except Missing:  # the look for evidence found no bucket
            moved = False
        if moved:
            context.sync(directory)
            return True
        if not is_present(context, source):
            return False
    # Not "someone else has it": the source was seen just now, and nobody else looks after it.
    raise Stale(directory, "it vanishes as often as it is made")


def try_prepare(context: SpoolContext, stem: Stem, data: bytes) -> bool:
    """Write the outcome of an attempt out of sight; ``False`` when the name is taken.

    What stands there is torn, whatever it reads like: after a failed sync the system may show
    bytes that never reached the disk, and a second sync of the same file may succeed all the same.
    """
    path = layout.prepared_path(stem)
    try:
        context.fs.create(path, data, durable=context.is_durable)
        # P3: the fence that follows must never outlive the bytes it makes final.
        context.sync(layout.PREP)
    except Exists:
        return False
    except FileSystemError:
        # Its fence was not tried, so nobody can want it. Were it left on a full disk, each further
        # call would need another name and more room.
        with contextlib.suppress(FileSystemError):
            context.fs.remove(path)
        raise
    return True


def try_fence(context: SpoolContext, worker_id: str, stem: Stem, *, is_dead: bool) -> bool:
    """Commit an attempt: the claim's unique name becomes the done name, once (P1)."""
    claim = f"{layout.claims_directory(worker_id)}/{stem.file_name}"
    target = layout.done_path(stem, is_dead=is_dead)
    if not try_move(context, claim, target):
        return False
    context.sync(target.rpartition("/")[0])
    return True


def reveal(context: SpoolContext, stem: Stem) -> bool:
    """Make the outcome of a committed attempt visible; anyone may, any number of times.

    ``False``: another outcome of this job is visible already, from a copied or restored job;
    the new one is quarantined.
    """
    prepared = layout.prepared_path(stem)
    result = layout.result_path(stem.job_id)
    if is_present(context, result):
        try:
            ours = context.fs.read(prepared, max_bytes=OUTCOME_BYTES_MAX)
        except Missing:
            return True  # someone revealed it before us
        if context.fs.read(result, max_bytes=OUTCOME_BYTES_MAX) != ours:
            try_move(context, prepared, f"{layout.QUARANTINE}/{stem}.out")
            return False
    try_move(context, prepared, result)
    context.sync(result.rpartition("/")[0])
    return True
