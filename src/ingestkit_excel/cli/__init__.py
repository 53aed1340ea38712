"""The command ``ingestkit-excel``; needs the extra ``cli`` and says so where it is missing."""

import sys
from collections.abc import Sequence
from importlib import import_module

from ingestkit_excel.cli.exit_codes import ExitCode, exit_code_of
from ingestkit_excel.errors import IngestKitError

__all__ = ["ExitCode", "main"]

_EXTRA_MODULES = ("typer", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (``None``: those of the process); give its exit code."""
    for name in _EXTRA_MODULES:
        try:
            import_module(name)
        except ImportError:
            return _tell_missing_extra(name)
    app = import_module("ingestkit_excel.cli.app")
    try:
        return int(app.run(arguments))
    except IngestKitError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(exit_code_of(error))
    except OSError as error:
        print(f"error: cannot go on: {error}; check the path and its disk", file=sys.stderr)
        return int(ExitCode.USAGE)
    except Exception as error:  # noqa: BLE001 - a defect is told in one line and has its own code
        # Its text may hold cell content, so only its type is told.
        print(
            f"error: unexpected {type(error).__name__}; this is a defect, please report it",
            file=sys.stderr,
        )
        return int(ExitCode.DEFECT)


def _tell_missing_extra(name: str) -> int:
    print(
        f"error: the command line needs the package {name}, which is not installed; "
        "install the extra: pip install 'ingestkit-excel[cli]'",
        file=sys.stderr,
    )
    return int(ExitCode.EXTRA_MISSING)
