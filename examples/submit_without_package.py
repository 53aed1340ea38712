"""Submit a workbook to a spool and print its outcome, following docs/spool-protocol.md alone.

Uses nothing but the standard library, so it shows what a client in another language has to do.
Usage: python submit_without_package.py SPOOL WORKBOOK, the workbook below the spool's parent.
"""

import hashlib
import json
import os
import secrets
import sys
import time
from pathlib import Path

_PRIORITY = 5
_WAIT_S = 120.0


def new_job_id(now_s: float) -> str:
    """Give ``j`` and a UUIDv7 in hex."""
    head = f"{int(now_s * 1000):012x}7{secrets.randbits(12):03x}"
    return f"j{head}{(0b10 << 62) | secrets.randbits(62):016x}"


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def submit(spool: Path, workbook: Path) -> str:
    """Put one job into the spool and give its id."""
    now_s, stat = time.time(), workbook.stat()
    job_id = new_job_id(now_s)
    job = {
        "job_id": job_id,
        "format": 1,
        "priority": _PRIORITY,
        "submitted_at": now_s,
        "root": "share",
        "rel": workbook.relative_to(spool.parent).as_posix(),
        "file_path": str(workbook),
        "size_bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
    }
    data = json.dumps(job).encode()
    staged = spool / "tmp" / f"{job_id}.{secrets.token_hex(8)}.job"
    with open(staged, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    bucket = spool / "pending" / str(_PRIORITY) / job_id[1:10]
    digest = hashlib.sha256(data).hexdigest()[:12]
    while True:  # each further round needs a janitor that removed the bucket just made
        bucket.mkdir(exist_ok=True)
        try:
            os.rename(staged, bucket / f"{job_id}.n01.f00.v1.{digest}.job")
        except FileNotFoundError:
            if not staged.exists():
                break  # the rename happened and its reply was lost
            continue
        break
    if bucket.exists():
        sync_directory(bucket)
    return job_id


def wait_for_outcome(spool: Path, job_id: str) -> dict[str, object]:
    """Look at the one path where the outcome appears, until it is there and whole."""
    shard = spool / "results" / job_id[-2:]
    pause_s, deadline_s = 0.05, time.monotonic() + _WAIT_S
    while time.monotonic() < deadline_s:
        os.listdir(shard)  # P4: else NFS may repeat an old "not there" for a minute
        try:
            head, body = (shard / f"{job_id}.json").read_bytes().split(b"\n", 1)
        except FileNotFoundError:
            time.sleep(pause_s)
            pause_s = min(2.0, pause_s * 1.5)
            continue
        body = body.removesuffix(b"\n")
        if json.loads(head)["sha256"] != hashlib.sha256(body).hexdigest():
            raise SystemExit(f"the outcome of {job_id} does not match its digest")
        outcome: dict[str, object] = json.loads(body)
        return outcome
    raise SystemExit(f"job {job_id} has not ended within {_WAIT_S:.0f} s; is there a worker?")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: submit_without_package.py SPOOL WORKBOOK")
    spool_directory = Path(sys.argv[1]).resolve()
    job = submit(spool_directory, Path(sys.argv[2]).resolve())
    print(json.dumps(wait_for_outcome(spool_directory, job), indent=1))
