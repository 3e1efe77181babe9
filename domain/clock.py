"""The business clock: appended rows, the last in force; every process derives the same time."""

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from schemas.clock import ClockRow

_MICROSECOND: Final = dt.timedelta(microseconds=1)


def business_at(rows: Sequence[ClockRow], real: dt.datetime) -> dt.datetime:
    """The business time at a real instant. `rows` in order; before the first, the system's time."""
    begun = [row for row in rows if row.real <= real]
    return _shown(begun[-1], real) if begun else real


def real_at(rows: Sequence[ClockRow], business: dt.datetime, *, until: dt.datetime) -> dt.datetime:
    """The last real instant, at most `until` (now), that showed no more than `business`.

    So a question about a past business time sees all that was known while the clock showed it, also
    where the clock was set back and showed it twice. Where it jumped over `business`, that is the
    instant of the jump.
    """
    ends = [*(later.real for later in rows[1:]), until]
    for row, end in reversed(list(zip(rows, ends, strict=False))):
        if row.business <= business and row.real <= until:
            return min(_reached(row, business, end), end, until)
    return min(business, rows[0].real if rows else until, until)


def _shown(row: ClockRow, real: dt.datetime) -> dt.datetime:
    return row.business + _scaled(real - row.real, row.rate)


def _reached(row: ClockRow, business: dt.datetime, end: dt.datetime) -> dt.datetime:
    """When a row's clock comes to `business`; one that stands still shows it to the row's end."""
    if row.rate == 0 or _shown(row, end) <= business:
        return end
    micros = Decimal((business - row.business) // _MICROSECOND) / row.rate
    return row.real + dt.timedelta(microseconds=int(micros.to_integral_value(ROUND_FLOOR)))


def _scaled(span: dt.timedelta, rate: Decimal) -> dt.timedelta:
    micros = (span // _MICROSECOND) * rate
    return dt.timedelta(microseconds=int(micros.to_integral_value(ROUND_FLOOR)))
