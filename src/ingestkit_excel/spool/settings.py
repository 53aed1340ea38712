"""Settings of a spool, stored in it, and what every part of the spool works with. Pure."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ingestkit_excel.clock import Clock
from ingestkit_excel.spool.fs import FileSystem
from ingestkit_excel.spool.ids import PROCESS_JOB_IDS, JobIds

__all__ = ["SpoolContext", "SpoolSettings"]


class SpoolSettings(BaseModel):
    """What all hosts on one spool must agree on; written once, at creation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    durability: Literal["fsync", "none"] = "fsync"
    """``none`` is for tests and scratch: a power cut may lose accepted jobs."""
    lease_duration_s: float = Field(default=60.0, ge=1.0)
    """How long a heartbeat must stand still until other hosts believe its worker dead.

    Below a quarter of a minute a server that stalls between two looks of a janitor cannot be told
    from a death, which costs a repeated execution.
    """
    retry_backoff_s: float = Field(default=5.0, ge=0)
    retry_backoff_max_s: float = Field(default=300.0, ge=0)
    relist_interval_s: float = Field(default=5.0, ge=0)
    """How long a worker may serve from its list before it looks for more urgent jobs."""
    claim_window: int = Field(default=64, ge=1)
    retention_s: float = Field(default=7 * 86400.0, ge=60)
    """How long outcomes are kept; whoever waits for one looks every few seconds."""
    staging_retention_s: float = Field(default=7 * 86400.0, ge=0)
    """How long unfinished submissions are kept; far longer than any submission can take."""
    free_space_bytes_min: int = Field(default=16 * 1024**2, ge=0)
    """No job is accepted into less space than this, so that outcomes still fit."""


@dataclass(frozen=True, slots=True)
class SpoolContext:
    """The disk, the time and the rules."""

    fs: FileSystem
    clock: Clock
    settings: SpoolSettings = field(default_factory=SpoolSettings)
    job_ids: JobIds = PROCESS_JOB_IDS
    spool_id: str = ""
    """What tells this spool from others; empty in spools made without one."""

    @property
    def is_durable(self) -> bool:
        """Whether acknowledged changes must survive a power cut."""
        return self.settings.durability == "fsync"

    def sync(self, directory: str) -> None:
        """Make the names in the directory survive, where that is wanted (P3)."""
        if self.is_durable:
            self.fs.sync_directory(directory)
