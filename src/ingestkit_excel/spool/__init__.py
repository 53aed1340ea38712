"""A job queue in a directory on a share, without a broker. Enter through `Spool`."""

from ingestkit_excel.spool.claim import Claim
from ingestkit_excel.spool.records import AttemptRecord, Job, JobDraft, Outcome
from ingestkit_excel.spool.settings import SpoolSettings
from ingestkit_excel.spool.spool import Cancellation, Spool
from ingestkit_excel.spool.survey import JobState, SpoolStatus
from ingestkit_excel.spool.worker import Completion, SpoolWorker

__all__ = [
    "AttemptRecord",
    "Cancellation",
    "Claim",
    "Completion",
    "Job",
    "JobDraft",
    "JobState",
    "Outcome",
    "Spool",
    "SpoolSettings",
    "SpoolStatus",
    "SpoolWorker",
]
