"""What a number format makes of a number: its kind, its typed value, the text a person sees.

Dates and times are written in ISO 8601 whatever their format's order, so that no reader has to
guess between day and month. Colours, conditions, fractions and exponents are not imitated: such
numbers are written plainly. The first section of a format serves for all numbers.
"""

import math
import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from ingestkit_excel.workbook import CellKind, Scalar

__all__ = ["BUILTIN_FORMATS", "FormatSpec", "classify_format", "interpret_number", "plain_number"]

BUILTIN_FORMATS: Final[dict[int, str]] = {  # ECMA-376 part 1, 18.8.30
    0: "General",
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    5: '"$"#,##0',
    6: '"$"#,##0',
    7: '"$"#,##0.00',
    8: '"$"#,##0.00',
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "m/d/yy h:mm",
    37: "#,##0",
    38: "#,##0",
    39: "#,##0.00",
    40: "#,##0.00",
    41: "#,##0",
    42: '"$"#,##0',
    43: "#,##0.00",
    44: '"$"#,##0.00',
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}

_CURRENCY: Final = re.compile(
    r"[$€£¥₩₹₽₺₫₪฿₴₦₱¢¤]|\b(?:USD|EUR|GBP|CHF|JPY|CNY|AUD|CAD|SEK|NOK|DKK|PLN)\b"
)
_LOCALE: Final = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")
_ELAPSED: Final = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_CONDITION: Final = re.compile(r"\[[<>=]")
_BRACKET: Final = re.compile(r"\[[^\]]*\]")
_LITERAL: Final = re.compile(r'"([^"]*)"|\\(.)|_.|\*.')
_AM_PM: Final = re.compile(r"am/pm|a/p|上午/下午", re.IGNORECASE)
_DIGITS: Final = re.compile(r"[#0?][#0?,.]*")
_SERIAL_MAX: Final = 2_958_466  # the day after 9999-12-31
_DAY_SECONDS: Final = 86_400
_PLAIN_DIGITS: Final = 15  # what a spreadsheet keeps of a double


class FormatSpec(NamedTuple):
    """A number format, understood."""

    kind: CellKind
    decimals: int | None = None
    """Digits after the point; ``None`` writes the number plainly."""
    min_digits: int = 1
    thousands: bool = False
    scale: int = 0
    """Powers of a thousand by which the shown number is divided."""
    prefix: str = ""
    suffix: str = ""


_GENERAL: Final = FormatSpec(CellKind.NUMBER)


@lru_cache(maxsize=4096)
def classify_format(code: str) -> FormatSpec:
    """Understand a number format code."""
    section = _first_section(code)
    if section.strip().lower() in {"general", "", "@", "standard"}:
        return _GENERAL
    if _ELAPSED.search(section):
        return FormatSpec(CellKind.DURATION)
    bare = _LITERAL.sub("", _BRACKET.sub("", section))
    moment = _moment_kind(bare)
    if moment:
        return FormatSpec(moment)
    spec = _number_spec(section, bare)
    if _CONDITION.search(code):
        return FormatSpec(spec.kind)
    return _common_affixes(spec, code[len(section) + 1 :])


def interpret_number(
    number: int | float, spec: FormatSpec, *, date1904: bool = False
) -> tuple[Scalar, str, CellKind]:
    """Give the typed value, its text and its kind.

    A number that its date format cannot show, such as a negative one, stays a number.
    """
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e15:
        number = int(number)
    if spec.kind is CellKind.DURATION and abs(number) < _SERIAL_MAX:
        length = timedelta(seconds=round(number * _DAY_SECONDS, 3))
        return length, _duration_text(length), CellKind.DURATION
    if spec.kind in {CellKind.DATE, CellKind.DATETIME, CellKind.TIME}:
        moment = _interpret_moment(number, spec.kind, date1904)
        return moment or (number, plain_number(number), CellKind.NUMBER)
    return number, _number_text(number, spec), spec.kind


def plain_number(number: int | float) -> str:
    """Write a number with up to 15 significant digits and no exponent where it can be avoided."""
    if isinstance(number, int):
        return str(number)
    if not math.isfinite(number):
        return str(number)
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    text = f"{number:.{_PLAIN_DIGITS}g}"
    if "e" in text and 1e-9 < abs(number) < 1e15:
        text = f"{Decimal(text):f}"
    return text


def _common_affixes(spec: FormatSpec, negative: str) -> FormatSpec:
    """Drop what only positive numbers show, as in ``"up "0;"down "0``."""
    if not negative.strip(";"):
        return spec
    shown = _LITERAL.sub(lambda match: match[1] or match[2] or "", _LOCALE.sub(r"\1", negative))
    return spec._replace(
        prefix=spec.prefix if spec.prefix in shown else "",
        suffix=spec.suffix if spec.suffix.strip() in shown else "",
    )


def _first_section(code: str) -> str:
    quoted = escaped = False
    for index, letter in enumerate(code):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == ";" and not quoted:
            return code[:index]
    return code


def _moment_kind(bare: str) -> CellKind | None:
    without_marks = _AM_PM.sub("h", bare).lower()
    if re.search(r"[0#?]", re.sub(r"s+\.0+", "s", without_marks)):
        return None
    if "e+" in without_marks or "general" in without_marks:
        return None
    has_date = bool(re.search(r"[yd]|mmm|(?<![a-z])e+(?![a-z+-])|b{2,}", without_marks))
    has_time = bool(re.search(r"[hs]", without_marks))
    if "m" in without_marks and not has_time:
        has_date = True
    if has_date:
        return CellKind.DATETIME if has_time else CellKind.DATE
    return CellKind.TIME if has_time else None


def _number_spec(section: str, bare: str) -> FormatSpec:
    symbols = _LOCALE.sub(lambda match: f'"{match[1]}"' if match[1] else "", section)
    readable = _LITERAL.sub(_literal_text, _BRACKET.sub("", symbols))
    digits = _DIGITS.search(bare)
    kind = CellKind.NUMBER
    if "%" in bare:
        kind = CellKind.PERCENT
    elif _CURRENCY.search(readable):
        kind = CellKind.CURRENCY
    if digits is None or "/" in bare or "e+" in bare.lower() or "e-" in bare.lower():
        return FormatSpec(kind)
    whole, _, fraction = digits[0].partition(".")
    pattern = _DIGITS.search(readable)
    prefix, suffix = _affixes(readable, pattern)
    return FormatSpec(
        kind,
        decimals=len(fraction.rstrip(",")),
        min_digits=max(whole.count("0"), 1),
        thousands="," in whole.rstrip(","),
        scale=len(digits[0]) - len(digits[0].rstrip(",")),
        prefix=prefix,
        suffix=suffix,
    )


def _literal_text(match: re.Match[str]) -> str:
    text = match[1] if match[1] is not None else match[2]
    # Digits inside a literal must not be taken for placeholders.
    return "" if text is None else re.sub(r"[#0?]", "", text)


def _affixes(readable: str, pattern: re.Match[str] | None) -> tuple[str, str]:
    if pattern is None:
        return "", ""
    prefix = readable[: pattern.start()].strip(" -+()@")
    suffix = readable[pattern.end() :].replace("%", "").rstrip(" -()@")
    if _DIGITS.search(suffix):
        return prefix, ""  # an inner literal, as in 000-00-0000, is not imitated
    return prefix, suffix.lstrip("()")


def _number_text(number: int | float, spec: FormatSpec) -> str:
    if spec.decimals is None or not math.isfinite(number) or abs(number) >= 1e15:
        if spec.kind is CellKind.PERCENT and math.isfinite(number):
            return plain_number(float(number) * 100) + "%"
        return plain_number(number)
    exact = Decimal(repr(number))
    if spec.kind is CellKind.PERCENT:
        exact *= 100
    exact /= Decimal(1000) ** spec.scale
    rounded = exact.quantize(Decimal(1).scaleb(-spec.decimals), rounding=ROUND_HALF_UP)
    whole, point, fraction = f"{abs(rounded):f}".partition(".")
    whole = whole.zfill(spec.min_digits)
    if spec.thousands:
        whole = f"{int(whole):,}"
    sign = "-" if rounded < 0 else ""
    percent = "%" if spec.kind is CellKind.PERCENT else ""
    return f"{sign}{spec.prefix}{whole}{point}{fraction}{percent}{spec.suffix}"


def _interpret_moment(
    serial: int | float, kind: CellKind, date1904: bool
) -> tuple[Scalar, str, CellKind] | None:
    if not 0 <= serial < _SERIAL_MAX - (1462 if date1904 else 0):
        return None
    if serial < 1 and not (date1904 and kind is not CellKind.TIME):
        if kind is CellKind.DATE or (kind is CellKind.DATETIME and serial == 0):
            return None
        moment = datetime(1900, 1, 1) + _since_midnight(serial)
        if moment.day != 1:
            return None
        return moment.time(), moment.time().isoformat(), CellKind.TIME
    moment = _epoch(serial, date1904) + timedelta(days=int(serial)) + _since_midnight(serial % 1)
    if kind is CellKind.DATE and serial == int(serial):
        return moment.date(), moment.date().isoformat(), CellKind.DATE
    return moment, moment.isoformat(sep=" "), CellKind.DATETIME


def _since_midnight(fraction: float) -> timedelta:
    return timedelta(milliseconds=round(fraction * _DAY_SECONDS * 1000))


def _epoch(serial: int | float, date1904: bool) -> datetime:
    if date1904:
        return datetime(1904, 1, 1)
    # Lotus and Excel hold 1900 for a leap year, so days before its 29 February count from later.
    return datetime(1899, 12, 31) if serial < 60 else datetime(1899, 12, 30)


def _duration_text(length: timedelta) -> str:
    seconds = abs(length).total_seconds()
    hours, rest = divmod(int(seconds), 3600)
    sign = "-" if length < timedelta(0) else ""
    return f"{sign}{hours}:{rest // 60:02d}:{rest % 60:02d}"
