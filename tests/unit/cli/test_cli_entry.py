"""What stands before the commands: the missing extra, exit codes of errors."""

import os
import subprocess
import sys

import pytest

from ingestkit_excel.cli.exit_codes import EXIT_CODE_HELP, ExitCode, exit_code_of
from ingestkit_excel.errors import (
    BackendError,
    ConfigurationError,
    ErrorCode,
    ExecutionError,
    IngestKitError,
    ParseError,
    SpoolError,
)

_WITHOUT_TYPER = (
    "import sys; sys.modules['typer'] = None; "
    "from ingestkit_excel.cli import main; sys.exit(main(['--help']))"
)


@pytest.mark.slow
def test_without_the_extra_the_command_says_what_to_install() -> None:
    """No traceback: the message names the extra, the code is its own."""
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TYPER],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert ended.returncode == ExitCode.EXTRA_MISSING
    assert "pip install 'ingestkit-excel[cli]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigurationError(ErrorCode.E_CONFIG_INVALID, "x"), ExitCode.USAGE),
        (SpoolError(ErrorCode.E_SPOOL_NOT_FOUND, "x"), ExitCode.SPOOL),
        (ExecutionError(ErrorCode.E_EXECUTION_NOT_FOUND, "x"), ExitCode.SPOOL),
        (ExecutionError(ErrorCode.E_EXECUTION_CANCELLED, "x"), ExitCode.SOME_FAILED),
        (ExecutionError(ErrorCode.E_EXECUTION_TIMEOUT, "x"), ExitCode.NOT_FINISHED),
        (BackendError(ErrorCode.E_BACKEND_DB_CONNECT, "x"), ExitCode.STORE),
        (ParseError(ErrorCode.E_PARSE_CORRUPT, "x"), ExitCode.SOME_FAILED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: IngestKitError, expected: ExitCode) -> None:
    """A script can tell a wrong path from an unreachable spool."""
    assert exit_code_of(error) is expected


def test_help_names_every_exit_code() -> None:
    """The text people read and the enum are the same list."""
    assert all(f"{code.value} " in EXIT_CODE_HELP for code in ExitCode)
