"""Commands about a spool: make one, reach one, ask for jobs and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ingestkit_excel.cli.exit_codes import ExitCode
from ingestkit_excel.cli.ingest import describe
from ingestkit_excel.cli.output import print_json, print_table
from ingestkit_excel.errors import ConfigurationError, ErrorCode
from ingestkit_excel.execution import DistributedExecutionBackend
from ingestkit_excel.spool import Spool

__all__ = ["init_spool", "open_backend", "parse_roots", "show_result", "show_status"]


def parse_roots(texts: Sequence[str] | None) -> dict[str, str]:
    """Turn ``NAME=PATH`` options into a mapping.

    Raises:
        ConfigurationError: One has no name or no path.
    """
    roots = {}
    for text in texts or ():
        name, separator, path = text.partition("=")
        if not (name and separator and path):
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot use --root {text!r}: it is not NAME=PATH; write --root data=/mnt/data",
            )
        roots[name] = path
    return roots


def open_backend(
    spool: Path, roots: Mapping[str, str], *, attach: bool = False
) -> DistributedExecutionBackend:
    """Reach the workers behind a spool."""
    return DistributedExecutionBackend(str(spool), roots=roots, attach=attach)


def init_spool(directory: Path, *, as_json: bool) -> None:
    """Make a spool and say how to serve it."""
    Spool.create(directory)
    path = directory.absolute()
    if as_json:
        print_json({"spool": str(path)})
        return
    print(f"made the spool {path}")
    print(f"start a worker on any host that mounts it: spool-worker --spool {path}")


def show_result(spool: Path, job_id: str, *, timeout_s: float | None, as_json: bool) -> ExitCode:
    """Print what became of a job.

    Raises:
        ExecutionError: It has not ended within ``timeout_s``, or there is no such job.
    """
    result = open_backend(spool, {}).get_result(job_id, timeout=timeout_s)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print(describe(result.file_path, result))
        for table in result.tables:
            print(f"  table {table}")
        for detail in result.error_details:
            print(f"  {detail.code}: {detail.message}")
    return ExitCode.SOME_FAILED if result.errors else ExitCode.OK


def show_status(spool: Path, *, as_json: bool) -> None:
    """Print how many jobs are in each state."""
    facts = asdict(Spool.open(spool).status())
    if as_json:
        print_json(facts)
    else:
        print_table(("state", "count"), [(key, _brief(value)) for key, value in facts.items()])


def _brief(value: object) -> object:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {count}" for key, count in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value))
    return value
