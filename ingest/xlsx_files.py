"""Excel workbooks (.xlsx): one sheet read as rows, by calamine.

A workbook holds a number as a double. What a person typed, or another program wrote, in at most 15
digits comes back as the very same digits: the shortest text of the double is that text. Of what a
formula made (0.1 + 0.2) the first 15 digits count, those that Excel shows; below a thousand million
these hold all decimals that an amount may have. Any other number is Inexact, and refused where it
is used. Dates are cells that the workbook formats as dates; plain serial numbers are left to the
mapping.
"""

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO, Final, NamedTuple
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineSheet, load_workbook

from ingest.tables import (
    Day,
    FileRefused,
    Inexact,
    Moment,
    Number,
    Number1904,
    Row,
    Table,
    check_header,
    without_errors,
)
from schemas import limits
from schemas.money import ZERO

MAGIC: Final = b"PK\x03\x04"
OLD_MAGIC: Final = b"\xd0\xcf\x11\xe0"  # .xls, and every workbook with a password
SAVE_AS: Final = "save it as 'Excel Workbook (.xlsx)' without a password, or as 'CSV UTF-8'"
ERROR_TEXT: Final = "#ERROR!"

_DIGITS_EXACT: Final = 15  # IEEE 754: that many decimal digits survive a double and back
_FIFTEEN_DIGITS_BELOW: Final = 1e9  # 9 digits, and AMOUNT_SCALE_MAX decimals
_PART_BYTES_MAX: Final = 5_000_000  # of the small parts that are read whole
_SCAN_BYTES: Final = 1_000_000
_ERROR_CELL: Final = re.compile(rb'<(?:\w+:)?c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+)([0-9]+)"')
_ROW: Final = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="([0-9]+)"')
_WIDE: Final = re.compile(rb'\br="([A-Z]{2,3})[0-9]')


class _Sheet(NamedTuple):
    """A worksheet as the workbook names it: where it is in the archive."""

    name: str
    part: str


class _Book(NamedTuple):
    """What the workbook says of itself."""

    sheets: tuple[_Sheet, ...]
    is_1904: bool


class _Scan(NamedTuple):
    """What calamine would not tell: cells that hold an error, as (row, column) from 1 and 0."""

    errors: frozenset[tuple[int, int]]


def read_xlsx(
    stream: BinaryIO,
    *,
    name: str,
    required: Sequence[str] = (),
    sheet: str | None = None,
    rows_max: int = limits.FILE_ROWS_MAX,
) -> Table:
    """The table in a sheet, the first where none is named. The first row with text is the header.

    Cells to the right of the last named column are left out.
    """
    with _refusing(name), zipfile.ZipFile(stream) as archive:
        book = _book(name, archive)
        chosen = _choose(name, book, sheet)
        scan = _scan(name, archive, chosen)
    with _refusing(name):
        stream.seek(0)
        workbook = load_workbook(stream)
        found = workbook.get_sheet_by_name(chosen.name)
    rows = _texts(found, scan, is_1904=book.is_1904)
    header = tuple(cell.strip() for cell in next(rows, Row(1, ())).cells)
    width = max((index + 1 for index, cell in enumerate(header) if cell), default=0)
    table = without_errors(
        Table(
            header[:width],
            _bounded(name, rows, width, rows_max),
            sheet=chosen.name,
            sheets=tuple(one.name for one in book.sheets),
            is_1904=book.is_1904,
        )
    )
    check_header(f"{name}, sheet {chosen.name!r}", table.header, required)
    return table


# ---- before calamine reads it --------------------------------------------------------------------


def _book(name: str, archive: zipfile.ZipFile) -> _Book:
    """The sheets in order, and from which day the workbook counts."""
    if "xl/workbook.xml" not in archive.namelist():
        raise FileRefused(f"{name}: not an Excel workbook of the form .xlsx; {SAVE_AS}")
    if sum(info.file_size for info in archive.infolist()) > limits.XLSX_UNPACKED_BYTES_MAX:
        raise FileRefused(
            f"{name}: unpacked it has more than {limits.XLSX_UNPACKED_BYTES_MAX:,} bytes; split it"
        )
    book = _part(archive, "xl/workbook.xml")
    targets = {
        relation.get("Id"): relation.get("Target", "")
        for relation in _part(archive, "xl/_rels/workbook.xml.rels")
        if relation.get("Type", "").endswith("/worksheet")
    }
    sheets = [
        _Sheet(element.get("name", ""), _path(targets[relation]))
        for element in book.iter()
        if _local(element) == "sheet"
        for key, relation in element.attrib.items()
        if key.endswith("}id") and relation in targets
    ]
    marks = [element.get("date1904") for element in book.iter() if _local(element) == "workbookPr"]
    return _Book(tuple(sheets), is_1904=bool({"1", "true"}.intersection(map(str, marks))))


def _part(archive: zipfile.ZipFile, part: str) -> ElementTree.Element:
    with archive.open(part) as opened:
        return ElementTree.fromstring(opened.read(_PART_BYTES_MAX))


def _path(target: str) -> str:
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _choose(name: str, book: _Book, sheet: str | None) -> _Sheet:
    names = ", ".join(repr(one.name) for one in book.sheets)
    if not book.sheets:
        raise FileRefused(f"{name}: no worksheet in it")
    if sheet is None:
        return book.sheets[0]
    found = next((one for one in book.sheets if one.name == sheet), None)
    if found is None:
        raise FileRefused(f"{name}: no sheet {sheet!r}; it has {names}")
    return found


def _scan(name: str, archive: zipfile.ZipFile, sheet: _Sheet) -> _Scan:
    """The error cells; refuses a sheet whose cells span more than XLSX_CELLS_MAX.

    calamine gives error cells as empty ones, and its memory is the rectangle of all cells: one
    stray cell far down and far right would take gigabytes.
    """
    errors: set[tuple[int, int]] = set()
    rows, columns, unpacked, rest = 1, 26, 0, b""
    with archive.open(sheet.part) as opened:
        while part := opened.read(_SCAN_BYTES):
            unpacked += len(part)
            if unpacked > limits.XLSX_UNPACKED_BYTES_MAX:
                raise FileRefused(f"{name}: more than it says it is; save it again")
            cut = (rest + part).rpartition(b"<")
            whole, rest = cut[0], cut[1] + cut[2]
            errors.update((int(row), _column(col)) for col, row in _ERROR_CELL.findall(whole))
            rows = max(rows, *map(int, _ROW.findall(whole) or (0,)))
            columns = max(columns, *(_column(found) + 1 for found in set(_WIDE.findall(whole))), 0)
    if rows * columns > limits.XLSX_CELLS_MAX:
        raise FileRefused(
            f"{name}, sheet {sheet.name!r}: its cells span {rows:,} rows and {columns:,} columns; "
            "delete the rows and columns behind the table, or copy the table into a new workbook"
        )
    return _Scan(frozenset(errors))


def _column(letters: bytes) -> int:
    """The index of a column: 0 of "A", 26 of "AA"."""
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


# ---- cells ---------------------------------------------------------------------------------------


def _texts(sheet: CalamineSheet, scan: _Scan, *, is_1904: bool) -> Iterator[Row]:
    """The rows that have a text, as a spreadsheet counts them."""
    broken: dict[int, list[int]] = {}
    for row, column in scan.errors:
        broken.setdefault(row, []).append(column)
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [_text(value, is_1904=is_1904) for value in values]
        for column in broken.get(number, ()):
            if column < len(cells):
                cells[column] = ERROR_TEXT
        if any(cells):
            yield Row(number, tuple(cells))


def _text(value: Any, *, is_1904: bool) -> str:
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return _number(value, is_1904=is_1904)
        case dt.datetime():
            is_whole = value.time() == dt.time()
            return Day(value.date().isoformat()) if is_whole else Moment(_moment(value))
        case dt.date():
            return Day(value.isoformat())
        case _:  # a time of day or a span
            return str(value)


def _moment(value: dt.datetime) -> str:
    return value.isoformat(timespec="seconds")


def _number(value: float, *, is_1904: bool) -> Number:
    """Never another digit than was typed: see the head of this module."""
    kind = Number1904 if is_1904 else Number
    shortest = Decimal(repr(value)) or ZERO
    if len(shortest.normalize().as_tuple().digits) > _DIGITS_EXACT:
        if abs(value) >= _FIFTEEN_DIGITS_BELOW:
            return Inexact(repr(value))
        shortest = Decimal(f"{value:.{_DIGITS_EXACT}g}")
    if abs(value) >= 10**_DIGITS_EXACT:
        return Inexact(repr(value))
    text = f"{shortest:f}"
    return kind((text.rstrip("0").rstrip(".") if "." in text else text) or "0")


def _bounded(name: str, rows: Iterator[Row], width: int, rows_max: int) -> Iterator[Row]:
    for count, row in enumerate(rows, start=1):
        if count > rows_max:
            raise FileRefused(f"{name}: more than the {rows_max:,} rows allowed; split it")
        if any(row.cells[:width]):
            yield Row(row.number, row.cells[:width])


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Whatever a broken workbook raises becomes one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, CalamineError, ElementTree.ParseError, KeyError) as error:
        raise FileRefused(f"{name}: cannot be read as a workbook ({error}); {SAVE_AS}") from error
    except (EOFError, NotImplementedError, RuntimeError, zipfile.LargeZipFile) as error:
        raise FileRefused(f"{name}: cannot be unpacked ({error}); {SAVE_AS}") from error
