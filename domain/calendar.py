"""The company's calendar: working days, and the business date of an instant."""

import datetime as dt
import functools
from zoneinfo import ZoneInfo

from schemas import limits
from schemas.reference import Calendar

ONE_DAY = dt.timedelta(days=1)


def is_working_day(calendar: Calendar, day: dt.date) -> bool:
    """Neither weekend nor holiday."""
    return day.weekday() not in calendar.weekend and day not in calendar.holidays


@functools.lru_cache(maxsize=limits.WORKING_DAYS_CACHED_MAX)
def working_days(calendar: Calendar, first: dt.date, end: dt.date) -> int:
    """How many working days lie in [first, end)."""
    days = (first + dt.timedelta(days=n) for n in range((end - first).days))
    return sum(is_working_day(calendar, day) for day in days)


def next_working_day(calendar: Calendar, day: dt.date) -> dt.date | None:
    """The first working day after `day`; None when the company never works again within a year."""
    days = (day + dt.timedelta(days=n) for n in range(1, 367))
    return next((later for later in days if is_working_day(calendar, later)), None)


def are_a_working_day_apart(calendar: Calendar, earlier: dt.date, later: dt.date) -> bool:
    """Whether a working day begins after `earlier` and not after `later`."""
    return working_days(calendar, earlier + ONE_DAY, later + ONE_DAY) > 0


def business_date(instant: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The date that an instant has in the company's time zone."""
    return instant.astimezone(zone).date()


def start_of_day(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The instant at which `day` begins in the company's time zone, in UTC."""
    return dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)
