"""A file of deals: read to its end before anything is sent, then read again to be sent.

Twice, so that a file of FILE_ROWS_MAX rows need not fit into memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from domain.contract import check
from ingest import files
from ingest.file_deals import deals
from ingest.files import File
from ingest.mapping import Mapping
from ingest.tables import RowError
from schemas.messages import DealChanged

SAY_EVERY: Final = 10_000


class Found(NamedTuple):
    """What a file holds."""

    good: int
    refused: dict[int, RowError]


def inspect(file: File, mapping: Mapping, *, say: Callable[[str], None]) -> Found:
    """Read all rows; how many are deals, and the others. Raises FileRefused."""
    good = 0
    refused: dict[int, RowError] = {}
    with files.read(file, mapping) as table:
        for row, outcome in deals(table, mapping, check=check):
            if isinstance(outcome, RowError):
                refused[row.number] = outcome
            else:
                good += 1
            if row.number % SAY_EVERY == 0:
                say(f"{row.number:,} rows")
    return Found(good, refused)


def good_deals(file: File, mapping: Mapping) -> Iterator[DealChanged]:
    """The deals of the file. Raises FileRefused."""
    with files.read(file, mapping) as table:
        for _, outcome in deals(table, mapping, check=check):
            if isinstance(outcome, DealChanged):
                yield outcome


def write_refused(path: Path, file: File, mapping: Mapping, refused: dict[int, RowError]) -> None:
    """The refused rows, in the file's own form, so that a spreadsheet opens both alike."""
    with path.open("wb") as target:
        files.write_errors(target, file, mapping, refused)
