"""From a path to a `Workbook`: which engine reads each sheet, and why others gave up."""

import zipfile
from contextlib import closing
from dataclasses import dataclass, field

from ingestkit_excel.config import ExcelProcessorConfig
from ingestkit_excel.errors import ConfigurationError, ErrorCode, IngestError, ParseError
from ingestkit_excel.identity import hash_stream
from ingestkit_excel.models import ParserUsed
from ingestkit_excel.parsing.legacy import read_legacy
from ingestkit_excel.parsing.limits import Container, identify_container, source_error
from ingestkit_excel.parsing.ooxml import PACKAGE_ERRORS, Package, SheetPart
from ingestkit_excel.parsing.readers import ReaderFailed, ValueReader, load_calamine, make_reader
from ingestkit_excel.parsing.sheet_xml import UnsafeXml
from ingestkit_excel.parsing.worksheet import Measured, measure_sheet, read_sheet
from ingestkit_excel.workbook import Sheet, Workbook

__all__ = ["parse_workbook"]


@dataclass(slots=True)
class _Reading:
    """What has been gathered from one workbook so far."""

    names: tuple[str, ...] = ()
    sheets: list[Sheet] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: list[IngestError] = field(default_factory=list)
    rows_max: int = 0
    fallback: ErrorCode | None = None
    readers: dict[ParserUsed, ValueReader] = field(default_factory=dict)

    def reader(self, path: str, parser: ParserUsed) -> ValueReader:
        """Give the one reader of that engine, which parses the shared parts only once."""
        if parser not in self.readers:
            self.readers[parser] = make_reader(parser, path)
        return self.readers[parser]

    def close(self) -> None:
        for reader in self.readers.values():
            reader.close()

    def warn(self, code: ErrorCode, message: str, sheet_name: str) -> None:
        self.warnings.append(
            IngestError(
                code=code, message=message, sheet_name=sheet_name, stage="parse", recoverable=True
            )
        )

    def skip(self, code: ErrorCode, message: str, sheet_name: str) -> None:
        self.skipped[sheet_name] = code.value
        if code is not ErrorCode.W_SHEET_SKIPPED_EMPTY:
            self.warn(code, message, sheet_name)


def parse_workbook(path: str, config: ExcelProcessorConfig) -> Workbook:
    """Read a workbook of any supported format.

    Sheets that cannot be read are skipped with a warning; the others are given.

    Raises:
        ParseError: Nothing can be read; the code says why.
        ConfigurationError: The reader asked for is not installed.
    """
    order = _reader_order(config)
    try:
        container = identify_container(path, config)
        with open(path, "rb") as stream:
            content_hash = hash_stream(stream)
            size = stream.tell()
        reading = _read(path, container, order=order, config=config)
    except OSError as error:
        raise source_error(path, error) from error
    if not reading.sheets:
        raise _nothing_read(path, reading)
    return Workbook(
        path=path,
        content_hash=content_hash,
        size_bytes=size,
        sheets=tuple(reading.sheets),
        sheet_names=reading.names,
        parser_used=reading.sheets[0].parser_used,
        fallback_reason_code=reading.fallback.value if reading.fallback else None,
        skipped=reading.skipped,
        warnings=tuple(reading.warnings),
    )


def _reader_order(config: ExcelProcessorConfig) -> list[ParserUsed]:
    order = [ParserUsed.OPENPYXL, ParserUsed.RAW_TEXT_FALLBACK]
    if config.reader == "openpyxl":
        return order
    if load_calamine() is not None:
        return [ParserUsed.CALAMINE, *order]
    if config.reader == "calamine":
        raise ConfigurationError(
            ErrorCode.E_CONFIG_INVALID,
            "cannot use the reader calamine: it is not installed; "
            "pip install ingestkit-excel[fast]",
        )
    return order


def _read(
    path: str, container: Container, *, order: list[ParserUsed], config: ExcelProcessorConfig
) -> _Reading:
    if container is Container.OOXML:
        return _read_package(path, order=order, config=config)
    book = read_legacy(path, container, config)
    reading = _Reading(names=book.names, sheets=list(book.sheets))
    for name, code in book.skipped.items():
        reading.skip(code, _SKIP_MESSAGES[code], name)
    return reading


_SKIP_MESSAGES = {
    ErrorCode.W_SHEET_SKIPPED_CHART: "the sheet holds a chart, dialog or macros and no cells",
    ErrorCode.W_SHEET_SKIPPED_EMPTY: "the sheet holds no cells",
    ErrorCode.W_SHEET_UNREADABLE: "the sheet is damaged or missing from the file",
}


def _read_package(path: str, *, order: list[ParserUsed], config: ExcelProcessorConfig) -> _Reading:
    try:
        with zipfile.ZipFile(path) as archive:
            package = Package.load(archive)
            names = tuple(sheet.name for sheet in package.sheets)
            reading = _Reading(names, rows_max=config.max_rows_in_memory)
            with closing(reading):
                for sheet in package.sheets:
                    _read_sheet(path, package, sheet, order=order, reading=reading)
            return reading
    except PACKAGE_ERRORS as error:
        code, cause = ErrorCode.E_PARSE_CORRUPT, "the package is damaged; open and save it again"
        if type(error).__name__ in {"DTDForbidden", "EntitiesForbidden", "UnsafeXml"}:
            code, cause = ErrorCode.E_PARSE_UNSAFE, "it declares a document type; save it again"
        raise ParseError(code, f"cannot read workbook {path}: {cause}") from error


def _read_sheet(
    path: str,
    package: Package,
    sheet: SheetPart,
    *,
    order: list[ParserUsed],
    reading: _Reading,
) -> None:
    measured = _measure(package, sheet, reading=reading)
    if measured is None:
        return
    if measured.is_cropped:
        message = "stray cells far from the rest are left out"
        reading.warn(ErrorCode.W_ROWS_TRUNCATED, message, sheet.name)
    if measured.uncached:
        message = f"{measured.uncached} formulas have no stored value; their text stands instead"
        reading.warn(ErrorCode.W_FORMULA_UNCACHED, message, sheet.name)
    raw_only = package.is_strict or measured.is_sparse
    for parser in [ParserUsed.RAW_TEXT_FALLBACK] if raw_only else order:
        try:
            found = read_sheet(
                path, package, sheet, measured=measured, reader=reading.reader(path, parser)
            )
        except ReaderFailed as error:
            reading.fallback = reading.fallback or error.code
            message = f"{parser} gave up ({error}; {error.code}); the next reader was used"
            reading.warn(ErrorCode.W_PARSER_FALLBACK, message, sheet.name)
            continue
        reading.sheets.append(found)
        return


def _measure(package: Package, sheet: SheetPart, *, reading: _Reading) -> Measured | None:
    code = ErrorCode.W_SHEET_UNREADABLE
    if sheet.is_chart:
        code = ErrorCode.W_SHEET_SKIPPED_CHART
    elif sheet.part is not None:
        try:
            measured = measure_sheet(package, sheet.part, rows_max=reading.rows_max)
        except UnsafeXml:
            raise
        except PACKAGE_ERRORS:
            pass
        else:
            if measured.extent is not None:
                return measured
            code = ErrorCode.W_SHEET_SKIPPED_EMPTY
    reading.skip(code, _SKIP_MESSAGES[code], sheet.name)
    return None


def _nothing_read(path: str, reading: _Reading) -> ParseError:
    if ErrorCode.W_SHEET_UNREADABLE.value in reading.skipped.values():
        code, cause = ErrorCode.E_PARSE_CORRUPT, "no sheet can be read; restore a good copy"
    else:
        code, cause = ErrorCode.E_PARSE_EMPTY, "no sheet holds a value; nothing to take in"
    return ParseError(code, f"cannot read workbook {path}: {cause}")
