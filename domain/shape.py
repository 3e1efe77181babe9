"""Which period's credits give a period its seasonal shape: the same one of the year before."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

from domain.reference import Reference
from schemas.reference import Period


def period_last_year(reference: Reference, period: Period) -> Period | None:
    """The period with the same ordinal in the previous plan year; None where there is none."""
    rows = sorted(reference.rows.periods, key=attrgetter("starts_on"))
    years = dict.fromkeys(row.plan_year for row in rows)
    before = {year: earlier for earlier, year in pairwise(years)}
    earlier = before.get(period.plan_year)
    if earlier is None:
        return None
    ordinal = reference.periods_of(period.plan_year).index(period)
    candidates = reference.periods_of(earlier)
    return candidates[ordinal] if ordinal < len(candidates) else None


def by_offset(
    period: Period, sums: Iterable[tuple[dt.date, Decimal]]
) -> tuple[tuple[int, Decimal], ...]:
    """Sums by day as `domain.pace` takes them: by day offset from the period's start."""
    return tuple(((day - period.starts_on).days, amount) for day, amount in sums)
