"""Locking periods one after the other, as a person watches."""

import datetime as dt
from collections.abc import Callable

from api.period_lock import (
    DrainTimedOut,
    FreezeTimedOut,
    LockRefused,
    LockResult,
    lock_period,
)
from cli.failures import Failure
from db import reference
from db.connect import Connection
from schemas.messages import PeriodState
from schemas.settings import Settings


def open_before(conn: Connection, date: dt.date) -> list[str]:
    """The open periods that end on or before a date, in order."""
    return [
        period.period_id
        for period in sorted(reference.read(conn).periods, key=lambda row: row.starts_on)
        if period.state is PeriodState.OPEN and period.ends_on <= date
    ]


def lock_one(
    conn: Connection,
    settings: Settings,
    period_id: str,
    *,
    say: Callable[[str], None],
    actor: str,
) -> LockResult:
    """Lock it and wait for its statements. Raises Failure with what to do."""
    try:
        return lock_period(
            conn,
            settings,
            period_id,
            actor=actor,
            watch=lambda progress: say(f"{progress.step} {progress.done} of {progress.of}"),
        )
    except (LockRefused, DrainTimedOut, FreezeTimedOut) as error:
        raise Failure(str(error)) from error
