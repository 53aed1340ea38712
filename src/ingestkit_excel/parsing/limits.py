"""What a file really is, and whether it is safe to open.

The content decides, never the file name. Nothing is inflated before the sizes in the zip
directory have been added up; Python's ``zipfile`` never inflates more than an entry declares.
"""

import mmap
import struct
import zipfile
import zlib
from enum import StrEnum
from typing import Final

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ErrorCode, ParseError

__all__ = ["Container", "identify_container", "source_error"]

_CFB_MAGIC: Final = bytes.fromhex("d0cf11e0a1b11ae1")  # [MS-CFB] 2.2
_ZIP_MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_BIFF_MAGICS: Final = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00")
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    LookupError,
    ValueError,
    EOFError,
)
_DIMENSIONS: Final = bytes.fromhex("00020e00")  # record type and length
_DIMENSIONS_BODY: Final = struct.Struct("<IIHHH")
_XLS_ROWS_MAX: Final = 65_536
_XLS_COLUMNS_MAX: Final = 256
_SECTOR_SHIFTS: Final = (9, 12)  # 512 and 4096 bytes, [MS-CFB] 2.2
_SECTOR_COUNTS: Final = (40, 44, 64, 72)  # offsets: directory, FAT, mini FAT and DIFAT sectors
_SIZED_ENTRIES: Final = ("Root Entry", "Workbook", "Book")
_ENTRY_SIZE_OFFSET: Final = 120  # of the stream size in a directory entry, [MS-CFB] 2.6.1
_BIFF8_GLOBALS: Final = bytes.fromhex("0908100000060500")  # BOF of the workbook globals
_FILE_PASS: Final = 0x002F
_FILE_PASS_SEARCH_RECORDS: Final = 4  # only BOF and WriteProtect may stand before it
_RATIO_FREE_BYTES: Final = 1 << 20  # below it, repetitive XML is common and harmless
_HEAD_BYTES: Final = 4096  # enough to see a magic number or the start of a text
_ENCRYPTED_FLAG: Final = 0x1  # general purpose bit 0, APPNOTE 4.4.4


class Container(StrEnum):
    """File formats that are told apart."""

    OOXML = "xlsx"
    XLSB = "xlsb"
    ODS = "ods"
    XLS = "xls"


def source_error(path: str, error: OSError) -> ParseError:
    """Give the coded form of an operating system error on the source file."""
    code = ErrorCode.E_SOURCE_UNREADABLE
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        code = ErrorCode.E_SOURCE_NOT_FOUND
    elif isinstance(error, PermissionError):
        code = ErrorCode.E_SOURCE_PERMISSION
    cause = error.strerror or type(error).__name__
    return ParseError(code, f"cannot read workbook {path}: {cause}; check the path and its rights")


def identify_container(path: str, config: ExcelProcessorConfig) -> Container:
    """Tell the format by content and refuse what is unsafe, encrypted, empty or foreign.

    Raises:
        ParseError: The file must not or cannot be opened; the code says why.
        OSError: The file cannot be read.
    """
    with open(path, "rb") as stream:
        head = stream.read(_HEAD_BYTES)
        size = stream.seek(0, 2)
    if size == 0:
        raise _refuse(path, ErrorCode.E_PARSE_EMPTY, "the file has no bytes; save it again")
    if size > config.max_file_size_bytes:
        limit = config.max_file_size_bytes
        cause = f"{size} bytes exceed the limit of {limit}; raise max_file_size_bytes"
        raise _refuse(path, ErrorCode.E_PARSE_TOO_LARGE, cause)
    if head.startswith(_CFB_MAGIC):
        return _identify_compound(path)
    if head.startswith(_ZIP_MAGICS):
        return _identify_zip(path, config)
    raise _refuse(path, *_foreign_cause(head))


def _refuse(path: str, code: ErrorCode, cause: str) -> ParseError:
    return ParseError(code, f"cannot read workbook {path}: {cause}")


def _foreign_cause(head: bytes) -> tuple[ErrorCode, str]:
    if head.startswith(_BIFF_MAGICS):
        return (
            ErrorCode.E_PARSE_UNSUPPORTED,
            "it is a worksheet of Excel 4 or older; save it as .xlsx",
        )
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<?xml", b"<html", b"<!doctype", b"<table", b"<workbook")):
        return (
            ErrorCode.E_PARSE_UNSUPPORTED,
            "it is HTML or plain XML, not a spreadsheet package; save it as .xlsx",
        )
    return ErrorCode.E_PARSE_CORRUPT, "its content is no spreadsheet; open and save it as .xlsx"


def _identify_compound(path: str) -> Container:
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if view.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            raise _refuse(path, ErrorCode.E_PARSE_PASSWORD, "it is encrypted; remove the password")
        if not _has_sound_sizes(view):
            cause = "its directory is damaged; restore it from a good copy"
            raise _refuse(path, ErrorCode.E_PARSE_CORRUPT, cause)
        if _has_file_pass(view):
            raise _refuse(path, ErrorCode.E_PARSE_PASSWORD, "it is encrypted; remove the password")
        for stream_name in ("Workbook", "Book", "WORKBOOK", "BOOK"):
            if view.find(stream_name.encode("utf-16-le") + b"\0\0") >= 0:
                return Container.XLS
    cause = "it is an Office file but no workbook; give a spreadsheet"
    raise _refuse(path, ErrorCode.E_PARSE_UNSUPPORTED, cause)


def _has_sound_sizes(view: mmap.mmap) -> bool:
    """Whether the sizes in a compound file fit the file.

    Calamine reserves what they ask for, and Rust ends the process when it does not get it.
    """
    shift = int.from_bytes(view[30:32], "little")
    if shift not in _SECTOR_SHIFTS:
        return False
    sectors = (len(view) >> shift) + 1
    if any(int.from_bytes(view[at : at + 4], "little") > sectors for at in _SECTOR_COUNTS):
        return False
    for name in _SIZED_ENTRIES:
        position = view.find(name.encode("utf-16-le") + b"\0\0")
        if position < 0:
            continue
        size = view[position + _ENTRY_SIZE_OFFSET : position + _ENTRY_SIZE_OFFSET + 4]
        if int.from_bytes(size, "little") > len(view):
            return False
    return _has_sound_dimensions(view)


def _has_sound_dimensions(view: mmap.mmap) -> bool:
    """Whether every Dimensions record, [MS-XLS] 2.4.90, stays within the grid of .xls."""
    position = view.find(_DIMENSIONS)
    while position >= 0:
        _, rows, _, columns, reserved = _DIMENSIONS_BODY.unpack(
            view[position + 4 : position + 18].ljust(14, b"\xff")
        )
        # The reserved zero tells a record from the same bytes by chance.
        if reserved == 0 and (rows > _XLS_ROWS_MAX or columns > _XLS_COLUMNS_MAX):
            return False
        position = view.find(_DIMENSIONS, position + 4)
    return True


def _has_file_pass(view: mmap.mmap) -> bool:
    """Whether a FilePass record, [MS-XLS] 2.4.117, follows the start of the workbook stream."""
    position = view.find(_BIFF8_GLOBALS)
    if position < 0:
        return False
    for _ in range(_FILE_PASS_SEARCH_RECORDS):
        kind = int.from_bytes(view[position : position + 2], "little")
        if kind == _FILE_PASS:
            return True
        position += 4 + int.from_bytes(view[position + 2 : position + 4], "little")
    return False


def _identify_zip(path: str, config: ExcelProcessorConfig) -> Container:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path, entries, config)
            names = {entry.filename.replace("\\", "/").lower().lstrip("/") for entry in entries}
            return _zip_container(path, archive, names)
    except _ZIP_ERRORS as error:
        cause = "its zip directory is damaged or cut short; restore it from a good copy"
        raise _refuse(path, ErrorCode.E_PARSE_CORRUPT, cause) from error


def _check_entries(path: str, entries: list[zipfile.ZipInfo], config: ExcelProcessorConfig) -> None:
    if len(entries) > config.max_zip_entries:
        cause = f"{len(entries)} zip entries exceed the limit of {config.max_zip_entries}"
        raise _refuse(path, ErrorCode.E_PARSE_UNSAFE, f"{cause}; raise max_zip_entries")
    inflated = sum(entry.file_size for entry in entries)
    if inflated > config.max_inflated_bytes:
        cause = f"it inflates to {inflated} bytes, over the limit of {config.max_inflated_bytes}"
        raise _refuse(path, ErrorCode.E_PARSE_TOO_LARGE, f"{cause}; raise max_inflated_bytes")
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise _refuse(path, ErrorCode.E_PARSE_PASSWORD, "it is encrypted; remove the password")
        if entry.file_size <= _RATIO_FREE_BYTES:
            continue
        if entry.file_size > config.max_compression_ratio * max(entry.compress_size, 1):
            cause = f"an entry inflates more than {config.max_compression_ratio:g} times"
            raise _refuse(path, ErrorCode.E_PARSE_UNSAFE, f"{cause}; raise max_compression_ratio")


def _zip_container(path: str, archive: zipfile.ZipFile, names: set[str]) -> Container:
    if any(name.endswith("workbook.bin") for name in names):
        return Container.XLSB
    if "[content_types].xml" in names or "xl/workbook.xml" in names:
        return Container.OOXML
    if "content.xml" in names:
        if "meta-inf/manifest.xml" in names:
            manifest = archive.read("META-INF/manifest.xml")
            if b"encryption-data" in manifest:
                cause = "it is encrypted; remove the password"
                raise _refuse(path, ErrorCode.E_PARSE_PASSWORD, cause)
        return Container.ODS
    cause = "it is a zip archive but no workbook; give a spreadsheet"
    raise _refuse(path, ErrorCode.E_PARSE_UNSUPPORTED, cause)
