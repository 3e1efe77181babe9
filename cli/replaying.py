"""The replay at work: orders go out when the business clock has passed their instants.

Whoever sets the clock is obeyed at once: a pause waits, another rate is kept, a jump sends what it
jumped over. The replay itself sets the clock only where one stretch of its schedule ends.
"""

import datetime as dt
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from cli import business
from cli.business import PAUSED, Reading
from db import standings
from db.connect import Connection
from ingest.publish import Publisher
from ingest.schedule import Pace, Schedule, Stretch
from schemas.clock import ClockRow

BY: Final = "replay"
POLL_SECONDS: Final = 0.1
COMPLETE_EVERY_SECONDS: Final = 1.0
JUMP_RATE_MIN: Final = Decimal(100_000)  # a faster clock would run past the next stretch's start
LOOK_AHEAD: Final = Decimal("0.5")  # seconds: a few polls of a busy machine

Rates = dict[Pace, Decimal]


class Shown(NamedTuple):
    """What there is to tell of the replay at a moment."""

    business: dt.datetime
    rate: Decimal
    stretch: Stretch
    sent: int


class Replay:
    """One run of a schedule. `run` returns when its end is reached and all is sent."""

    def __init__(
        self,
        schedule: Schedule,
        conn: Connection,
        publisher: Publisher,
        *,
        source: str,
        rates: Rates,
        check: Callable[[], None] = lambda: None,
        show: Callable[[Shown], None] = lambda _: None,
    ) -> None:
        self._schedule = schedule
        self._conn = conn
        self._publisher = publisher
        self._source = source
        self._rates = dict(rates)
        self._check = check
        self._show = show
        self._stretch: int | None = None
        self._row: ClockRow | None = None  # the clock's, as last set or obeyed
        self._sent = 0
        self._said_at = 0.0

    def run(self) -> None:
        """Send what is due until the end. However it stops, the clock is left paused."""
        try:
            self._resume()
            while (now := business.read(self._conn)).business < self._schedule.ends_at:
                self._check()
                self._send_due(self._keep_pace(now))
                self._tell(now)
                time.sleep(POLL_SECONDS)
            self._finish()
        finally:
            self._pause()

    def _resume(self) -> None:
        """Start where the last run stopped; a clock that ran on without a replay is set back."""
        now = business.read(self._conn)
        alive_at = standings.complete_through(self._conn)
        if now.row is None or now.business < self._schedule.starts_at:
            self._set(self._schedule.starts_at, PAUSED)
        elif now.rate != PAUSED and alive_at is not None and alive_at < now.business:
            self._set(max(alive_at, self._schedule.starts_at), PAUSED)

    def _send_due(self, now: dt.datetime) -> None:
        """Send what is due; after a restart also what was sent before: duplicates are absorbed."""
        count = self._schedule.sent_by(now)
        for due in self._schedule.due[self._sent : count]:
            self._publisher.send(due.deal, is_replay=False)
        if count > self._sent:
            self._publisher.flush()
            self._sent = count
        if time.monotonic() - self._said_at >= COMPLETE_EVERY_SECONDS:
            self._publisher.complete_through(self._source, now)
            self._said_at = time.monotonic()

    def _keep_pace(self, now: Reading) -> dt.datetime:
        """Give each stretch its rate when it begins; the instant up to which orders are due."""
        index = self._schedule.stretch_at(now.business)
        if self._stretch is None:
            return self._begin(index, now.business)
        if now.row != self._row:
            return self._obey(index, now)
        if now.rate == PAUSED:
            return now.business
        if now.rate >= JUMP_RATE_MIN:
            return self._run_fast(self._stretch, now)
        if index != self._stretch:
            return self._begin(index, now.business)
        return now.business

    def _obey(self, index: int, now: Reading) -> dt.datetime:
        """Somebody set the clock. A rate chosen for a day of sales holds for all such days.

        Where it was set to another stretch, or runs on after a pause, the stretch has its own rate.
        """
        was_paused = self._row is not None and self._row.rate == PAUSED
        is_elsewhere = index != self._stretch
        self._row, self._stretch = now.row, index
        if now.rate == PAUSED:
            return now.business
        if is_elsewhere or (was_paused and now.rate in self._rates.values()):
            return self._begin(index, now.business)
        pace = self._schedule.stretches[index].pace
        if pace is not Pace.FAST:
            self._rates[pace] = now.rate
        return now.business

    def _run_fast(self, index: int, now: Reading) -> dt.datetime:
        """Stop short of the next stretch and jump to its start: nobody misses a day of sales.

        Where a delay let the clock run past the start it is set back to it.
        """
        if self._is_far(index, now.business, now.rate):
            return now.business
        start = self._ends_at(index)
        if index + 1 < len(self._schedule.stretches):
            return self._begin(index + 1, start)
        self._set(start, PAUSED)
        return start

    def _begin(self, index: int, at: dt.datetime) -> dt.datetime:
        """Let the clock run through a stretch; over one that is too short for its rate it jumps."""
        rate = self._rates[self._schedule.stretches[index].pace]
        while rate >= JUMP_RATE_MIN and not self._is_far(index, at, rate):
            at = self._ends_at(index)
            if index + 1 == len(self._schedule.stretches):
                rate = PAUSED
                break
            index += 1
            rate = self._rates[self._schedule.stretches[index].pace]
        self._set(at, rate)
        self._stretch = index
        return at

    def _is_far(self, index: int, at: dt.datetime, rate: Decimal) -> bool:
        """Whether the stretch's end is out of reach for a clock of that rate and a slow machine."""
        return at + dt.timedelta(seconds=float(rate * LOOK_AHEAD)) < self._ends_at(index)

    def _ends_at(self, index: int) -> dt.datetime:
        following = self._schedule.stretches[index + 1 : index + 2]
        return following[0].starts_at if following else self._schedule.ends_at

    def _set(self, at: dt.datetime, rate: Decimal) -> None:
        try:
            self._row = business.set_clock(self._conn, business=at, rate=rate, by=BY)
        except ValueError:
            return  # somebody set it in this very moment, and is obeyed

    def _tell(self, now: Reading) -> None:
        stretch = self._schedule.stretches[self._schedule.stretch_at(now.business)]
        self._show(Shown(now.business, now.rate, stretch, self._sent))

    def _finish(self) -> None:
        """What is due at the end, what comes after it, and the last word on completeness."""
        self._set(self._schedule.ends_at, PAUSED)
        self._send_due(self._schedule.ends_at)
        for deal in self._schedule.afterwards:
            self._publisher.send(deal, is_replay=False)
        self._publisher.complete_through(self._source, self._schedule.ends_at)

    def _pause(self) -> None:
        now = business.read(self._conn)
        if now.rate != PAUSED:
            self._set(now.business, PAUSED)
