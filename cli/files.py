"""A file of deals: read to its end before anything is sent, then read again to be sent.

Twice, so that a file of FILE_ROWS_MAX rows need not fit into memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from domain.contract import check
from ingest.csv_deals import deals
from ingest.csv_files import Row, RowError, read_file, write_errors
from ingest.mapping import Mapping, columns_of
from schemas.messages import DealChanged

SAY_EVERY: Final = 10_000


class Found(NamedTuple):
    """What a file holds."""

    header: tuple[str, ...]
    delimiter: str
    good: int
    refused: tuple[tuple[Row, RowError], ...]


def inspect(path: Path, mapping: Mapping, *, say: Callable[[str], None]) -> Found:
    """Read all rows; how many are deals, and the others. Raises FileRefused."""
    good, refused = 0, []
    with read_file(path, required=columns_of(mapping), delimiter=mapping.delimiter) as table:
        for row, outcome in deals(table, mapping, check=check):
            if isinstance(outcome, RowError):
                refused.append((row, outcome))
            else:
                good += 1
            if row.number % SAY_EVERY == 0:
                say(f"{row.number:,} rows")
        return Found(table.header, table.delimiter, good, tuple(refused))


def good_deals(path: Path, mapping: Mapping) -> Iterator[DealChanged]:
    """The deals of the file. Raises FileRefused."""
    with read_file(path, required=columns_of(mapping), delimiter=mapping.delimiter) as table:
        for _, outcome in deals(table, mapping, check=check):
            if isinstance(outcome, DealChanged):
                yield outcome


def write_refused(path: Path, found: Found) -> None:
    """The refused rows, in the file's own form, so that a spreadsheet opens both alike."""
    with path.open("w", encoding="utf-8-sig", newline="") as text:
        write_errors(text, found.header, found.refused, delimiter=found.delimiter)
