"""What time it is in the business, and under which reference data."""

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

from db import clock, reference
from db.connect import Connection
from domain.calendar import business_date
from domain.clock import business_at
from domain.reference import Reference
from schemas.reference import Period


class Moment(NamedTuple):
    """The business at one instant: reference data of one version, and the business date."""

    reference: Reference
    today: dt.date

    @property
    def period(self) -> Period | None:
        """The period that contains today."""
        return self.reference.period_on(self.today)


Moments = Callable[[], Moment]


def _system() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Business:
    """Reads the moment from the database, and reference data again when their version moved."""

    def __init__(self, conn: Connection, *, now: Callable[[], dt.datetime] = _system) -> None:
        self._conn = conn
        self._now = now
        self._reference: Reference | None = None

    def __call__(self) -> Moment:
        """The moment now. Raises NotInstalled."""
        version = reference.version(self._conn)
        if self._reference is None or self._reference.version != version:
            self._reference = Reference(reference.read(self._conn))
        instant = business_at(clock.rows(self._conn), self._now())
        return Moment(self._reference, business_date(instant, self._reference.zone))
