"""The engines that read cell values, one class each, behind one interface.

An engine yields, for each row of an extent, the values of its columns. What an engine raises
never leaves this module: it becomes `ReaderFailed`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, BinaryIO, Final, Protocol

from ingestkit_excel.errors import ErrorCode, ParseError
from ingestkit_excel.models import ParserUsed
from ingestkit_excel.workbook import CellRange

__all__ = [
    "CalamineReader",
    "OpenpyxlReader",
    "RawXmlReader",
    "ReaderFailed",
    "ValueReader",
    "calamine_guard",
    "load_calamine",
    "make_reader",
    "open_calamine",
]

_PANIC: Final = "PanicException"  # pyo3's, which derives from BaseException and has no import path


class ReaderFailed(Exception):
    """An engine gave up on a sheet; ``code`` says which one."""

    def __init__(self, code: ErrorCode, cause: str) -> None:
        super().__init__(cause)
        self.code = code


class ValueReader(Protocol):
    """Reads the values of one workbook, sheet by sheet."""

    parser: ParserUsed

    def read_values(self, name: str, extent: CellRange) -> Iterator[Sequence[object]]:
        """Yield the values of each row of ``extent``, empty ones as ``None`` or ``""``.

        Raises:
            ReaderFailed: The engine cannot read the sheet.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def load_calamine() -> Any | None:
    """Give the module ``python_calamine``, or ``None`` where the extra is not installed."""
    try:
        return import_module("python_calamine")
    except ImportError:
        return None


@contextmanager
def calamine_guard(module: Any) -> Iterator[None]:
    """Turn everything calamine raises, its panics too, into `ReaderFailed` or `ParseError`."""
    try:
        yield
    except module.PasswordError as error:
        cause = "cannot read the workbook: it is encrypted; remove the password"
        raise ParseError(ErrorCode.E_PARSE_PASSWORD, cause) from error
    except (module.CalamineError, ValueError, TypeError, OverflowError, IndexError) as error:
        raise ReaderFailed(ErrorCode.E_PARSE_CALAMINE_FAIL, type(error).__name__) from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise ReaderFailed(ErrorCode.E_PARSE_CALAMINE_FAIL, _PANIC) from error


def open_calamine(module: Any, path: str) -> Any:
    """Open a workbook by its content; given a path, calamine would believe its extension."""
    with open(path, "rb") as stream:
        return module.CalamineWorkbook.from_filelike(stream)


class CalamineReader:
    """Reads with calamine (Rust), which holds a sheet's bounding box in memory."""

    parser = ParserUsed.CALAMINE

    def __init__(self, path: str, module: Any) -> None:
        self._path = path
        self._module = module
        self._book: Any = None

    def read_values(self, name: str, extent: CellRange) -> Iterator[Sequence[object]]:
        """Yield the values of each row of ``extent``."""
        with calamine_guard(self._module):
            if self._book is None:
                self._book = open_calamine(self._module, self._path)
            sheet = self._book.get_sheet_by_name(name)
            start = sheet.start
            rows = iter(sheet.iter_rows())
        if start is None:
            return
        shift = extent.left - 1 - start[1]
        for number in range(1, extent.bottom + 1):
            with calamine_guard(self._module):
                values = next(rows, None)
            if values is None:
                return
            if number >= extent.top:
                yield values[shift:] if shift >= 0 else [None] * -shift + values

    def close(self) -> None:
        """Let go of the file."""
        if self._book is not None:
            self._book.close()
            self._book = None


class OpenpyxlReader:
    """Reads with openpyxl in its streaming mode."""

    parser = ParserUsed.OPENPYXL

    def __init__(self, path: str) -> None:
        self._path = path
        self._book: Any = None
        self._stream: BinaryIO | None = None

    def read_values(self, name: str, extent: CellRange) -> Iterator[Sequence[object]]:
        """Yield the values of each row of ``extent``."""
        with _openpyxl_guard():
            sheet = self._open()[name]
            sheet.reset_dimensions()
            rows = iter(
                sheet.iter_rows(
                    min_row=extent.top,
                    max_row=extent.bottom,
                    min_col=extent.left,
                    max_col=extent.right,
                    values_only=True,
                )
            )
        while True:
            with _openpyxl_guard():
                values = next(rows, None)
            if values is None:
                return
            yield values

    def _open(self) -> Any:
        if self._book is None:
            from openpyxl import load_workbook

            # openpyxl judges a path by its extension, a stream by its content.
            self._stream = open(self._path, "rb")  # noqa: SIM115 - closed in close()
            self._book = load_workbook(self._stream, read_only=True, data_only=True)
        return self._book

    def close(self) -> None:
        """Let go of the file."""
        if self._book is not None:
            self._book.close()
            self._book = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class RawXmlReader:
    """The last resort: no engine, the raw cells speak for themselves."""

    parser = ParserUsed.RAW_TEXT_FALLBACK

    def read_values(self, name: str, extent: CellRange) -> Iterator[Sequence[object]]:  # noqa: ARG002
        """Yield nothing, so that every raw cell's own value stands."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def make_reader(parser: ParserUsed, path: str) -> ValueReader:
    """Give a fresh reader of that engine; the caller closes it.

    Raises:
        ReaderFailed: The engine is not installed.
    """
    if parser is ParserUsed.OPENPYXL:
        return OpenpyxlReader(path)
    if parser is ParserUsed.CALAMINE:
        module = load_calamine()
        if module is None:
            raise ReaderFailed(ErrorCode.E_PARSE_CALAMINE_FAIL, "not installed")
        return CalamineReader(path, module)
    return RawXmlReader()


@contextmanager
def _openpyxl_guard() -> Iterator[None]:
    import warnings
    import zipfile
    import zlib
    from xml.etree.ElementTree import ParseError as XmlParseError

    from defusedxml.common import DefusedXmlException
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        # openpyxl warns of features that it drops on writing; nothing is written here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (
        InvalidFileException,
        XmlParseError,
        DefusedXmlException,
        zipfile.BadZipFile,
        zlib.error,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        AssertionError,
        ArithmeticError,
        EOFError,
        NotImplementedError,
        RecursionError,
    ) as error:
        raise ReaderFailed(ErrorCode.E_PARSE_OPENPYXL_FAIL, type(error).__name__) from error
