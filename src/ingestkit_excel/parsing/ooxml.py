"""Opens an OOXML package: its sheets, shared strings, styles and epoch.

Names and targets are resolved without regard to case, as spreadsheet programs do.
"""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlParseError
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring, iterparse

from ingestkit_excel.parsing.number_format import BUILTIN_FORMATS
from ingestkit_excel.workbook import Visibility

__all__ = ["PACKAGE_ERRORS", "Package", "SheetPart", "Style", "relation_ids", "unescape"]

PACKAGE_ERRORS: Final = (
    zipfile.BadZipFile,
    XmlParseError,
    ExpatError,
    DefusedXmlException,
    LookupError,
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
)
"""All that reading a damaged package can raise."""

_STRICT: Final = "http://purl.oclc.org/ooxml/"
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")  # ST_Xstring, 22.9.2.19
_CHART_TYPES: Final = ("chartsheet", "dialogsheet", "xlMacrosheet", "xlIntlMacrosheet")


@dataclass(frozen=True, slots=True)
class SheetPart:
    """One sheet of the workbook; ``part`` is ``None`` when the package does not hold it."""

    index: int
    name: str
    part: str | None
    is_chart: bool
    visibility: Visibility


@dataclass(frozen=True, slots=True)
class Style:
    """What of a cell format bears on content."""

    number_format: str
    bold: bool


@dataclass(slots=True)
class Package:
    """An opened package; the caller closes ``archive``."""

    archive: zipfile.ZipFile
    sheets: list[SheetPart] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    styles: list[Style] = field(default_factory=list)
    date1904: bool = False
    is_strict: bool = False

    @classmethod
    def load(cls, archive: zipfile.ZipFile) -> "Package":
        """Read everything but the sheets themselves.

        Raises one of `PACKAGE_ERRORS` when the package is damaged.
        """
        package = cls(archive)
        parts = {_part_key(name): name for name in archive.namelist()}
        book_part = _workbook_part(archive, parts)
        relations = _relations(archive, parts, book_part)
        root = fromstring(archive.read(book_part), forbid_dtd=True)
        package.is_strict = root.tag.startswith("{" + _STRICT)
        package.date1904 = _is_1904(root)
        package.sheets = list(_sheet_parts(root, relations, parts))
        for kind, target in relations.values():
            name = parts.get(_part_key(target))
            if name and kind == "sharedStrings":
                with archive.open(name) as stream:
                    package.strings = list(_shared_strings(stream))
            elif name and kind == "styles":
                package.styles = _styles(fromstring(archive.read(name), forbid_dtd=True))
        return package

    def style(self, index: int) -> Style:
        """Give the style of an index; an unknown index is the default style."""
        return self.styles[index] if 0 <= index < len(self.styles) else _DEFAULT_STYLE


_DEFAULT_STYLE: Final = Style("General", bold=False)


def unescape(text: str) -> str:
    """Resolve ``_xHHHH_`` escapes and give line ends as ``\\n``."""
    if "_x" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _children(element: Element | None, name: str) -> Iterator[Element]:
    if element is not None:
        yield from (child for child in element if _local(child.tag) == name)


def _child(element: Element | None, name: str) -> Element | None:
    return next(_children(element, name), None)


def _part_key(name: str) -> str:
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/").lower()


def _workbook_part(archive: zipfile.ZipFile, parts: dict[str, str]) -> str:
    for kind, target in _relations(archive, parts, "").values():
        if kind == "officeDocument" and _part_key(target) in parts:
            return parts[_part_key(target)]
    return parts["xl/workbook.xml"]


def relation_ids(archive: zipfile.ZipFile, source: str) -> set[str]:
    """Give the ids by which a part names other parts of its package."""
    parts = {_part_key(name): name for name in archive.namelist()}
    return set(_relations(archive, parts, source))


def _relations(
    archive: zipfile.ZipFile, parts: dict[str, str], source: str
) -> dict[str, tuple[str, str]]:
    folder, _, base = source.replace("\\", "/").rpartition("/")
    name = parts.get(_part_key(f"{folder}/_rels/{base}.rels"))
    found: dict[str, tuple[str, str]] = {}
    if name is None:
        return found
    for item in fromstring(archive.read(name), forbid_dtd=True):
        if item.get("TargetMode") == "External":
            continue
        target = item.get("Target", "").replace("\\", "/")
        path = target if target.startswith("/") else f"{folder}/{target}"
        found[item.get("Id", "")] = (item.get("Type", "").rpartition("/")[2], path)
    return found


def _is_1904(root: Element) -> bool:
    properties = _child(root, "workbookPr")
    return properties is not None and properties.get("date1904") in {"1", "true"}


def _sheet_parts(
    root: Element, relations: dict[str, tuple[str, str]], parts: dict[str, str]
) -> Iterator[SheetPart]:
    for index, sheet in enumerate(_children(_child(root, "sheets"), "sheet")):
        relation_id = next((v for k, v in sheet.attrib.items() if _local(k) == "id"), "")
        kind, target = relations.get(relation_id, ("", ""))
        try:
            visibility = Visibility(sheet.get("state", "visible"))
        except ValueError:
            visibility = Visibility.VISIBLE
        yield SheetPart(
            index=index,
            name=sheet.get("name") or f"Sheet{index + 1}",
            part=parts.get(_part_key(target)) if target else None,
            is_chart=kind in _CHART_TYPES,
            visibility=visibility,
        )


def _shared_strings(stream: IO[bytes]) -> Iterator[str]:
    for _, element in iterparse(stream, forbid_dtd=True):
        if _local(element.tag) == "si":
            yield unescape(_rich_text(element))
            element.clear()


def _rich_text(element: Element) -> str:
    pieces: list[str] = []
    for child in element:
        name = _local(child.tag)
        if name == "t":
            pieces.append(child.text or "")
        elif name == "r":
            pieces.extend(text.text or "" for text in _children(child, "t"))
    return "".join(pieces)


def _styles(root: Element) -> list[Style]:
    formats = dict(BUILTIN_FORMATS)
    for item in _children(_child(root, "numFmts"), "numFmt"):
        formats[int(item.get("numFmtId", "0"))] = item.get("formatCode", "General")
    bold = [_is_bold(font) for font in _children(_child(root, "fonts"), "font")]
    styles = []
    for item in _children(_child(root, "cellXfs"), "xf"):
        font = int(item.get("fontId") or 0)
        code = formats.get(int(item.get("numFmtId") or 0), "General")
        styles.append(Style(code, bold=font < len(bold) and bold[font]))
    return styles


def _is_bold(font: Element) -> bool:
    mark = _child(font, "b")
    return mark is not None and mark.get("val", "1") not in {"0", "false"}
