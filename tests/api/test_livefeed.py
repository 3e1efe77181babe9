"""What keeps the hub true: who may watch is judged again, and silence when the database is away."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from api.curves import Shapes
from api.hub import Closed, Subscriber
from api.livefeed import Live
from api.sessions import Session, UserRole
from api.world import Now, World
from domain.reference import Reference
from schemas import limits
from schemas.ids import PayeeId
from schemas.live import CloseCode

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
UTC = ZoneInfo("UTC")


def world(version: int = 1, timeline: int = 1) -> World:
    reference = object.__new__(Reference)
    reference.version = version
    return World(
        reference=reference,
        timeline=timeline,
        now=Now((), UTC, NOW),
        today=NOW.date(),
        people={},
        territories={},
        users={},
    )


class Database:
    """Answers with a world, or not at all."""

    def __init__(self) -> None:
        self.world = world()
        self.is_away = False

    def current(self) -> World:
        if self.is_away:
            raise psycopg.OperationalError("away")
        return self.world

    def is_booking(self) -> bool:
        return True


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def live(database: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(limits, "LIVE_HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(limits, "LIVE_REFERENCE_SECONDS", 0.01)
    monkeypatch.setattr(limits, "LIVE_SWEEP_SECONDS", 0.2)
    with ThreadPoolExecutor(2) as readers:
        yield Live(database, Shapes(), readers)  # type: ignore[arg-type]


def joined(live: Live) -> Subscriber:
    session = Session(
        session_id="s",
        user_id="ada",
        role=UserRole.REP,
        payee_id=PayeeId("p-ada"),
        scopes=(),
        issued_at=NOW,
        expires_at=dt.datetime(2100, 1, 1, tzinfo=dt.UTC),
    )
    subscriber = Subscriber(session)
    live.hub.join(subscriber)
    return subscriber


async def judged(live: Live, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often who watches is judged, as it grows."""
    counts: list[int] = []
    monkeypatch.setattr(live.hub, "reauthorise", lambda: counts.append(1))
    await live.look()
    counts.clear()
    return counts


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.005)


async def test_a_change_of_reference_data_is_judged_once(
    live: Live, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = await judged(live, monkeypatch)
    await live.look()
    assert len(counts) == 0
    database.world = world(version=2)
    await live.look()
    await live.look()
    assert len(counts) == 1


async def test_a_change_that_a_new_connection_saw_first_is_judged_all_the_same(
    live: Live, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = await judged(live, monkeypatch)
    database.world = world(version=2)
    await live.world()
    await live.look()
    assert len(counts) == 1


async def test_the_turn_of_a_day_is_judged(
    live: Live, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = await judged(live, monkeypatch)
    database.world = world()._replace(today=NOW.date() + dt.timedelta(days=1))
    await live.look()
    assert len(counts) == 1


async def test_a_reading_that_ends_late_does_not_bring_back_an_older_world(
    live: Live, database: Database
) -> None:
    database.world = world(version=5)
    await live.world()
    database.world = world(version=4)
    assert (await live.world()).reference.version == 5


async def test_another_timeline_closes_all_sockets(live: Live, database: Database) -> None:
    subscriber = joined(live)
    await live.look()
    database.world = world(timeline=2)
    await live.look()
    with pytest.raises(Closed) as closed:
        await subscriber.mailbox.next()
    assert closed.value.code is CloseCode.GOING_AWAY


async def test_no_heartbeat_while_the_database_is_away(live: Live, database: Database) -> None:
    """A page then greys its numbers; and it goes on by itself."""
    subscriber = joined(live)
    beside = [asyncio.create_task(live.beat()), asyncio.create_task(live.sweep())]
    try:
        await until(lambda: len(subscriber.mailbox) > 0)
        database.is_away = True
        await asyncio.sleep(limits.LIVE_SWEEP_SECONDS + 0.3)
        subscriber.mailbox.drop_state("")
        await asyncio.sleep(0.2)
        assert len(subscriber.mailbox) == 0
        database.is_away = False
        await until(lambda: len(subscriber.mailbox) > 0)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
