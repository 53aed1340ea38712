"""Names in the spool directory: pure functions between values and relative paths.

Owns: the directory names and the grammar of file names. A state is a directory, a transition is
a rename. A name off this grammar is not ours and is left alone.
Promises: no name is ever used twice, for the attempt number grows with each requeue.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

__all__ = [
    "BLOBS",
    "BUCKET_PATTERN",
    "CANCEL",
    "CLAIMS",
    "DEAD",
    "DELAYED",
    "DONE",
    "FIXED_DIRECTORIES",
    "FORMAT",
    "HISTORY",
    "IDS",
    "JOB_ID_PATTERN",
    "PENDING",
    "PREP",
    "PRIORITIES",
    "QUARANTINE",
    "RESULTS",
    "SETTINGS_FILE",
    "TMP",
    "TOP_DIRECTORIES",
    "WORKERS",
    "WORKER_ID_PATTERN",
    "Stem",
    "blob_path",
    "bucket_of",
    "cancel_path",
    "claims_directory",
    "delayed_path",
    "done_path",
    "history_directory",
    "lease_path",
    "lock_path",
    "parse_delayed",
    "parse_job_file",
    "parse_prepared",
    "pending_directory",
    "prepared_path",
    "result_path",
    "shard_of",
]

FORMAT: Final = 1  # version of everything below; stands in the settings file and in each stem
SETTINGS_FILE: Final = "spool.json"
TMP, IDS, PENDING, DELAYED = "tmp", "ids", "pending", "delayed"
CLAIMS, WORKERS, PREP, DONE, DEAD = "claims", "workers", "prep", "done", "dead"
RESULTS, CANCEL, QUARANTINE, HISTORY, BLOBS = (
    "results",
    "cancel",
    "quarantine",
    "history",
    "blobs",
)
PRIORITIES: Final = range(10)  # 0 is served first; one digit, so that names sort

TOP_DIRECTORIES: Final = (
    *(TMP, IDS, PENDING, DELAYED, CLAIMS, WORKERS, PREP, DONE, DEAD),
    *(RESULTS, CANCEL, QUARANTINE, HISTORY, BLOBS),
)
_SHARDS: Final = tuple(f"{number:02x}" for number in range(256))
# The settings file is written after all of these, so a spool that has one is complete.
FIXED_DIRECTORIES: Final = (
    *TOP_DIRECTORIES,
    *(f"{PENDING}/{priority}" for priority in PRIORITIES),
    *(f"{kind}/{shard}" for kind in (DONE, RESULTS) for shard in _SHARDS),
)

JOB_ID_PATTERN: Final = re.compile(r"j[0-9a-f]{32}")
WORKER_ID_PATTERN: Final = re.compile(r"w[0-9a-f]{16}-[0-9a-f]{8}")
BUCKET_PATTERN: Final = re.compile(r"[0-9a-f]{9}")
_STEM_PATTERN: Final = re.compile(
    r"(j[0-9a-f]{32})\.n([0-9]{2,4})\.f([0-9]{2,4})\.v([0-9]{1,4})\.([0-9a-f]{12})"
)
_DELAYED_PATTERN: Final = re.compile(r"t([0-9a-f]{1,12})\.(.+)")


@dataclass(frozen=True, slots=True)
class Stem:
    """What the name of a job file says: which job, which attempt, how often it failed."""

    job_id: str
    attempt: int
    failures: int
    digest: str
    version: int = FORMAT

    def __str__(self) -> str:
        numbers = f"n{self.attempt:02d}.f{self.failures:02d}.v{self.version}"
        return f"{self.job_id}.{numbers}.{self.digest}"

    @classmethod
    def try_parse(cls, text: str) -> Self | None:
        """Read a stem back; ``None`` when the text is not exactly what `str` gives."""
        match = _STEM_PATTERN.fullmatch(text)
        if match is None:
            return None
        job_id, attempt, failures, version, digest = match.groups()
        stem = cls(job_id, int(attempt), int(failures), digest, int(version))
        return stem if str(stem) == text else None

    @property
    def file_name(self) -> str:
        """The name of the job file in every state but delayed."""
        return f"{self}.job"

    def next_attempt(self, *, charged: bool) -> Self:
        """Give the name under which the job is tried again; the old one is never used again."""
        failures = self.failures + 1 if charged else self.failures
        return replace(self, attempt=self.attempt + 1, failures=failures)


def parse_job_file(name: str) -> Stem | None:
    """Read the name of a job file; ``None`` when it is not ours."""
    return Stem.try_parse(name.removesuffix(".job")) if name.endswith(".job") else None


def parse_prepared(name: str) -> Stem | None:
    """Read the name of a prepared outcome; ``None`` when it is not ours."""
    return Stem.try_parse(name.removesuffix(".out")) if name.endswith(".out") else None


def parse_delayed(name: str) -> tuple[int, Stem] | None:
    """Read the name of a delayed job: when it is due, in the server's seconds, and its stem."""
    match = _DELAYED_PATTERN.fullmatch(name)
    stem = None if match is None else parse_job_file(match[2])
    return None if match is None or stem is None else (int(match[1], 16), stem)


def shard_of(job_id: str) -> str:
    """Give the last two digits: they are random, the first ones are the time."""
    return job_id[-2:]


def bucket_of(job_id: str) -> str:
    """Give the 4.096 s of submission time that the job belongs to."""
    return job_id[1:10]


def pending_directory(priority: int, job_id: str) -> str:
    """Where the job waits."""
    return f"{PENDING}/{priority}/{bucket_of(job_id)}"


def delayed_path(due_s: int, stem: Stem) -> str:
    """Where the job waits for its time."""
    return f"{DELAYED}/t{due_s:x}.{stem.file_name}"


def claims_directory(worker_id: str) -> str:
    """Where the claims of one worker are."""
    return f"{CLAIMS}/{worker_id}"


def lease_path(worker_id: str) -> str:
    """The heartbeat of one worker."""
    return f"{WORKERS}/{worker_id}.lease"


def lock_path(worker_id: str) -> str:
    """The lock that one worker holds for its life."""
    return f"{WORKERS}/{worker_id}.lock"


def prepared_path(stem: Stem) -> str:
    """Where the outcome of one attempt waits for its commit."""
    return f"{PREP}/{stem}.out"


def done_path(stem: Stem, *, is_dead: bool = False) -> str:
    """The name whose appearance commits one attempt."""
    if is_dead:
        return f"{DEAD}/{stem.file_name}"
    return f"{DONE}/{shard_of(stem.job_id)}/{stem.file_name}"


def result_path(job_id: str) -> str:
    """The one place where the outcome of a job appears."""
    return f"{RESULTS}/{shard_of(job_id)}/{job_id}.json"


def blob_path(sha256: str) -> str:
    """Where the workbook of that content is."""
    return f"{BLOBS}/{sha256[-2:]}/{sha256}"


def cancel_path(job_id: str) -> str:
    """The wish that the job be given up."""
    return f"{CANCEL}/{job_id}"


def history_directory(job_id: str) -> str:
    """What became of earlier attempts; only jobs that were tried again have one."""
    return f"{HISTORY}/{job_id}"
