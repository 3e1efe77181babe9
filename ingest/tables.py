"""A file as rows of cells, whatever its format: what readers give and what the mapping works on.

A cell of a CSV file is text as it stands. A cell of a workbook that holds a number or a date is one
of the classes below: text in one plain notation, so that a mapping's decimal sign and date formats,
which say how people wrote text, are not applied to it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

ERROR_COLUMNS: Final = ("row", "column", "error_code", "message", "expected")
HEADER_ROW: Final = 1  # as a spreadsheet counts


class FileRefused(Exception):
    """The file as a whole cannot be read; the text says where and what to do."""


class Typed(str):
    """A cell whose workbook says what it is. The text is ISO or a plain number."""

    __slots__ = ()


class Number(Typed):
    """A number: "1234.56", no exponent, no trailing zeros behind the point."""

    __slots__ = ()


class Number1904(Number):
    """A number in a workbook that counts days from 1904."""

    __slots__ = ()


class Inexact(Number):
    """A number of more digits than a workbook keeps: which digits were typed is lost."""

    __slots__ = ()


class Day(Typed):
    """A date: "2014-03-31"."""

    __slots__ = ()


class Moment(Typed):
    """A date with its time of day and no zone: "2014-03-31T17:30:00"."""

    __slots__ = ()


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
    """A file's header, its rows as they are read, and how it is written."""

    header: tuple[str, ...]
    rows: Iterator[Row]
    delimiter: str = ","  # of a workbook: that of a CSV made of it
    sheet: str | None = None  # of a workbook
    sheets: tuple[str, ...] = ()
    is_1904: bool = False


def check_header(name: str, header: Sequence[str], required: Sequence[str]) -> None:
    """Raises FileRefused when a column that is needed is missing or stands twice."""
    if not any(header):
        raise FileRefused(f"{name}: empty; the first row names the columns")
    twice = [column for column in required if header.count(column) > 1]
    if twice:
        raise FileRefused(f"{name}: column {twice[0]!r} stands twice in row 1; rename one")
    missing = [column for column in required if column not in header]
    if missing:
        raise FileRefused(
            f"{name}: no column {missing[0]!r} in row 1; it has {', '.join(filter(None, header))}. "
            "Mend the mapping or the file"
        )


def without_errors(table: Table) -> Table:
    """An error file that was mended: its last columns and what guarded its cells are left out."""
    width = len(table.header) - len(ERROR_COLUMNS)
    if width < 1 or table.header[width:] != ERROR_COLUMNS:
        return table
    return table._replace(header=table.header[:width], rows=_cut(table.rows, width))


def guarded(cell: str) -> str:
    """A text that a spreadsheet would take for a formula, made harmless; numbers stay."""
    is_plain = not cell.startswith(_FORMULA) or isinstance(cell, Typed) or _is_number(cell)
    return cell if is_plain else f"'{cell}"


def _cut(rows: Iterator[Row], width: int) -> Iterator[Row]:
    for row in rows:
        cells = tuple(_unguarded(cell) for cell in row.cells[:width])
        if any(cells):  # what was deleted row by row may leave its error behind
            yield Row(row.number, cells)


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_OF_NUMBERS: Final = frozenset("0123456789.,' \u00a0\u202f’")


def _is_number(cell: str) -> bool:
    """A sign and digits with their separators: nothing that a spreadsheet could calculate."""
    digits = cell[1:]
    return cell[:1] in ("+", "-") and digits[:1].isdecimal() and _OF_NUMBERS.issuperset(digits)
