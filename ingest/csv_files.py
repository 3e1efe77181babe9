"""Delimited files: read as rows of text, with a byte order mark or without; errors written back.

A byte order mark says the encoding; else it is UTF-8, or what the mapping says. Excel's plain "CSV"
is in the Windows code page: it is refused with a sentence unless the mapping says `cp1252`, since a
wrong guess would change names without anybody noticing.
"""

import codecs
import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final, TextIO

from ingest.tables import (
    ERROR_COLUMNS,
    HEADER_ROW,
    FileRefused,
    Row,
    RowError,
    Table,
    check_header,
    guarded,
    without_errors,
)
from schemas import limits

DELIMITERS: Final = (",", ";", "\t")
_HINT: Final = "sep="  # Excel's own first line: "sep=;"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_csv(
    stream: BinaryIO,
    *,
    name: str,
    required: Sequence[str] = (),
    delimiter: str | None = None,
    encoding: str = "utf-8",
    rows_max: int = limits.FILE_ROWS_MAX,
) -> Table:
    """The table in an open file, from its start; closes with it."""
    start = stream.read(4)
    stream.seek(0)
    marked = next((found for mark, found in _MARKS if start.startswith(mark)), encoding)
    text = io.TextIOWrapper(stream, encoding=marked, newline="")
    return read_table(text, name=name, required=required, delimiter=delimiter, rows_max=rows_max)


def read_table(
    text: TextIO,
    *,
    name: str,
    required: Sequence[str] = (),
    delimiter: str | None = None,
    rows_max: int = limits.FILE_ROWS_MAX,
) -> Table:
    """The table in an open text; a column of `required` that it lacks refuses it."""
    with _refusing(name):
        first = text.readline()
        hint = first.rstrip("\r\n").partition(_HINT)[2] if first.startswith(_HINT) else ""
        if hint:
            first = text.readline()
    chosen = delimiter or (hint if hint in DELIMITERS else _delimiter_of(first))
    reader = csv.reader(itertools.chain([first], text), delimiter=chosen, strict=True)
    with _refusing(name):
        header = tuple(cell.strip() for cell in next(reader, ()))
    table = without_errors(Table(header, _rows(name, reader, rows_max), chosen))
    check_header(name, table.header, required)
    return table


def write_errors(stream: BinaryIO, table: Table, refused: Mapping[int, RowError]) -> int:
    """The refused rows of a table as they were, each with its error behind it; how many.

    With a byte order mark and the file's own delimiter, so that a spreadsheet opens both alike.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\r\n")
    writer.writerow(map(guarded, (*table.header, *ERROR_COLUMNS)))
    count = 0
    for row in table.rows:
        if (error := refused.get(row.number)) is not None:
            writer.writerow(map(guarded, with_error(row, error, len(table.header))))
            count += 1
    text.flush()
    text.detach()
    return count


def with_error(row: Row, error: RowError, width: int) -> tuple[str, ...]:
    """A row under its header, and its error; cells that are too many are left out."""
    cells = (*row.cells[:width], *("",) * (width - len(row.cells)))
    return (*cells, str(error.row), error.column, error.code, error.message, error.expected)


def _delimiter_of(first: str) -> str:
    """The delimiter that the header has most, not counting what stands in quotes."""
    outside = "".join(part for index, part in enumerate(first.split('"')) if index % 2 == 0)
    return max(DELIMITERS, key=outside.count)


def _rows(name: str, reader: Iterator[list[str]], rows_max: int) -> Iterator[Row]:
    for number in itertools.count(HEADER_ROW + 1):
        with _refusing(name, number):
            cells = next(reader, None)
        if cells is None:
            return
        if number - HEADER_ROW > rows_max:
            raise FileRefused(f"{name}: more than the {rows_max:,} rows allowed; split it")
        if any(cells):  # a spreadsheet leaves empty rows behind
            yield Row(number, tuple(cells))


@contextmanager
def _refusing(name: str, number: int = HEADER_ROW) -> Iterator[None]:
    """Whatever Python says about a broken file becomes one sentence with its row."""
    try:
        yield
    except UnicodeError as error:
        raise FileRefused(
            f"{name}, near row {number}: not UTF-8; save it as 'CSV UTF-8', or, where Excel saved "
            'it as plain CSV, put "encoding": "cp1252" into the mapping'
        ) from error
    except csv.Error as error:
        raise FileRefused(f"{name}, row {number}: {error}; are its quotes in order?") from error
