"""A file of deals to begin with: a header of our own field names and one row that is valid."""

import io
from typing import Final

from ingest import xlsx_writing
from ingest.fields import FIELDS
from ingest.files import CSV, XLSX
from ingest.tables import guarded

COLUMNS: Final = tuple(
    field
    for field in FIELDS
    if field.is_required
    or field.name
    in ("amount", "currency", "closed_on", "owner_key", "name", "customer.key", "customer.name")
)
SHEET: Final = "Deals"


def made(form: str) -> bytes:
    """The template; CSV with a byte order mark, by which a spreadsheet knows its accents."""
    header = [field.name for field in COLUMNS]
    row = [field.example for field in COLUMNS]
    target = io.BytesIO()
    if form == XLSX:
        xlsx_writing.write(target, header, [row], sheet=SHEET)
        return target.getvalue()
    assert form == CSV, form
    lines = (",".join(header), ",".join(map(guarded, row)))
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8-sig")
