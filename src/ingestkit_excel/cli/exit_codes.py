"""The exit codes of ``ingestkit-excel``, and which error ends with which."""

from enum import IntEnum

from ingestkit_excel.errors import (
    ConfigurationError,
    ErrorCode,
    ExecutionError,
    IngestKitError,
    SpoolError,
)

__all__ = ["EXIT_CODE_HELP", "ExitCode", "exit_code_of"]


class ExitCode(IntEnum):
    """What the process tells its caller."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    SPOOL = 3
    STORE = 4
    NOT_FINISHED = 5
    EXTRA_MISSING = 6
    DEFECT = 7
    DEGRADED = 8
    UNSAFE = 9
    INTERRUPTED = 130


EXIT_CODE_HELP = (
    "Exit codes: 0 all went well; 1 some workbooks failed; 2 the command line or a path is wrong; "
    "3 the spool is missing or out of reach; 4 the store failed; 5 a job has not ended yet; "
    "6 an optional package is missing; 7 a defect of this program; 8 and 9 doctor: a spool there "
    "has drawbacks, or is not safe; 130 interrupted."
)


def exit_code_of(error: IngestKitError) -> ExitCode:
    """Give the code a command ends with when ``error`` stops it."""
    if error.code is ErrorCode.E_EXECUTION_TIMEOUT:
        return ExitCode.NOT_FINISHED
    if error.code is ErrorCode.E_EXECUTION_CANCELLED:
        return ExitCode.SOME_FAILED
    if isinstance(error, ConfigurationError):
        return ExitCode.USAGE
    if isinstance(error, SpoolError | ExecutionError):
        return ExitCode.SPOOL
    return ExitCode.STORE if error.code.startswith("E_BACKEND") else ExitCode.SOME_FAILED
