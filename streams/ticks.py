"""Ticks of the business clock: a new day moves boards and alerts without any deal."""

import time
from collections.abc import Callable

from streams.alerts import Alerts
from streams.holding import Holding
from streams.standings import RECOMPUTE_S_MIN, Standings


class Ticks:
    """Looks at the clock and the reference version; boards first, then alerts."""

    name = "ticks"
    pause_s = RECOMPUTE_S_MIN

    def __init__(
        self, standings: Standings, alerts: Alerts, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._standings = standings
        self._alerts = alerts
        self._now = now

    def step(self, holding: Holding) -> bool:
        """One look; what it moved is published when it returns."""
        self._standings.look()
        self._standings.recompute_due(self._now())
        self._alerts.on_tick()
        return False
