"""The replay of the sample company's last quota window."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from cli.console import err
from cli.replaying import Replay, Shown
from db.connect import Connection
from db.reference import read
from ingest import adventureworks as sample
from ingest.publish import Publisher
from ingest.schedule import Hours, Pace, Schedule, schedule
from schemas.settings import Settings

# Pay is provisional to the end: the clock stops on the last working evening of the window.
LAST_DAY: Final = dt.date(2014, 5, 30)
LIVE_RATE: Final = Decimal(540)  # nine hours in a minute
SPARSE_FACTOR: Final = 10
FAST_RATE: Final = Decimal(345_600)  # four days a second
LIVE_ORDERS_MIN: Final = 10


def working_hours(conn: Connection) -> Hours:
    """The company's own, as its calendar has them."""
    rows = read(conn)
    calendar = rows.calendar
    return Hours(
        ZoneInfo(rows.company.time_zone),
        calendar.day_starts,
        calendar.day_ends,
        frozenset(calendar.weekend),
    )


def ends_at(conn: Connection) -> dt.datetime:
    """When the replay is over."""
    hours = working_hours(conn)
    return hours.at(LAST_DAY, hours.day_ends)


def sample_schedule(hours: Hours) -> Schedule:
    """Which order is sent when."""
    starts_on = sample.LAST_WINDOW_STARTS
    return schedule(
        (deal for deal in sample.deals() if deal.closed_on and deal.closed_on >= starts_on),
        hours,
        starts_on=starts_on,
        last_day=LAST_DAY,
        live_orders_min=LIVE_ORDERS_MIN,
    )


def replay_sample(
    settings: Settings,
    conn: Connection,
    *,
    live_rate: Decimal = LIVE_RATE,
    fast_rate: Decimal = FAST_RATE,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Run the replay to its end, telling how far it is."""
    planned = sample_schedule(working_hours(conn))
    rates = {
        Pace.LIVE: live_rate,
        Pace.SPARSE: live_rate * SPARSE_FACTOR,
        Pace.FAST: fast_rate,
    }
    with Publisher(settings, source="paceboard/replay") as publisher, _Telling(planned) as tell:
        Replay(
            planned,
            conn,
            publisher,
            source=sample.SOURCE,
            rates=rates,
            check=check,
            show=tell,
        ).run()


class _Telling:
    """One changing line on a terminal; elsewhere a line when the way the clock runs changes."""

    def __init__(self, planned: Schedule) -> None:
        self._total = len(planned.due)
        self._zone = ZoneInfo(sample.TIME_ZONE)
        self._said: object = None
        self._status = err.status("replay") if err.is_terminal else None

    def __enter__(self) -> "_Telling":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, shown: Shown) -> None:
        text = self._text(shown)
        if self._status is not None:
            self._status.update(text)
        elif (shown.stretch, shown.rate) != self._said:
            self._said = (shown.stretch, shown.rate)
            err.print(text)

    def _text(self, shown: Shown) -> str:
        when = f"{shown.business.astimezone(self._zone):%a %d %b %Y %H:%M}"
        how = f"{shown.rate:,f} x" if shown.rate else "paused"
        orders = shown.stretch.orders
        what = f"{orders} orders are sold today" if orders else "on to the next sale"
        return f"replay: {when}, {how}, {what}; {shown.sent:,} of {self._total:,} orders sent"
