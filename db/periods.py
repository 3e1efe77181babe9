"""Periods: which are locked, since when, and what a lock would freeze."""

import datetime as dt
from decimal import Decimal
from typing import Final, NamedTuple

from db.connect import Connection
from schemas.ids import PeriodId
from schemas.reference import Period


class Lock(NamedTuple):
    """A locked period. What was booked under a lower reference version was booked before it."""

    period_id: PeriodId
    reference_version: int
    known_at: dt.datetime


class Booked(NamedTuple):
    """What stands booked in a period."""

    accounts: int
    entries: int
    earned: Decimal


class HeldMoney(NamedTuple):
    """What waits, in one currency."""

    currency: str
    deals: int
    amount: Decimal


LOCKS: Final = """
SELECT period_id, reference_version, known_from FROM periods
 WHERE known_to IS NULL AND state = 'locked' ORDER BY starts_on"""


def locks(conn: Connection) -> list[Lock]:
    """The locked periods, in calendar order."""
    return [Lock(*row) for row in conn.execute(LOCKS)]


BOOKED: Final = """
SELECT count(DISTINCT account_id), count(*), coalesce(sum(earned), 0)
  FROM ledger WHERE booking_period = %s"""


def booked(conn: Connection, period_id: PeriodId) -> Booked:
    """What stands booked in it now."""
    row = conn.execute(BOOKED, (period_id,)).fetchone()
    assert row is not None
    return Booked(*row)


HELD: Final = """
SELECT currency, count(DISTINCT deal_id), sum(amount) FROM holds
 WHERE closed_on IS NULL OR (closed_on >= %s AND closed_on < %s)
 GROUP BY currency ORDER BY currency"""


def held(conn: Connection, period: Period) -> list[HeldMoney]:
    """What waits of the deals closed in it, and of those without a date."""
    return [HeldMoney(*row) for row in conn.execute(HELD, (period.starts_on, period.ends_on))]


DEAD_LETTERS: Final = "SELECT count(*) FROM dead_letters"


def dead_letters(conn: Connection) -> int:
    """How many records were refused; of which period they were cannot be known."""
    row = conn.execute(DEAD_LETTERS).fetchone()
    assert row is not None
    return int(row[0])
