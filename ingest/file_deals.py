"""Deals from a file: one row and a mapping in, a DealChanged or a RowError out. Pure."""

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol, assert_never

import msgspec

from ingest.mapping import AMOUNTS, DATES, INSTANTS, REVISIONS, SERIAL, Mapping
from ingest.tables import Day, Inexact, Moment, Number, Number1904, Row, RowError, Table, Typed
from schemas.messages import DealChanged, RefusalCode
from schemas.money import AMOUNT_PATTERN
from schemas.refusals import REMEDIES

DATES_REMEMBERED_MAX: Final = 10_000
# What a spreadsheet writes where a formula failed; in German, French and Spanish too.
FORMULA_ERRORS: Final = frozenset(
    (
        *("#ERROR!", "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!"),
        *("#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#N/D", "#REFERENCE!", "#VALEUR!", "#NOMBRE!"),
        *("#¡REF!", "#¡VALOR!", "#¡DIV/0!", "#¿NOMBRE?", "#NOM?"),
    )
)
_AMOUNT: Final = re.compile(AMOUNT_PATTERN)
_SERIAL: Final = re.compile(r"\d{1,7}(\.\d+)?")
_SPACES: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "’": "'"})
_FIRST_DAY: Final = dt.date(1899, 12, 30)  # of a workbook's count from 1 March 1900 on
_FIRST_DAY_1904: Final = dt.date(1904, 1, 1)
_DAYS_MAX: Final = 2_958_465  # 31 December 9999
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


def deal_ids(table: Table, mapping: Mapping) -> Iterator[tuple[int, str]]:
    """Each row's number, and the deal it would be of; a row that is none may have any."""
    ids = {f: table.header.index(c) for f, c in mapping.columns.items() if f in ("key", "deal_id")}
    for row in table.rows:
        found = {f: row.cells[i].strip() for f, i in ids.items() if i < len(row.cells)}
        key = found.get("key", mapping.constants.get("key", ""))
        named = found.get("deal_id") or mapping.constants.get("deal_id")
        yield row.number, named or f"{mapping.source}:{key}"


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
    attributes = {name: str(cells[column]) for name, column in mapping.attributes.items()}
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
        **{field: _stripped(cells[column]) for field, column in mapping.columns.items()},
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


def _stripped(cell: str) -> str:
    return cell if isinstance(cell, Typed) else cell.strip()


def _value(field: str, text: str, mapping: Mapping) -> "str | int | dt.date | Refused | None":
    """A cell's value; None where the cell is empty."""
    if text in FORMULA_ERRORS:
        return Refused(field, "formula_error", f"the cell holds the error {text}", "a value")
    if isinstance(text, Inexact):
        problem = f"{text} has more digits than a workbook keeps"
        return Refused(field, "too_many_digits", problem, "at most 15 digits, or the cell as text")
    known = mapping.values.get(field)
    if known is not None and text:
        if text not in known:
            return Refused(field, "unknown_value", f"{text!r} is not mapped", ", ".join(known))
        text = known[text]
    if not text:
        return None
    if field in AMOUNTS:
        return amount(field, text, mapping)
    if field in REVISIONS:
        return _revision(field, text, mapping)
    if field in DATES:
        return _date(field, text, mapping)
    if field in INSTANTS:
        return _instant(field, text)
    return str(text)


def amount(field: str, text: str, mapping: Mapping) -> str | Refused:
    """Text with a point for the decimals. A sign that is not declared is never guessed at."""
    if isinstance(text, Number):
        is_exact = _AMOUNT.match(text) is not None
        return str(text) if is_exact else _not_an_amount(field, text, mapping)
    whole, sign, fraction = text.translate(_SPACES).partition(mapping.decimal)
    digits = whole.replace(mapping.grouping, "") if mapping.grouping else whole
    groups = rf"-?\d{{1,3}}({re.escape(mapping.grouping)}\d{{3}})+"
    if digits != whole and not re.fullmatch(groups, whole):
        return _not_an_amount(field, text, mapping)
    plain = f"{digits}.{fraction}" if sign else digits
    is_amount = "." not in digits and _AMOUNT.match(plain)
    return plain if is_amount else _not_an_amount(field, text, mapping)


def _revision(field: str, text: str, mapping: Mapping) -> int | Refused:
    """A whole number; or of a date or an instant its digits, so that a later one is higher."""
    if re.fullmatch(r"-?\d{1,19}", text) and not _is_compact_date(text, mapping):
        return int(text)
    moment = _moment(text, mapping)
    if moment is None:
        return _not_a(field, text, "17")
    in_utc = moment.astimezone(dt.UTC) if moment.tzinfo else moment
    return int(f"{in_utc:%Y%m%d%H%M%S}")


def _is_compact_date(text: str, mapping: Mapping) -> bool:
    """Digits that the mapping declares to be a date: "20140331" is one revision with 17:30."""
    return not isinstance(text, Typed) and _strptime(text, mapping.date_formats) is not None


def _moment(text: str, mapping: Mapping) -> dt.datetime | None:
    if not isinstance(text, Typed) and (found := _strptime(text, mapping.date_formats)):
        return found
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _not_an_amount(field: str, text: str, mapping: Mapping) -> Refused:
    expected = f"32184{mapping.decimal}03"
    return Refused(field, RefusalCode.BREAKS_CONTRACT, f"{text!r} is not an amount", expected)


def _date(field: str, text: str, mapping: Mapping) -> dt.date | Refused:
    date = _typed_date(text) if isinstance(text, Typed) else parsed(text, mapping.date_formats)
    if date is not None:
        return date
    example = dt.date(2014, 3, 31)
    forms = ("41729" if form == SERIAL else f"{example:{form}}" for form in mapping.date_formats)
    return _not_a(field, text, " or ".join(forms))


def _typed_date(cell: Typed) -> dt.date | None:
    """A workbook's date cell, or its plain number of a day."""
    if isinstance(cell, Day | Moment):
        return dt.datetime.fromisoformat(cell).date()
    first = _FIRST_DAY_1904 if isinstance(cell, Number1904) else _FIRST_DAY
    return _of_serial(cell, first)


def _of_serial(text: str, first: dt.date) -> dt.date | None:
    """The date of a day number. Those before March 1900 are left: Excel counts a day too many."""
    days = int(text.partition(".")[0]) if _SERIAL.fullmatch(text) else 0
    is_sure = 61 <= days <= _DAYS_MAX - (first - _FIRST_DAY).days
    return first + dt.timedelta(days=days) if is_sure else None


def parsed(text: str, forms: tuple[str, ...]) -> dt.date | None:
    """The date that a text has in the first of the formats that fits; None in none of them."""
    found = _strptime(text, forms)
    return found.date() if found else None


@functools.lru_cache(maxsize=DATES_REMEMBERED_MAX)
def _strptime(text: str, forms: tuple[str, ...]) -> dt.datetime | None:
    """Remembered: a file has few dates, and `strptime` is most of the work of a row."""
    for form in forms:
        if form == SERIAL:
            day = _of_serial(text, _FIRST_DAY)
            if day is not None:
                return dt.datetime.combine(day, dt.time())
            continue
        try:
            return dt.datetime.strptime(text, form)  # noqa: DTZ007 -- a date has no zone
        except ValueError:
            continue
    return None


def _instant(field: str, text: str) -> str | Refused:
    expected = "2014-03-31T17:30:00Z"
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError:
        return _not_a(field, text, expected)
    return str(text) if instant.tzinfo else _not_a(field, text, f"{expected}, with its zone")


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
