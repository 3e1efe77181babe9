"""A file that people have, CSV or workbook: opened by what it is, not by what it is called."""

import io
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Map
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ingest import csv_files, xlsx_files, xlsx_writing
from ingest.mapping import Mapping, columns_of
from ingest.tables import FileRefused, RowError, Table
from schemas import limits

CSV, XLSX = "csv", "xlsx"
MEDIA_TYPES: Final = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class File(NamedTuple):
    """A file that can be read from its start as often as needed."""

    name: str
    open: Callable[[], BinaryIO]


def on_disk(path: Path, *, bytes_max: int = limits.FILE_BYTES_MAX) -> File:
    """A file of at most so many bytes. Raises FileRefused."""
    size = path.stat().st_size
    if size > bytes_max:
        raise FileRefused(f"{path}: {size:,} bytes, more than the {bytes_max:,} allowed; split it")
    return File(str(path), lambda: path.open("rb"))


def in_memory(name: str, content: bytes) -> File:
    """A file whose bytes are at hand."""
    return File(name, lambda: io.BytesIO(content))


def form_of(file: File) -> str:
    """CSV or XLSX. Raises FileRefused for an old or locked workbook."""
    with file.open() as stream:
        start = stream.read(4)
    if start == xlsx_files.OLD_MAGIC:
        raise FileRefused(
            f"{file.name}: an old workbook (.xls), or one with a password; {xlsx_files.SAVE_AS}"
        )
    return XLSX if start == xlsx_files.MAGIC else CSV


@contextmanager
def read(
    file: File,
    mapping: Mapping | None = None,
    *,
    sheet: str | None = None,
    rows_max: int = limits.FILE_ROWS_MAX,
) -> Iterator[Table]:
    """The file's table while it is open, with every column that the mapping needs.

    `sheet` wins over the mapping's. Raises FileRefused, also while its rows are read.
    """
    required: Sequence[str] = columns_of(mapping) if mapping else ()
    form = form_of(file)
    with file.open() as stream:
        if form == XLSX:
            yield xlsx_files.read_xlsx(
                stream,
                name=file.name,
                required=required,
                sheet=sheet or (mapping.sheet if mapping else None),
                rows_max=rows_max,
            )
        else:
            yield csv_files.read_csv(
                stream,
                name=file.name,
                required=required,
                delimiter=mapping.delimiter if mapping else None,
                encoding=mapping.encoding if mapping else "utf-8",
                rows_max=rows_max,
            )


def write_errors(
    target: BinaryIO,
    file: File,
    mapping: Mapping,
    refused: Map[int, RowError],
    *,
    sheet: str | None = None,
) -> int:
    """The refused rows of a file by their numbers, in its own form; how many."""
    with read(file, mapping, sheet=sheet) as table:
        if table.sheet is not None:
            return xlsx_writing.write_errors(target, table, refused)
        return csv_files.write_errors(target, table, refused)
