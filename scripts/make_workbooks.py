"""Write small sample workbooks, one of each kind the package tells apart.

Usage: python scripts/make_workbooks.py DIRECTORY. The content is made up and always the same.
"""

import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

_BOLD = Font(bold=True)
_HIRED_FIRST = date(2019, 3, 4)
_NAMES = ("Ada", "Bram", "Cleo", "Dina", "Emil", "Fara", "Gus", "Hana", "Ivo", "Jun", "Kaya", "Lev")
_TEAMS = ("Support", "Field", "Billing")


def roster(sheet: Worksheet) -> None:
    """A plain table: one header row, typed columns, twelve rows."""
    sheet.title = "Roster"
    _header(sheet, ("Employee ID", "Name", "Team", "Hired", "Monthly salary", "Remote"))
    for index, name in enumerate(_NAMES):
        hired = _HIRED_FIRST + timedelta(days=97 * index)
        salary = 2900 + 125.5 * index
        sheet.append((1001 + index, name, _TEAMS[index % 3], hired, salary, index % 2 == 0))


def checklist(sheet: Worksheet) -> None:
    """A document: merged headings with steps below them, read from top to bottom."""
    sheet.title = "Onboarding"
    _heading(sheet, 1, "Onboarding checklist for new support staff")
    row = 3
    for title, steps in _CHECKLIST:
        _heading(sheet, row, title)
        for offset, step in enumerate(steps, start=1):
            sheet.cell(row + offset, 1, "☐")
            sheet.cell(row + offset, 2, step)
        row += len(steps) + 2


def hybrid(sheet: Worksheet) -> None:
    """Prose, then a table, then notes on one sheet."""
    sheet.title = "Quarterly report"
    _heading(sheet, 1, "Printer fleet, third quarter")
    sheet["A2"] = "Paper jams fell after the trays were replaced; toner use is unchanged."
    sheet["A3"] = "Figures count tickets closed by the field team and not those still open."
    for column, title in enumerate(("Site", "Printers", "Tickets", "Downtime hours"), start=1):
        sheet.cell(6, column, title).font = _BOLD
    for offset, site in enumerate(("Harbour", "Mill", "North", "Old town", "Station", "West")):
        figures = (site, 12 + offset, 31 - 3 * offset, 4.5 + offset)
        for column, value in enumerate(figures, start=1):
            sheet.cell(7 + offset, column, value)
    sheet["A15"] = "Notes"
    sheet["A15"].font = _BOLD
    sheet["A16"] = "Station was closed for two weeks in August, so its downtime is an estimate."


def matrix(sheet: Worksheet) -> None:
    """A grid of marks: roles across, permissions down."""
    sheet.title = "Access"
    roles = ("Agent", "Lead", "Admin")
    _header(sheet, ("Permission", *roles))
    for index, permission in enumerate(("View tickets", "Close tickets", "Refund", "Delete user")):
        marks = ["x" if column >= index - 1 else None for column in range(len(roles))]
        sheet.append((permission, *marks))


def budget(sheet: Worksheet) -> None:
    """A table with months across, a total column of formulas and a total row."""
    sheet.title = "Budget"
    _header(sheet, ("Cost centre", "Jan", "Feb", "Mar", "Quarter"))
    for index, centre in enumerate(("Rent", "Salaries", "Travel", "Software", "Training")):
        row = index + 2
        months = [1200 * (index + 1) + 50 * month for month in range(3)]
        sheet.append((centre, *months, f"=SUM(B{row}:D{row})"))
    sheet.append(("Total", *(f"=SUM({letter}2:{letter}6)" for letter in "BCDE")))


_CHECKLIST = (
    ("Before the first day", ("Order a laptop and a headset", "Create the mail account")),
    (
        "First day",
        (
            "Hand over the badge; the front desk keeps the form",
            "Walk through the escalation policy",
            "Join the shift channel",
        ),
    ),
    ("First week", ("Shadow three calls", "Close a ticket under supervision")),
)

_MAKERS: dict[str, Callable[[Worksheet], None]] = {
    "roster": roster,
    "checklist": checklist,
    "hybrid": hybrid,
    "matrix": matrix,
    "budget": budget,
}


def make_workbooks(directory: Path) -> list[Path]:
    """Write all sample workbooks into ``directory`` and give their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, fill in _MAKERS.items():
        workbook = Workbook()
        fill(workbook.worksheets[0])
        path = directory / f"{name}.xlsx"
        workbook.save(path)
        paths.append(path)
    return paths


def _header(sheet: Worksheet, titles: tuple[str, ...]) -> None:
    sheet.append(titles)
    for cell in sheet[1]:
        cell.font = _BOLD


def _heading(sheet: Worksheet, row: int, text: str) -> None:
    sheet.merge_cells(start_row=row, start_column=1, end_row=row, end_column=4)
    sheet.cell(row, 1, text).font = _BOLD


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/make_workbooks.py DIRECTORY")
    for written in make_workbooks(Path(sys.argv[1])):
        print(written)
