"""Periods as answers name them."""

import datetime as dt

from api.world import World
from schemas.ids import PeriodId
from schemas.live import Stamps
from schemas.messages import PeriodState
from schemas.reference import Period


def current(world: World) -> Period | None:
    """The period of the business date; outside all of them the last that began, else the first."""
    periods = sorted(world.reference.rows.periods, key=lambda period: period.starts_on)
    begun = [period for period in periods if period.starts_on <= world.today]
    return world.reference.period_on(world.today) or next(iter(begun[-1:] or periods), None)


def name(period: Period) -> str:
    """In words, with the last day: "1 Mar - 31 May 2014"."""
    last = period.ends_on - dt.timedelta(days=1)
    same_year = period.starts_on.year == last.year
    first_text = _day(period.starts_on) if same_year else _day_and_year(period.starts_on)
    return f"{first_text} - {_day_and_year(last)}"


def stamps(
    world: World, period_id: str, *, complete_through: dt.datetime | None, currency: str
) -> Stamps:
    """What stands beside every headline number of a period."""
    period = world.reference.period(PeriodId(period_id))
    assert period is not None, f"figures of {period_id}, which is no period"
    return Stamps(
        period=period.period_id,
        period_name=name(period),
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        state=period.state,
        complete_through=complete_through,
        currency=currency,
    )


def has_locked(world: World) -> bool:
    """Whether any period is locked: only then can there be corrections of one."""
    return any(period.state is PeriodState.LOCKED for period in world.reference.rows.periods)


def day_in_words(day: dt.date) -> str:
    """ "3 Mar"."""
    return _day(day)


def _day(day: dt.date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _day_and_year(day: dt.date) -> str:
    return f"{_day(day)} {day.year}"


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
