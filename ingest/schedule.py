"""When each order of a replay is sent, in business time. Pure.

An order somebody sold is sent one by one in the working hours of its date, or of the next working
day when that date is none; the orders of a date are spread evenly over the hours. Orders without a
seller are sent together when their date is over. What lies behind the replay's end comes then.

A stretch is live while sold orders are due, and fast otherwise: the clock runs through it.
"""

import bisect
import datetime as dt
import enum
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.messages import DealChanged

DAY = dt.timedelta(days=1)


class Hours(NamedTuple):
    """The company's working time. Weekdays: Monday is 0."""

    time_zone: ZoneInfo
    day_starts: dt.time
    day_ends: dt.time
    weekend: frozenset[int]

    def working_day(self, on: dt.date) -> dt.date:
        """The day itself, or the next working day."""
        while on.weekday() in self.weekend:
            on += DAY
        return on

    def at(self, on: dt.date, time: dt.time) -> dt.datetime:
        """That wall time, as an instant in UTC."""
        return dt.datetime.combine(on, time, self.time_zone).astimezone(dt.UTC)

    def midnight(self, on: dt.date) -> dt.datetime:
        """The instant at which a date begins."""
        return self.at(on, dt.time())


class Pace(enum.StrEnum):
    """How the clock runs through a stretch."""

    LIVE = "live"  # many orders: to be watched
    SPARSE = "sparse"  # a few orders: quicker
    FAST = "fast"  # none: run through


class Due(NamedTuple):
    """An order and the instant at which it is sent."""

    at: dt.datetime
    deal: DealChanged


class Stretch(NamedTuple):
    """From `starts_at` until the next stretch the clock runs like this."""

    starts_at: dt.datetime
    pace: Pace
    orders: int


class Schedule(NamedTuple):
    """A replay: every order once, in the order of sending, and the stretches that cover it all."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    due: tuple[Due, ...]
    stretches: tuple[Stretch, ...]
    afterwards: tuple[DealChanged, ...]  # sent together once the replay has ended

    def sent_by(self, instant: dt.datetime) -> int:
        """How many of `due` are to be sent at `instant`."""
        return bisect.bisect_right(self.due, instant, key=lambda due: due.at)

    def stretch_at(self, instant: dt.datetime) -> int:
        """The index of the stretch that `instant` lies in; the first also before the start."""
        return max(0, bisect.bisect_right(self.stretches, instant, key=lambda s: s.starts_at) - 1)


def schedule(
    deals: Iterable[DealChanged],
    hours: Hours,
    *,
    starts_on: dt.date,
    last_day: dt.date,
    live_orders_min: int,
) -> Schedule:
    """The replay from the start of `starts_on` to the end of work on `last_day`.

    Every deal has `closed_on` >= `starts_on`. A day with `live_orders_min` sold orders or more is
    one to be watched.
    """
    by_date: dict[dt.date, list[DealChanged]] = defaultdict(list)
    for deal in deals:
        assert deal.closed_on is not None and deal.closed_on >= starts_on, deal.deal_id
        by_date[deal.closed_on].append(deal)
    ends_at = hours.at(last_day, hours.day_ends)
    timed = sorted(
        (due for on in sorted(by_date) for due in _of_date(on, by_date[on], hours)),
        key=lambda due: due.at,
    )
    due = tuple(item for item in timed if item.at <= ends_at)
    return Schedule(
        starts_at=hours.midnight(starts_on),
        ends_at=ends_at,
        due=due,
        stretches=tuple(_stretches(due, hours, starts_on, live_orders_min)),
        afterwards=tuple(item.deal for item in timed if item.at > ends_at),
    )


def spread(count: int, starts_at: dt.datetime, ends_at: dt.datetime) -> list[dt.datetime]:
    """So many instants, evenly, none at an end: one stands in the middle."""
    step = (ends_at - starts_at) / (count or 1)
    return [starts_at + step * index + step / 2 for index in range(count)]


def _of_date(on: dt.date, deals: Sequence[DealChanged], hours: Hours) -> list[Due]:
    sold = [deal for deal in deals if is_sold(deal)]
    day = hours.working_day(on)
    instants = spread(len(sold), hours.at(day, hours.day_starts), hours.at(day, hours.day_ends))
    over = hours.midnight(on + DAY)
    return [
        *(Due(at, deal) for at, deal in zip(instants, sold, strict=True)),
        *(Due(over, deal) for deal in deals if not is_sold(deal)),
    ]


def is_sold(deal: DealChanged) -> bool:
    """Whether somebody is to be credited for it."""
    return deal.owner_key is not None or bool(deal.splits)


def _stretches(
    due: Iterable[Due], hours: Hours, starts_on: dt.date, live_orders_min: int
) -> Iterable[Stretch]:
    counts: dict[dt.date, int] = defaultdict(int)
    for item in due:
        if is_sold(item.deal):
            counts[item.at.astimezone(hours.time_zone).date()] += 1
    yield Stretch(hours.midnight(starts_on), Pace.FAST, 0)
    for day, count in sorted(counts.items()):
        pace = Pace.LIVE if count >= live_orders_min else Pace.SPARSE
        yield Stretch(hours.at(day, hours.day_starts), pace, count)
        yield Stretch(hours.at(day, hours.day_ends), Pace.FAST, 0)
