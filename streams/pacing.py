"""The share of quota expected by a business date, on the company's curve."""

import datetime as dt
import time
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from db import standings
from db.connect import Connection
from domain.pace import Expected, expected_share
from domain.reference import Reference
from domain.shape import by_offset, period_last_year
from schemas import limits
from schemas.ids import PeriodId
from schemas.messages import PeriodState
from schemas.reference import Curve, Period

Shape = tuple[tuple[int, Decimal], ...]


class _Known(NamedTuple):
    """A shape as read, when, and under which reference version."""

    shape: Shape
    version: int
    read_at: float
    is_final: bool


class Pacing:
    """Keeps last year's shape: of a locked period for good, else for SHAPE_SECONDS_MAX."""

    def __init__(self, conn: Connection, *, now: Callable[[], float] = time.monotonic) -> None:
        self._conn = conn
        self._now = now
        self._known: dict[PeriodId, _Known] = {}

    def expected(self, reference: Reference, period: Period, day: dt.date) -> Expected | None:
        """What is expected by the start of a day; None when nothing can be said."""
        curve = reference.rows.calendar.curve
        shape = self._shape(reference, period) if curve is Curve.LAST_YEAR else ()
        return expected_share(curve, period, day, reference.rows.calendar, shape)

    def _shape(self, reference: Reference, period: Period) -> Shape:
        last = period_last_year(reference, period)
        if last is None:
            return ()
        known = self._known.get(last.period_id)
        if known is None or not self._holds(known, reference):
            shape = by_offset(last, standings.shape(self._conn, last.period_id))
            is_final = last.state is PeriodState.LOCKED
            known = _Known(shape, reference.version, self._now(), is_final)
            self._known[last.period_id] = known
        return known.shape

    def _holds(self, known: _Known, reference: Reference) -> bool:
        is_young = self._now() - known.read_at < limits.SHAPE_SECONDS_MAX
        return known.version == reference.version and (known.is_final or is_young)
