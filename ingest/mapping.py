"""A mapping: which column of a file fills which field of a deal, declared by who knows the file.

{
  "source": "erp",
  "columns": {"key": "Order", "revision": "Version", "changed_on": "Changed", "status": "State",
              "amount": "Net", "closed_on": "Won on", "owner_key": "Seller"},
  "constants": {"currency": "EUR", "type": "new"},
  "values": {"status": {"Gewonnen": "won", "Offen": "open"}},
  "date_formats": ["%d.%m.%Y"], "decimal": ",", "grouping": "."
}

Decimal sign, grouping and date formats say how people wrote text. A workbook's numbers and dates
are read as what they are. The date format "serial" is the day number of a spreadsheet (41729).
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ingest.fields import FIELDS, Kind
from schemas.messages import Key, Scalar, SourceName, Text

CANONICAL: Final = frozenset(field.name for field in FIELDS)
REQUIRED: Final = tuple(field.name for field in FIELDS if field.is_required)
AMOUNTS: Final = frozenset(field.name for field in FIELDS if field.kind is Kind.AMOUNT)
REVISIONS: Final = frozenset(field.name for field in FIELDS if field.kind is Kind.REVISION)
DATES: Final = frozenset(field.name for field in FIELDS if field.kind is Kind.DATE)
INSTANTS: Final = frozenset(field.name for field in FIELDS if field.kind is Kind.INSTANT)
SERIAL: Final = "serial"  # a date format


class MappingRefused(Exception):
    """The mapping cannot be used; the text says what is wrong with it."""


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read a source's file. An empty cell means that the source does not know the field."""

    source: SourceName
    columns: dict[str, Text]  # canonical field -> column
    constants: dict[str, Text] = {}  # canonical field -> its value in every row
    values: dict[str, dict[str, str]] = {}  # canonical field -> value in the file -> value here
    attributes: dict[Key, Text] = {}  # attribute -> column, kept as text
    constant_attributes: dict[Key, Scalar] = {}
    date_formats: Annotated[tuple[str, ...], Meta(min_length=1)] = ("%Y-%m-%d",)
    decimal: Literal[".", ","] = "."
    grouping: Literal["", ".", ",", " ", "'"] = ""
    delimiter: Literal[",", ";", "\t"] | None = None  # None: the one its header has
    encoding: Literal["utf-8", "cp1252"] = "utf-8"  # of a CSV file without a byte order mark
    sheet: Text | None = None  # of a workbook; None: the first


def read_mapping(text: bytes) -> Mapping:
    """The mapping a JSON document declares; raises MappingRefused."""
    try:
        mapping = msgspec.json.decode(text, type=Mapping)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MappingRefused(str(error)) from error
    check(mapping)
    return mapping


def check(mapping: Mapping) -> None:
    """Refuse what could not work on any row."""
    filled = {*mapping.columns, *mapping.constants}
    unknown = sorted((filled | mapping.values.keys()) - CANONICAL)
    if unknown:
        raise MappingRefused(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(CANONICAL))}")
    twice = sorted(mapping.columns.keys() & mapping.constants.keys())
    if twice:
        raise MappingRefused(f"{twice[0]!r} has a column and a constant; keep one")
    missing = [field for field in REQUIRED if field not in filled]
    if missing:
        raise MappingRefused(f"{missing[0]!r} has neither a column nor a constant")
    for form in mapping.date_formats:
        if form != SERIAL and "%" not in form:
            raise MappingRefused(f"date format {form!r} has no parts; write it as '%d.%m.%Y'")
    if mapping.grouping == mapping.decimal:
        raise MappingRefused("grouping and decimal are the same character")
    if any(name.startswith("customer.") for name in filled) and "customer.key" not in filled:
        raise MappingRefused("a customer needs customer.key")


def columns_of(mapping: Mapping) -> tuple[str, ...]:
    """Every column that a file must have, once each, in the mapping's order."""
    return tuple(dict.fromkeys((*mapping.columns.values(), *mapping.attributes.values())))
