"""What must not be opened, told by content."""

import zipfile
from pathlib import Path

import pytest

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.parsing import parse_workbook

CFB = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(22) + b"\x09\x00" + bytes(480)
CONFIG = ExcelProcessorConfig(reader="openpyxl")


def code_of(path: Path, config: ExcelProcessorConfig = CONFIG) -> ErrorCode:
    """Give the code with which a file is refused."""
    with pytest.raises(ParseError) as caught:
        parse_workbook(str(path), config)
    assert "; " in caught.value.message, "the message says what to do"
    return caught.value.code


def zipped(path: Path, **parts: bytes) -> Path:
    """Write a package with a content type part and the given entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/") + ".xml", content)
    return path


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ErrorCode.E_PARSE_EMPTY),
        (b"a,b,c\n1,2,3\n", ErrorCode.E_PARSE_CORRUPT),
        (b"PK\x03\x04" + bytes(200), ErrorCode.E_PARSE_CORRUPT),
        (b"<html><table></table></html>", ErrorCode.E_PARSE_UNSUPPORTED),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>", ErrorCode.E_PARSE_UNSUPPORTED),
        (b"\x09\x04\x06\x00" + bytes(50), ErrorCode.E_PARSE_UNSUPPORTED),
        (CFB + "EncryptedPackage".encode("utf-16-le"), ErrorCode.E_PARSE_PASSWORD),
        (CFB[:44] + b"\xff" * 4 + CFB[48:], ErrorCode.E_PARSE_CORRUPT),
        (
            CFB + "Workbook\0".encode("utf-16-le") + b"\xff" * 120,
            ErrorCode.E_PARSE_CORRUPT,
        ),
        (
            CFB + bytes.fromhex("00020e00 00000000 ffffff00 0000 0100 0000"),
            ErrorCode.E_PARSE_CORRUPT,
        ),
        (CFB + "WordDocument".encode("utf-16-le"), ErrorCode.E_PARSE_UNSUPPORTED),
    ],
)
def test_content_decides_not_the_name(tmp_path: Path, content: bytes, code: ErrorCode) -> None:
    """Every file here is called .xlsx and none is one."""
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    assert code_of(path) is code


def test_large_file_is_refused_unopened(tmp_path: Path) -> None:
    """The file size limit comes first."""
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    assert code_of(path, ExcelProcessorConfig(max_file_size_bytes=50)) is (
        ErrorCode.E_PARSE_TOO_LARGE
    )


def test_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    """An entry of zeros inflates a thousandfold."""
    path = zipped(tmp_path / "book.xlsx", xl__workbook=bytes(2 << 20))
    assert code_of(path) is ErrorCode.E_PARSE_UNSAFE


def test_inflated_size_is_added_up(tmp_path: Path) -> None:
    """Many modest entries count together."""
    path = zipped(tmp_path / "book.xlsx", a=bytes(600), b=bytes(600))
    assert code_of(path, ExcelProcessorConfig(max_inflated_bytes=1000)) is (
        ErrorCode.E_PARSE_TOO_LARGE
    )


def test_number_of_entries_is_limited(tmp_path: Path) -> None:
    """A directory of many entries is refused before any is read."""
    path = zipped(tmp_path / "book.xlsx", a=b"", b=b"")
    assert code_of(path, ExcelProcessorConfig(max_zip_entries=2)) is ErrorCode.E_PARSE_UNSAFE


def test_document_type_is_unsafe(tmp_path: Path) -> None:
    """An entity cannot expand because a DTD is refused."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook>&a;</workbook>'
    path = zipped(tmp_path / "book.xlsx", xl__workbook=bomb)
    assert code_of(path) is ErrorCode.E_PARSE_UNSAFE


def test_archive_without_a_workbook_is_unsupported(tmp_path: Path) -> None:
    """Any zip is not a workbook."""
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "x")
    assert code_of(path) is ErrorCode.E_PARSE_UNSUPPORTED


def test_package_without_its_workbook_part_is_corrupt(tmp_path: Path) -> None:
    """A package whose main part is missing is damaged."""
    assert code_of(zipped(tmp_path / "book.xlsx", xl__other=b"<x/>")) is ErrorCode.E_PARSE_CORRUPT
