"""Where a command ingests: in this process, in children of it, or with the workers of a spool.

The settings choose (``execution_backend``), and options on the command line override them.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingestkit_excel.backends import SQLiteStore, open_store
from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, ExecutionError
from ingestkit_excel.execution import (
    DistributedExecutionBackend,
    LocalExecutionBackend,
    create_execution_backend,
)
from ingestkit_excel.models import ProcessingResult
from ingestkit_excel.protocols import ExecutionBackend
from ingestkit_excel.router import ExcelRouter, create_default_router
from ingestkit_excel.spool import Spool

__all__ = [
    "DEFAULT_STORE",
    "Place",
    "PlaceOptions",
    "open_place",
    "open_spool_place",
    "spool_directory",
]

DEFAULT_STORE = "sqlite:///ingestkit.db"
_WORKERS_MAX = 4  # more children than this wait for the one database they write to
_SCHEME = "spool://"


@dataclass(frozen=True)
class PlaceOptions:
    """What the command line says about the place."""

    store: str | None = None
    workers: int | None = None
    spool: str | None = None
    roots: dict[str, str] = field(default_factory=dict)
    attach: bool = False
    priority: int | None = None

    def spool_url(self, settings: ExcelProcessorConfig) -> str | None:
        """The spool to use; ``None`` when this host does the work."""
        if self.spool is not None or settings.execution_backend == "local":
            return self.spool
        return settings.execution_queue_url


@dataclass(frozen=True)
class Place:
    """Takes workbooks and gives results."""

    backend: ExecutionBackend
    has_ended: Callable[[str, float], bool]
    """Whether a job has ended, after waiting for it so many seconds at most."""
    resume: str
    """How to go on after an interruption."""
    spool: Spool | None = None
    in_turn: bool = False
    """Whether the work is done while a workbook is handed over."""
    finish: Callable[[], None] = lambda: None
    """Let what runs come to its end, and drop what waits."""


def spool_directory(url: str) -> Path:
    """Give the directory that a path or a ``spool://`` URL names."""
    return Path(url.removeprefix(_SCHEME)).absolute()


@contextmanager
def open_place(settings: ExcelProcessorConfig, options: PlaceOptions) -> Iterator[Place]:
    """Give the place that settings and options name; closed with the context.

    Raises:
        ConfigurationError: Options contradict each other or the settings.
        BackendError: The store cannot be used.
        SpoolError: There is no usable spool.
    """
    url = options.spool_url(settings)
    if url is None and settings.execution_backend == "local":
        yield from _here(settings, options)
    else:
        yield open_spool_place(settings, options)


def open_spool_place(settings: ExcelProcessorConfig, options: PlaceOptions) -> Place:
    """Give the spool that settings and options name.

    Raises:
        ConfigurationError: None is named, or an option is for work on this host.
        SpoolError: There is no usable spool.
    """
    for name, value in (("--store", options.store), ("--workers", options.workers)):
        if value is not None:
            raise _unfit(f"{name} is for work on this host, and a spool is used; drop one of both")
    url = options.spool_url(settings)
    if url is None:
        raise _unfit("no spool is named; give --spool DIR, or execution_queue_url in the settings")
    priority = {} if options.priority is None else {"priority": options.priority}
    backend = DistributedExecutionBackend(
        url, roots=options.roots, attach=options.attach, **priority
    )
    directory = spool_directory(url)
    spool = Spool.open(directory)

    def has_ended(job_id: str, wait_s: float) -> bool:
        return spool.wait_for_outcome(job_id, wait_s) is not None

    resume = (
        "the jobs go on; collect them with: "
        f"ingestkit-excel result --spool {shlex.quote(str(directory))} --wait JOB ..."
    )
    return Place(backend, has_ended, resume, spool=spool)


@dataclass(frozen=True)
class _Process:
    """The router as a function that can be sent to a child."""

    router: ExcelRouter

    def __call__(
        self, file_path: str, config: ExcelProcessorConfig, source_uri: str | None
    ) -> ProcessingResult:
        return self.router.process(file_path, source_uri, config)


def _here(settings: ExcelProcessorConfig, options: PlaceOptions) -> Iterator[Place]:
    if options.roots or options.attach or options.priority is not None:
        raise _unfit("--root, --attach and --priority are for a spool; add --spool DIR")
    store = options.store or DEFAULT_STORE
    _check_store(store)
    settings = settings.model_copy(
        update={"execution_max_workers": _workers(settings, options.workers, store)}
    )
    router = create_default_router(store, config=settings)
    backend = create_execution_backend(settings, _Process(router))
    assert isinstance(backend, LocalExecutionBackend), "the settings say that this host works"

    def has_ended(job_id: str, wait_s: float) -> bool:
        try:
            backend.get_result(job_id, wait_s)
        except CancelledError:
            return False
        except ExecutionError as error:
            return error.code is not ErrorCode.E_EXECUTION_TIMEOUT
        return True

    with router, backend:
        yield Place(
            backend,
            has_ended,
            "run the same command again; workbooks already ingested are only replaced",
            in_turn=settings.execution_max_workers == 1,
            finish=backend.close,
        )


def _workers(settings: ExcelProcessorConfig, asked: int | None, store: str) -> int:
    if asked is not None:
        return asked
    if "execution_max_workers" in settings.model_fields_set:
        return settings.execution_max_workers
    if store.startswith("memory:"):
        return 1  # children would each fill a memory of their own
    return min(os.cpu_count() or 1, _WORKERS_MAX)


def _check_store(url: str) -> None:
    # A database that cannot be used is told once, instead of once for each workbook.
    store = open_store(url)
    if isinstance(store, SQLiteStore):
        try:
            store.table_names()
        finally:
            store.close()


def _unfit(cause: str) -> ConfigurationError:
    return ConfigurationError(ErrorCode.E_CONFIG_INVALID, f"cannot run the command: {cause}")
