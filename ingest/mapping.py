"""A mapping: which column of a file fills which field of a deal, declared by who knows the file.

{
  "source": "erp",
  "columns": {"key": "Order", "revision": "Version", "changed_on": "Changed", "status": "State",
              "amount": "Net", "closed_on": "Won on", "owner_key": "Seller"},
  "constants": {"currency": "EUR", "type": "new"},
  "values": {"status": {"Gewonnen": "won", "Offen": "open"}},
  "date_formats": ["%d.%m.%Y"], "decimal": ",", "grouping": "."
}
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from schemas.messages import Key, Scalar, SourceName, Text

CANONICAL: Final = frozenset(
    (
        *("key", "deal_id", "revision", "changed_on", "changed_at", "status", "name", "type"),
        *("amount", "currency", "stage", "stage_entered_on", "expected_close_on", "closed_on"),
        *("closed_at", "channel", "territory_key", "owner_key", "source_url"),
        *("customer.key", "customer.name", "customer.country", "customer.industry"),
    )
)
REQUIRED: Final = ("key", "revision", "changed_on", "status")
AMOUNTS: Final = frozenset(("amount",))
NUMBERS: Final = frozenset(("revision",))
DATES: Final = frozenset(("changed_on", "stage_entered_on", "expected_close_on", "closed_on"))
INSTANTS: Final = frozenset(("changed_at", "closed_at"))


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
    delimiter: Literal[",", ";"] | None = None  # None: the one its header has


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
    if mapping.grouping == mapping.decimal:
        raise MappingRefused("grouping and decimal are the same character")
    if any(name.startswith("customer.") for name in filled) and "customer.key" not in filled:
        raise MappingRefused("a customer needs customer.key")


def columns_of(mapping: Mapping) -> tuple[str, ...]:
    """Every column that a file must have, once each, in the mapping's order."""
    return tuple(dict.fromkeys((*mapping.columns.values(), *mapping.attributes.values())))
