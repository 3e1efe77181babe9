"""What a deal must satisfy beyond its schema, and the digest that tells two contents apart."""

import datetime as dt
import hashlib
import re
from collections import Counter
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from schemas import limits
from schemas.messages import DealChanged, DealStatus, RefusalCode, Split, SplitRole
from schemas.money import AMOUNT_PATTERN, ONE, exact

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DIGEST_HEX_DIGITS: Final = 32
_AMOUNT: Final = re.compile(AMOUNT_PATTERN)
_NUL: Final = re.compile(rb"(?<!\\)(\\\\)*\\u0000")  # escaped, not a backslash followed by u0000
_DATES: Final = ("changed_on", "closed_on", "expected_close_on", "stage_entered_on")
_INSTANTS: Final = ("closed_at", "changed_at")


class Refusal(NamedTuple):
    """A business "no": why a record cannot be used, where, and in words."""

    code: RefusalCode
    where: str
    problem: str


def content_digest(deal: DealChanged) -> str:
    """128 bits that tell two contents of one revision apart.

    The order of keys and the notation of an instant (its offset) do not matter. The precision of an
    amount does: '1.0' and '1.00' are different contents, since splits are rounded to it.
    """
    return hashlib.sha256(_ENCODER.encode(_in_utc(deal))).hexdigest()[:_DIGEST_HEX_DIGITS]


def check(deal: DealChanged) -> Refusal | None:
    """The first thing that is wrong with a deal whose fields have their right types, or None."""
    return (
        _identity(deal)
        or _dates(deal)
        or (_won(deal) if deal.status is DealStatus.WON else None)
        or _amounts(deal)
        or (_lines(deal) if deal.lines else None)
        or (_splits(deal) if deal.splits else None)
    )


def _in_utc(deal: DealChanged) -> DealChanged:
    instants = {
        name: instant.astimezone(dt.UTC)
        for name in _INSTANTS
        if (instant := getattr(deal, name)) is not None and instant.tzinfo not in (None, dt.UTC)
    }
    return msgspec.structs.replace(deal, **instants) if instants else deal


def _identity(deal: DealChanged) -> Refusal | None:
    if ":" not in deal.deal_id:
        problem = f"'{deal.deal_id}' is not of the form 'source:key'"
        return Refusal(RefusalCode.BREAKS_CONTRACT, "deal_id", problem)
    if _has_nul(_ENCODER.encode(deal)):  # no database text can hold it
        return Refusal(RefusalCode.BREAKS_CONTRACT, "text", "a text contains the character U+0000")
    return None


def _has_nul(encoded: bytes) -> bool:
    return b"\\u0000" in encoded and _NUL.search(encoded) is not None


def check_instant(name: str, instant: dt.datetime) -> Refusal | None:
    """An instant says its offset from UTC and lies within the years we know."""
    if instant.tzinfo is None:
        problem = f"{instant} has no offset from UTC"
        return Refusal(RefusalCode.BREAKS_CONTRACT, name, problem)
    return None if _is_in_range(instant) else _out_of_range(name, instant)


def _dates(deal: DealChanged) -> Refusal | None:
    for name in _INSTANTS:
        instant: dt.datetime | None = getattr(deal, name)
        refusal = check_instant(name, instant) if instant is not None else None
        if refusal is not None:
            return refusal
    for name in _DATES:
        if (day := getattr(deal, name)) is not None and not _is_in_range(day):
            return _out_of_range(name, day)
    for index, milestone in enumerate(deal.milestones):
        if not _is_in_range(milestone.on):
            return _out_of_range(f"milestones[{index}].on", milestone.on)
    return None


def _is_in_range(day: dt.date) -> bool:
    return limits.DATE_YEAR_MIN <= day.year <= limits.DATE_YEAR_MAX


def _out_of_range(where: str, day: dt.date) -> Refusal:
    problem = f"{day} is not between {limits.DATE_YEAR_MIN} and {limits.DATE_YEAR_MAX}"
    return Refusal(RefusalCode.DATE_OUT_OF_RANGE, where, problem)


def _won(deal: DealChanged) -> Refusal | None:
    if deal.closed_on is None and deal.closed_at is None:
        problem = "the deal is won and has neither closed_on nor closed_at"
        return Refusal(RefusalCode.WON_WITHOUT_DATE, "closed_on", problem)
    if deal.amount is None or deal.currency is None:
        missing = "amount" if deal.amount is None else "currency"
        problem = f"the deal is won and has no {missing}"
        return Refusal(RefusalCode.WON_WITHOUT_AMOUNT, missing, problem)
    return None


def _amounts(deal: DealChanged) -> Refusal | None:
    """Amounts are money's texts even when the record was made by code, not decoded."""
    if deal.amount is not None and not _AMOUNT.match(deal.amount):
        return _no_amount("amount", deal.amount)
    for index, line in enumerate(deal.lines):
        if not _AMOUNT.match(line.amount):
            return _no_amount(f"lines[{index}].amount", line.amount)
    return None


def _no_amount(where: str, text: str) -> Refusal:
    problem = (
        f"'{text[:40]}' is not an amount: at most {limits.AMOUNT_INTEGER_DIGITS_MAX} digits before"
        f" and {limits.AMOUNT_SCALE_MAX} after the point"
    )
    return Refusal(RefusalCode.BREAKS_CONTRACT, where, problem)


def _lines(deal: DealChanged) -> Refusal | None:
    total = sum((exact(line.amount) for line in deal.lines), Decimal(0))
    if deal.amount is not None and total == exact(deal.amount):
        return None
    problem = f"the lines sum to {total}, the deal's amount is {deal.amount}"
    return Refusal(RefusalCode.LINES_DO_NOT_SUM, "lines", problem)


def _splits(deal: DealChanged) -> Refusal | None:
    shares = [split for split in deal.splits if split.role is SplitRole.SPLIT]
    total = sum((exact(split.share) for split in shares), Decimal(0))
    if shares and total != ONE:
        problem = f"the shares of role 'split' sum to {total}, not to 1"
        return Refusal(RefusalCode.SPLITS_DO_NOT_SUM, "splits", problem)
    if sum(split.takes_remainder for split in deal.splits) > 1:
        problem = "more than one share takes the remainder"
        return Refusal(RefusalCode.BREAKS_CONTRACT, "splits", problem)
    return _twice(deal.splits)


def _twice(splits: tuple[Split, ...]) -> Refusal | None:
    counts = Counter((split.payee_key, split.role) for split in splits)
    for (payee_key, role), count in counts.items():
        if count > 1:
            problem = f"'{payee_key}' stands {count} times among the shares of role '{role}'"
            return Refusal(RefusalCode.BREAKS_CONTRACT, "splits", problem)
    return None
