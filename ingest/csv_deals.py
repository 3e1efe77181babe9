"""Deals from a file: one row and a mapping in, a DealChanged or a RowError out. Pure."""

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol, assert_never

import msgspec

from ingest.csv_files import Row, RowError, Table
from ingest.mapping import AMOUNTS, DATES, INSTANTS, NUMBERS, Mapping
from schemas.messages import DealChanged, RefusalCode
from schemas.money import AMOUNT_PATTERN
from schemas.refusals import REMEDIES

DATES_REMEMBERED_MAX: Final = 10_000
_AMOUNT: Final = re.compile(AMOUNT_PATTERN)
_PATH: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


class Refused(NamedTuple):
    """What is wrong with a cell, before its row is known."""

    field: str
    code: str
    message: str
    expected: str


class Result(NamedTuple):
    """A row of the file and what became of it."""

    row: Row
    outcome: DealChanged | RowError


class Complaint(Protocol):
    """What is wrong with a deal whose fields are right one by one (domain.contract.Refusal)."""

    @property
    def code(self) -> RefusalCode: ...
    @property
    def where(self) -> str: ...
    @property
    def problem(self) -> str: ...


Check = Callable[[DealChanged], Complaint | None]


def accept(deal: DealChanged) -> None:
    """The check that finds nothing; the processor checks every deal anyway."""


def deals(table: Table, mapping: Mapping, *, check: Check = accept) -> Iterator[Result]:
    """Every row's outcome; a bad row never stops the good ones.

    `check` says beside the row what the processor would refuse later (domain.contract.check).
    """
    for row in table.rows:
        yield Result(row, to_deal(row, table.header, mapping, check=check))


def to_deal(
    row: Row, header: Sequence[str], mapping: Mapping, *, check: Check = accept
) -> DealChanged | RowError:
    """The deal a row stands for, or why it is none."""
    if len(row.cells) != len(header):
        return RowError(
            row.number,
            "",
            "cell_count",
            f"{len(row.cells)} cells under {len(header)} columns",
            f"{len(header)} cells; a cell that holds the delimiter stands in quotes",
        )
    cells = dict(zip(header, row.cells, strict=True))
    outcome = _checked(_decode(_fields(cells, mapping), cells, mapping), check)
    match outcome:
        case DealChanged():
            return outcome
        case Refused():
            column = mapping.columns.get(outcome.field, outcome.field)
            return RowError(row.number, column, outcome.code, outcome.message, outcome.expected)
        case _:
            assert_never(outcome)


def _decode(
    fields: "dict[str, Any] | Refused", cells: dict[str, str], mapping: Mapping
) -> DealChanged | Refused:
    if isinstance(fields, Refused):
        return fields
    attributes = {name: cells[column] for name, column in mapping.attributes.items()}
    fields["source"] = mapping.source
    fields.setdefault("deal_id", f"{mapping.source}:{fields.get('key', '')}")
    fields["attributes"] = {
        **mapping.constant_attributes,
        **{name: text for name, text in attributes.items() if text},
    }
    try:
        return msgspec.convert(fields, DealChanged)
    except msgspec.ValidationError as error:
        return _breaks_contract(str(error))


def _checked(deal: DealChanged | Refused, check: Check) -> DealChanged | Refused:
    complaint = None if isinstance(deal, Refused) else check(deal)
    if complaint is None:
        return deal
    field = complaint.where.removeprefix("$.")
    return Refused(field, complaint.code, complaint.problem, REMEDIES[complaint.code])


def _fields(cells: dict[str, str], mapping: Mapping) -> "dict[str, Any] | Refused":
    """The canonical fields that have a value, nested as the message is."""
    found: dict[str, Any] = {}
    texts = {
        **mapping.constants,
        **{field: cells[column].strip() for field, column in mapping.columns.items()},
    }
    for field, text in texts.items():
        value = _value(field, text, mapping)
        if isinstance(value, Refused):
            return value
        if value is None:
            continue
        outer, _, inner = field.partition(".")
        if inner:
            found.setdefault(outer, {})[inner] = value
        else:
            found[outer] = value
    return found


def _value(field: str, text: str, mapping: Mapping) -> "str | int | dt.date | Refused | None":
    """A cell's value; None where the cell is empty."""
    known = mapping.values.get(field)
    if known is not None and text:
        if text not in known:
            return Refused(field, "unknown_value", f"{text!r} is not mapped", ", ".join(known))
        text = known[text]
    if not text:
        return None
    if field in AMOUNTS:
        return _amount(field, text, mapping)
    if field in NUMBERS:
        return int(text) if re.fullmatch(r"-?\d{1,19}", text) else _not_a(field, text, "17")
    if field in DATES:
        return _date(field, text, mapping)
    if field in INSTANTS:
        return _instant(field, text)
    return text


def _amount(field: str, text: str, mapping: Mapping) -> str | Refused:
    """Text with a point for the decimals. A sign that is not declared is never guessed at."""
    whole, sign, fraction = text.partition(mapping.decimal)
    digits = whole.replace(mapping.grouping, "") if mapping.grouping else whole
    groups = rf"-?\d{{1,3}}({re.escape(mapping.grouping)}\d{{3}})+"
    if digits != whole and not re.fullmatch(groups, whole):
        return _not_an_amount(field, text, mapping)
    plain = f"{digits}.{fraction}" if sign else digits
    is_amount = "." not in digits and _AMOUNT.match(plain)
    return plain if is_amount else _not_an_amount(field, text, mapping)


def _not_an_amount(field: str, text: str, mapping: Mapping) -> Refused:
    expected = f"32184{mapping.decimal}03"
    return Refused(field, RefusalCode.BREAKS_CONTRACT, f"{text!r} is not an amount", expected)


def _date(field: str, text: str, mapping: Mapping) -> dt.date | Refused:
    date = _parsed(text, mapping.date_formats)
    if date is not None:
        return date
    example = dt.date(2014, 3, 31)
    return _not_a(field, text, " or ".join(f"{example:{form}}" for form in mapping.date_formats))


@functools.lru_cache(maxsize=DATES_REMEMBERED_MAX)
def _parsed(text: str, forms: tuple[str, ...]) -> dt.date | None:
    """Remembered: a file has few dates, and `strptime` is most of the work of a row."""
    for form in forms:
        try:
            return dt.datetime.strptime(text, form).date()  # noqa: DTZ007 -- a date has no zone
        except ValueError:
            continue
    return None


def _instant(field: str, text: str) -> str | Refused:
    expected = "2014-03-31T17:30:00Z"
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError:
        return _not_a(field, text, expected)
    return text if instant.tzinfo else _not_a(field, text, f"{expected}, with its zone")


def _not_a(field: str, text: str, expected: str) -> Refused:
    return Refused(field, "unreadable", f"cannot read {text!r}", expected)


def _breaks_contract(message: str) -> Refused:
    found = _PATH.match(message)
    assert found is not None
    path, problem = found["path"] or "", found["problem"]
    missing = re.search(r"missing required field `(\w+)`", problem)
    if missing:
        field = f"{path}.{missing[1]}".lstrip(".")
        return Refused(field, "empty", "the cell is empty", "a value")
    code = RefusalCode.BREAKS_CONTRACT
    return Refused(path, code, problem, REMEDIES[code])
