"""The business clock's history. Setting the clock appends a row; listeners are told."""

import datetime as dt
from decimal import Decimal
from typing import Final

from db import audit
from db.connect import Connection
from schemas.clock import ClockRow

CHANNEL: Final = "paceboard_clock"

ROWS: Final = 'SELECT "real", business, rate FROM clock ORDER BY id'
# One at a time, so that the order of ids is the order in which they came into force.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('paceboard.clock', 0))"
APPEND: Final = 'INSERT INTO clock ("real", business, rate, set_by) VALUES (%s, %s, %s, %s)'
NOTIFY: Final = f"SELECT pg_notify('{CHANNEL}', '')"


def rows(conn: Connection) -> tuple[ClockRow, ...]:
    """All rows, the one in force last; none means that the business runs by the system's time."""
    return tuple(ClockRow(*row) for row in conn.execute(ROWS))


def append(
    conn: Connection, *, real: dt.datetime, business: dt.datetime, rate: Decimal, set_by: str
) -> ClockRow:
    """From the instant `real` on, business time is `business` and runs at `rate`; audited.

    Raises ValueError when the rate is negative or `real` is before the row in force.
    """
    if rate < 0:
        raise ValueError("the business clock does not run backwards: rate is 0 or more")
    row = ClockRow(real, business, rate)
    with conn.transaction():
        conn.execute(LOCK)
        before = rows(conn)
        if before and before[-1].real > real:
            raise ValueError("a clock row does not begin before the one in force")
        conn.execute(APPEND, (*row, set_by))
        audit.record(
            conn,
            actor=set_by,
            action="set clock",
            entity="clock",
            before=before[-1]._asdict() if before else None,
            after=row._asdict(),
        )
        conn.execute(NOTIFY)
    return row
