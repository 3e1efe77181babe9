"""A workbook of one sheet, written row by row: refused rows for whoever works in Excel.

Texts stay texts (a cell that starts with "=" is no formula), numbers and dates stay what they were.
"""

import datetime as dt
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Final
from xml.sax.saxutils import escape, quoteattr

from ingest.csv_files import with_error
from ingest.tables import ERROR_COLUMNS, Day, Inexact, Moment, Number, RowError, Table

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DAY_STYLE, _MOMENT_STYLE = 1, 2
_STYLES: Final = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill/></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0"/>'
    '<xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
    "</styleSheet>"
)
_TYPES: Final = (
    f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>'
)
_TOP: Final = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
_PARTS: Final = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
)
_EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 -- a workbook's days have no zone
_EPOCH_1904: Final = dt.datetime(1904, 1, 1)  # noqa: DTZ001
_FIRST_SURE: Final = dt.datetime(1904, 1, 2)  # noqa: DTZ001 -- both calendars agree from here on
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_errors(stream: BinaryIO, table: Table, refused: Mapping[int, RowError]) -> int:
    """The refused rows of a table as they were, each with its error behind it; how many."""
    count = 0

    def rows() -> Iterable[tuple[str, ...]]:
        nonlocal count
        for row in table.rows:
            if (error := refused.get(row.number)) is not None:
                count += 1
                yield with_error(row, error, len(table.header))

    header = (*table.header, *ERROR_COLUMNS)
    write(stream, header, rows(), sheet=table.sheet or "Deals", is_1904=table.is_1904)
    return count


def write(
    stream: BinaryIO,
    header: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    sheet: str,
    is_1904: bool = False,
) -> None:
    """A workbook of that sheet; cells by their classes (ingest.tables)."""
    epoch = _EPOCH_1904 if is_1904 else _EPOCH
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _TOP)
        archive.writestr("xl/_rels/workbook.xml.rels", _PARTS)
        archive.writestr("xl/workbook.xml", _workbook(sheet, is_1904=is_1904))
        archive.writestr("xl/styles.xml", _STYLES)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            part.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            part.write(_row(1, header, epoch))
            for number, cells in enumerate(rows, start=2):
                part.write(_row(number, cells, epoch))
            part.write(b"</sheetData></worksheet>")


def _workbook(sheet: str, *, is_1904: bool) -> str:
    pr = '<workbookPr date1904="1"/>' if is_1904 else ""
    return (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{pr}<sheets>'
        f'<sheet name={quoteattr(sheet)} sheetId="1" r:id="rId1"/></sheets></workbook>'
    )


def _row(number: int, cells: Iterable[str], epoch: dt.datetime) -> bytes:
    found = "".join(
        _cell(f"{_letters(index)}{number}", cell, epoch) for index, cell in enumerate(cells) if cell
    )
    return f'<row r="{number}">{found}</row>'.encode()


def _cell(place: str, cell: str, epoch: dt.datetime) -> str:
    if isinstance(cell, Number) and not isinstance(cell, Inexact):
        return f'<c r="{place}"><v>{cell}</v></c>'
    if isinstance(cell, Day | Moment):
        moment = dt.datetime.fromisoformat(cell)
        if moment >= _FIRST_SURE:
            style = _DAY_STYLE if isinstance(cell, Day) else _MOMENT_STYLE
            return f'<c r="{place}" s="{style}"><v>{_serial(moment - epoch)}</v></c>'
    text = escape(_NOT_XML.sub("\ufffd", cell))
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _serial(since: dt.timedelta) -> str:
    """Days and their part; ten places tell one hundredth of a millisecond."""
    return f"{since.days + since.seconds / 86_400:.10f}" if since.seconds else str(since.days)


def _letters(index: int) -> str:
    """ "A" of 0, "AA" of 26."""
    found = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        found = chr(65 + letter) + found
    return found
