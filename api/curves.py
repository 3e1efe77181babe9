"""How much of a quota is expected by today; last year's shape is kept for a while."""

import time
from collections.abc import Sequence
from decimal import Decimal

from api.world import World
from db import standings
from db.connect import Connection
from domain.pace import Expected, expected_share
from domain.shape import by_offset, period_last_year
from schemas import limits
from schemas.ids import PeriodId
from schemas.reference import Curve, Period

Shape = Sequence[tuple[int, Decimal]]  # (day offset, credited amount)


class Shapes:
    """Last year's shape of each period: at most SHAPE_SECONDS_MAX old, as boards have it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, PeriodId], tuple[float, Shape]] = {}

    def expected(self, connection: Connection, world: World, period: Period) -> Expected | None:
        """The share of the quota expected by the start of the business date."""
        calendar = world.reference.rows.calendar
        shape = self._shape(connection, world, period) if calendar.curve is Curve.LAST_YEAR else ()
        return expected_share(calendar.curve, period, world.today, calendar, shape)

    def _shape(self, connection: Connection, world: World, period: Period) -> Shape:
        before = period_last_year(world.reference, period)
        if before is None:
            return ()
        key = world.reference.version, before.period_id
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < limits.SHAPE_SECONDS_MAX:
            return known[1]
        shape = by_offset(before, standings.shape(connection, before.period_id))
        self._known = {
            old: held for old, held in self._known.items() if old[0] == world.reference.version
        }
        self._known[key] = time.monotonic(), shape
        return shape
