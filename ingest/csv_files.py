"""Delimited files: read as rows of text, with a byte order mark or without; errors written back."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from schemas import limits

DELIMITERS: Final = (",", ";")
HEADER_ROW: Final = 1  # as a spreadsheet counts
ERROR_COLUMNS: Final = ("row", "column", "error_code", "message", "expected")


class FileRefused(Exception):
    """The file as a whole cannot be read; the text says where and what to do."""


class Row(NamedTuple):
    """A row of a file: its number as a spreadsheet shows it, and its cells in the header's order.

    Cells are those found, so there may be fewer or more than the header has.
    """

    number: int
    cells: tuple[str, ...]


class RowError(NamedTuple):
    """Why a row could not be used: the column, a code, a sentence, and the form expected."""

    row: int
    column: str
    code: str
    message: str
    expected: str


class Table(NamedTuple):
    """A file's header, its rows as they are read, and what separates its cells."""

    header: tuple[str, ...]
    rows: Iterator[Row]
    delimiter: str


@contextmanager
def read_file(
    path: Path,
    *,
    required: Iterable[str],
    delimiter: str | None = None,
    bytes_max: int = limits.FILE_BYTES_MAX,
    rows_max: int = limits.FILE_ROWS_MAX,
) -> Iterator[Table]:
    """The file's table while it is open; raises FileRefused, also while its rows are read."""
    size = path.stat().st_size
    if size > bytes_max:
        raise FileRefused(f"{path}: {size:,} bytes, more than the {bytes_max:,} allowed; split it")
    with path.open(encoding="utf-8-sig", newline="") as text:
        yield read_table(
            text, name=str(path), required=required, delimiter=delimiter, rows_max=rows_max
        )


def read_table(
    text: TextIO,
    *,
    name: str,
    required: Iterable[str] = (),
    delimiter: str | None = None,
    rows_max: int = limits.FILE_ROWS_MAX,
) -> Table:
    """The table in an open text; a column of `required` that it lacks refuses it."""
    with _refusing(name):
        first = text.readline()
    chosen = delimiter or max(DELIMITERS, key=first.count)
    reader = csv.reader(itertools.chain([first], text), delimiter=chosen, strict=True)
    with _refusing(name):
        header = tuple(cell.strip() for cell in next(reader, ()))
    _check_header(name, header, required)
    return Table(header, _rows(name, reader, rows_max), chosen)


def write_errors(
    text: TextIO,
    header: Sequence[str],
    refused: Iterable[tuple[Row, RowError]],
    *,
    delimiter: str = ",",
) -> int:
    """The refused rows as they were, each with its error behind it; how many there were."""
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*header, *ERROR_COLUMNS])
    count = 0
    for row, error in refused:
        cells = [*row.cells[: len(header)], *[""] * (len(header) - len(row.cells))]
        writer.writerow([*cells, *error])
        count += 1
    return count


def _check_header(name: str, header: tuple[str, ...], required: Iterable[str]) -> None:
    if not any(header):
        raise FileRefused(f"{name}: empty; the first row names the columns")
    twice = [column for column in header if column and header.count(column) > 1]
    if twice:
        raise FileRefused(f"{name}: column {twice[0]!r} stands twice in row 1; rename one")
    missing = [column for column in required if column not in header]
    if missing:
        raise FileRefused(
            f"{name}: no column {missing[0]!r} in row 1; it has {', '.join(header)}. "
            "Mend the mapping or the file"
        )


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
    except UnicodeDecodeError as error:
        raise FileRefused(f"{name}, row {number}: not UTF-8; save it as UTF-8") from error
    except csv.Error as error:
        raise FileRefused(f"{name}, row {number}: {error}; are its quotes in order?") from error
