"""The business clock as commands and the replay use it."""

import datetime as dt
from decimal import Decimal
from typing import Final, NamedTuple

from db import clock
from db.connect import Connection
from domain.clock import business_at
from schemas.clock import ClockRow

ONE: Final = Decimal(1)
PAUSED: Final = Decimal(0)


class Reading(NamedTuple):
    """The clock at a real instant; `row` is the one in force, None: it runs with the world."""

    real: dt.datetime
    business: dt.datetime
    row: ClockRow | None

    @property
    def rate(self) -> Decimal:
        """Business seconds per real second."""
        return self.row.rate if self.row else ONE


def read(conn: Connection) -> Reading:
    """What the clock shows now."""
    real = dt.datetime.now(dt.UTC)
    rows = [ClockRow(*row) for row in clock.rows(conn)]
    begun = [row for row in rows if row.real <= real]
    return Reading(real, business_at(rows, real), begun[-1] if begun else None)


def rate_before_pause(conn: Connection) -> Decimal:
    """The last rate at which the clock ran; 1 where it never did."""
    rates = [row.rate for row in clock.rows(conn) if row.rate != PAUSED]
    return rates[-1] if rates else ONE


def set_clock(conn: Connection, *, business: dt.datetime, rate: Decimal, by: str) -> ClockRow:
    """From now on business time is `business` and runs at `rate`. Raises ValueError."""
    row = clock.append(conn, real=dt.datetime.now(dt.UTC), business=business, rate=rate, set_by=by)
    return ClockRow(*row)
