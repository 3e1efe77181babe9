"""Pace: how much of a quota is expected by a business date, and what is left to do."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from domain.calendar import working_days
from schemas.money import ONE, ZERO, RoundingMode, ratio, rounded
from schemas.reference import Calendar, Curve, Period

WITHOUT_LAST_YEAR: Final = f"{Curve.WORKING_DAYS} (no last year)"
_MONEY_PLACES: Final = 2


class Expected(NamedTuple):
    """The share of the quota, a fraction of one, expected so far, and the curve that says so."""

    share: Decimal
    curve: str


class ToGo(NamedTuple):
    """What is left of a period: working days from `as_of` on, and what each must bring."""

    gap_to_quota: Decimal
    working_days_left: int
    required_per_day: Decimal | None  # None: no working day is left


def expected_share(
    curve: Curve,
    period: Period,
    as_of: dt.date,
    calendar: Calendar,
    last_year: Sequence[tuple[int, Decimal]] = (),
) -> Expected | None:
    """The share expected by the start of `as_of`: that of the whole days before it.

    `last_year` are the company's credited amounts by day offset from the start of the same period
    of the previous plan year; an offset beyond this period's end counts on its last day. Where they
    sum to nothing, working days stand in, and the curve's name says so. None: no working day.
    """
    day = min(max(as_of, period.starts_on), period.ends_on)
    if curve is Curve.LAST_YEAR:
        by_shape = _by_last_year(period, day, last_year)
        return by_shape or _by_working_days(period, day, calendar, WITHOUT_LAST_YEAR)
    return _by_working_days(period, day, calendar, Curve.WORKING_DAYS.value)


def pace_ratio(attainment_ratio: Decimal, expected: Expected) -> Decimal | None:
    """Attainment against what is expected so far; None while nothing is expected."""
    return ratio(attainment_ratio, expected.share) if expected.share > 0 else None


def gap_to_quota(credited: Decimal, quota: Decimal) -> Decimal:
    """What is missing to the quota, never below zero."""
    return max(quota - credited, ZERO)


def short_of_pace(credited: Decimal, quota: Decimal, expected_share: Decimal) -> Decimal:
    """The money that is missing to what is expected so far, to the cent, never below zero."""
    missing = max(quota * expected_share - credited, ZERO)
    return rounded(missing, mode=RoundingMode.HALF_EVEN, places=_MONEY_PLACES)


def to_go(
    credited: Decimal, quota: Decimal, period: Period, as_of: dt.date, calendar: Calendar
) -> ToGo:
    """The gap, the working days left from `as_of` on, and what each of them must bring."""
    gap = gap_to_quota(credited, quota)
    left = working_days(calendar, max(as_of, period.starts_on), period.ends_on)
    return ToGo(gap, left, required_per_remaining_working_day(gap, left))


def required_per_remaining_working_day(gap: Decimal, working_days_left: int) -> Decimal | None:
    """What each day left must bring, rounded up to the cent so that it does reach the quota."""
    if working_days_left <= 0:
        return None
    return abs(ratio(-gap, Decimal(working_days_left), places=_MONEY_PLACES))


def _by_working_days(
    period: Period, day: dt.date, calendar: Calendar, name: str
) -> Expected | None:
    total = working_days(calendar, period.starts_on, period.ends_on)
    gone = working_days(calendar, period.starts_on, day)
    return Expected(ratio(Decimal(gone), Decimal(total)), name) if total else None


def _by_last_year(
    period: Period, day: dt.date, last_year: Sequence[tuple[int, Decimal]]
) -> Expected | None:
    total = sum((amount for _, amount in last_year), ZERO)
    if total <= 0:
        return None
    last_offset = (period.ends_on - period.starts_on).days - 1
    gone = (day - period.starts_on).days
    credited = sum(
        (amount for offset, amount in last_year if min(offset, last_offset) < gone), ZERO
    )
    share = min(max(ratio(credited, total), ZERO), ONE)  # credit notes may lead outside
    return Expected(share, Curve.LAST_YEAR.value)
