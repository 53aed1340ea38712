"""What the pages say about commands, options and codes is so."""

import re
from pathlib import Path

import pytest
import typer.main

from ingestkit_excel.cli.app import app
from ingestkit_excel.cli.exit_codes import ExitCode

_ROOT = Path(__file__).resolve().parents[1]
_COMMANDS = vars(typer.main.get_command(app))["commands"]
_PAGES = ["README.md", "docs/operations.md", "CONTRIBUTING.md"]
_OPERATIONS = (_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def _spans(page: str) -> list[str]:
    text = re.sub(r"^```.*?^```", "", (_ROOT / page).read_text("utf-8"), flags=re.S | re.M)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


@pytest.mark.parametrize("page", _PAGES)
def test_commands_and_options_on_the_pages_exist(page: str) -> None:
    """A command that is copied from a page is understood."""
    for span in _spans(page):
        if not span.startswith("ingestkit-excel "):
            continue
        _, name, *words = span.split()
        assert name in _COMMANDS, span
        known = {option for part in _COMMANDS[name].params for option in part.opts}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= known, span


def test_every_command_is_on_the_pages() -> None:
    """A command that nobody is told of might as well not be there."""
    spans = [span for page in _PAGES for span in _spans(page)]
    told = {word for span in spans for word in span.split()[:2]}
    assert set(_COMMANDS) <= told


def test_every_exit_code_has_a_row() -> None:
    """The table in the page and the enum are the same list."""
    rows = re.findall(r"^\| (\d+) \|", _OPERATIONS, re.M)
    assert [int(row) for row in rows] == sorted(ExitCode)
