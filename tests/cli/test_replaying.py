"""The replay follows the business clock, whoever sets it; on a real database, without a broker."""

import datetime as dt
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cli import business
from cli.database import connected
from cli.replaying import Rates, Replay
from db import clock
from ingest.publish import Publisher
from ingest.schedule import Hours, Pace, Schedule, schedule
from schemas.messages import DealChanged, DealStatus
from schemas.settings import Settings
from schemas.topics import DEALS

UTC = ZoneInfo("UTC")
HOURS = Hours(UTC, dt.time(9), dt.time(18), frozenset((5, 6)))
MONDAY = dt.date(2014, 3, 3)
LIVE: Rates = {  # a working day in half a second, a day between in an eighth
    Pace.LIVE: Decimal(64_800),
    Pace.SPARSE: Decimal(324_000),
    Pace.FAST: Decimal(691_200),
}


class Recorder:
    """Stands where the publisher stands, and writes down what it was given."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.stamps: list[dt.datetime] = []

    def send(self, deal: DealChanged, *, is_replay: bool) -> None:
        assert not is_replay, "a demo under the business clock is live"
        self.sent.append(deal.key)

    def flush(self) -> dict[int, int]:
        return {}

    def complete_through(self, source: str, instant: dt.datetime) -> None:
        self.stamps.append(instant)


def deal(key: str, on: dt.date, owner: str | None = "ada") -> DealChanged:
    return DealChanged(
        source="crm",
        key=key,
        deal_id=f"crm:{key}",
        revision=1,
        changed_on=on,
        status=DealStatus.WON,
        amount="1",
        currency="USD",
        closed_on=on,
        owner_key=owner,
    )


@pytest.fixture
def planned() -> Schedule:
    """Monday 20 orders, Tuesday an online one, Thursday 20, one behind the end."""
    found = [deal(f"mon{n:02}", MONDAY) for n in range(20)]
    found += [deal("online", MONDAY + dt.timedelta(days=1), None)]
    found += [deal(f"thu{n:02}", MONDAY + dt.timedelta(days=3)) for n in range(20)]
    found += [deal("late", MONDAY + dt.timedelta(days=9), None)]
    return schedule(
        found,
        HOURS,
        starts_on=MONDAY,
        last_day=MONDAY + dt.timedelta(days=4),
        live_orders_min=10,
    )


@pytest.fixture
def settings(database: Settings) -> Iterator[Settings]:
    from db.installation import install

    with connected(database, "test") as conn:
        install(
            conn,
            company="Northwind",
            currency="USD",
            time_zone="UTC",
            deals_partitions=DEALS.partitions,
            actor="test",
        )
    yield database


class Running:
    """A replay in a thread of its own."""

    def __init__(self, settings: Settings, planned: Schedule, rates: Rates = LIVE) -> None:
        self.recorder = Recorder()
        self.is_stopped = threading.Event()
        self._settings, self._planned, self._rates = settings, planned, rates
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with connected(self._settings, "replay") as conn:
            replay = Replay(
                self._planned,
                conn,
                cast(Publisher, self.recorder),
                source="crm",
                rates=self._rates,
                check=self._check,
            )
            try:
                replay.run()
            except InterruptedError:
                return

    def _check(self) -> None:
        if self.is_stopped.is_set():
            raise InterruptedError

    def until(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.recorder.sent) < count:
            assert time.monotonic() < deadline, self.recorder.sent
            time.sleep(0.01)

    def stop(self) -> None:
        self.is_stopped.set()
        self.join()

    def join(self) -> None:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()


def test_all_orders_once_in_order_and_the_clock_stands_at_the_end(
    settings: Settings, planned: Schedule
) -> None:
    """Online orders come with their dates, what is behind the end comes last."""
    running = Running(settings, planned)
    running.join()
    expected = [due.deal.key for due in planned.due] + ["late"]
    assert running.recorder.sent == expected
    stamps = running.recorder.stamps
    assert stamps == sorted(stamps)
    assert stamps[-1] == planned.ends_at
    with connected(settings, "test") as conn:
        now = business.read(conn)
    assert (now.business, now.rate) == (planned.ends_at, business.PAUSED)


def test_a_pause_holds_and_another_rate_is_kept(settings: Settings, planned: Schedule) -> None:
    """Nothing is sent while it is paused; a rate chosen on one working day holds on the next."""
    slow = {**LIVE, Pace.LIVE: Decimal(3_000)}
    running = Running(settings, planned, slow)
    with connected(settings, "test") as conn:
        running.until(3)
        now = business.read(conn)
        business.set_clock(conn, business=now.business, rate=business.PAUSED, by="test")
        time.sleep(0.3)
        count = len(running.recorder.sent)
        time.sleep(0.5)
        assert len(running.recorder.sent) == count < 20
        chosen = Decimal(50_000)
        now = business.read(conn)
        business.set_clock(conn, business=now.business, rate=chosen, by="test")
        running.until(21 + 3)
        assert business.read(conn).rate == chosen
    running.join()
    assert len(running.recorder.sent) == 42


def test_a_pause_between_the_days_does_not_lose_the_next_one(
    settings: Settings, planned: Schedule
) -> None:
    """Resumed, the fast clock still stops at the start of Thursday's sales."""
    running = Running(settings, planned, {**LIVE, Pace.FAST: Decimal(200_000)})
    with connected(settings, "test") as conn:
        running.until(20)
        deadline = time.monotonic() + 30
        while (now := business.read(conn)).rate != 200_000:
            assert time.monotonic() < deadline
        business.set_clock(conn, business=now.business, rate=business.PAUSED, by="test")
        time.sleep(0.3)
        rate = business.rate_before_pause(conn)
        business.set_clock(conn, business=now.business, rate=rate, by="test")
        running.join()
        thursday = HOURS.at(MONDAY + dt.timedelta(days=3), HOURS.day_starts)
        assert (thursday, LIVE[Pace.LIVE]) in {row[1:] for row in clock.rows(conn)}
    assert len(running.recorder.sent) == 42


def test_a_jump_sends_what_it_jumped_over(settings: Settings, planned: Schedule) -> None:
    """The clock set by hand to Friday: all is due at once."""
    running = Running(settings, planned, {**LIVE, Pace.LIVE: Decimal(1)})
    with connected(settings, "test") as conn:
        friday = planned.ends_at - dt.timedelta(hours=1)
        time.sleep(0.3)
        business.set_clock(conn, business=friday, rate=Decimal(100_000), by="test")
    running.join()
    assert sorted(set(running.recorder.sent)) == sorted(running.recorder.sent)
    assert len(running.recorder.sent) == 42


def test_a_stopped_replay_pauses_the_clock_and_goes_on_from_there(
    settings: Settings, planned: Schedule
) -> None:
    """It sends again what was before: duplicates are absorbed by the processor."""
    first = Running(settings, planned)
    first.until(5)
    first.stop()
    with connected(settings, "test") as conn:
        stopped = business.read(conn)
    assert stopped.rate == business.PAUSED
    assert planned.starts_at < stopped.business < planned.ends_at
    second = Running(settings, planned)
    second.join()
    assert second.recorder.sent == [due.deal.key for due in planned.due] + ["late"]


def test_a_clock_that_ran_on_without_a_replay_is_set_back(
    settings: Settings, planned: Schedule
) -> None:
    """After a kill the clock still runs: the last stamp of completeness says where it was."""
    from db.connect import connect
    from schemas.settings import DatabaseRole

    alive_at = planned.starts_at + dt.timedelta(hours=12)
    with (
        connect(settings, DatabaseRole.WORKER, application_name="test", autocommit=True) as worker,
        worker.cursor() as cursor,
    ):
        cursor.executemany(
            "INSERT INTO source_states (source, partition, complete_through) VALUES (%s, %s, %s)",
            [("crm", number, alive_at) for number in range(DEALS.partitions)],
        )
    with connected(settings, "test") as conn:
        business.set_clock(
            conn, business=planned.ends_at + dt.timedelta(days=9), rate=Decimal(540), by="replay"
        )
    running = Running(settings, planned)
    running.join()
    assert len(running.recorder.sent) == 42
    assert min(running.recorder.stamps) >= alive_at
    assert msgspec.json.encode(running.recorder.stamps[-1]) == msgspec.json.encode(planned.ends_at)
