"""The hub without sockets: one reading for all, newest wins, slow readers cost a bounded amount."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

from api.hub import ChannelState, Closed, Hub, Mailbox, Ports, Subscriber
from api.sessions import Session, UserRole
from schemas import limits
from schemas.live import CloseCode

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
BOARD = "board:b"


def session(user_id: str = "ada", *, expires_at: dt.datetime = NOW) -> Session:
    return Session(
        session_id=f"s-{user_id}",
        user_id=user_id,
        role=UserRole.REP,
        payee_id=None,
        scopes=(),
        issued_at=NOW,
        expires_at=expires_at,
    )


class World:
    """A database that can be slow, fail, and count how often it is asked."""

    def __init__(self) -> None:
        self.version = 1
        self.readings = 0
        self.at_once = 0
        self.at_once_max = 0
        self.fails = 0
        self.exists = True
        self.open = asyncio.Event()
        self.open.set()
        self.forbidden: set[tuple[str, str]] = set()
        self.hub = Hub(
            Ports(self.read, self.may_watch, lambda channel, reason: f"unwatched {channel}"),
            pause_seconds=0,
        )

    async def read(self, channel: str) -> ChannelState | None:
        self.readings += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            version = self.version  # the snapshot is taken when the reading begins
            await self.open.wait()
            await asyncio.sleep(0)
            if self.fails:
                self.fails -= 1
                raise OSError("away")
            return ChannelState(version, f"{channel} {version}", {"b": version})
        finally:
            self.at_once -= 1

    def may_watch(self, who: Session, channel: str) -> bool:
        return (who.user_id, channel) not in self.forbidden

    def joined(self, user_id: str = "ada", channel: str = BOARD) -> Subscriber:
        subscriber = Subscriber(session(user_id))
        self.hub.join(subscriber)
        self.hub.watch(subscriber, channel)
        return subscriber


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0.001)


async def received(subscriber: Subscriber) -> str:
    async with asyncio.timeout(5):
        return await subscriber.mailbox.next()


async def quiet() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_watch_answers_with_a_snapshot() -> None:
    world = World()
    assert await received(world.joined()) == "board:b 1"


async def test_a_storm_of_clients_costs_one_reading() -> None:
    world = World()
    subscribers = [world.joined(f"user{n}") for n in range(500)]
    assert {await received(subscriber) for subscriber in subscribers} == {"board:b 1"}
    assert world.readings == 1


async def test_who_comes_later_gets_the_state_that_is_held() -> None:
    world = World()
    await received(world.joined())
    assert await received(world.joined("ben")) == "board:b 1"
    assert world.readings == 1


async def test_a_hint_brings_the_newer_version_to_all() -> None:
    world = World()
    first, second = world.joined("ada"), world.joined("ben")
    await received(first), await received(second)
    world.version = 2
    world.hub.hint(BOARD, "b", 2)
    assert await received(first) == await received(second) == "board:b 2"
    assert world.readings == 2


async def test_an_older_hint_that_comes_late_reads_nothing() -> None:
    world = World()
    world.version = 7
    await received(world.joined())
    for late in (3, 6, 7):
        world.hub.hint(BOARD, "b", late)
    await quiet()
    assert world.readings == 1


async def test_a_hint_of_a_channel_nobody_watches_reads_nothing() -> None:
    world = World()
    world.hub.hint(BOARD, "b", 2)
    await quiet()
    assert world.readings == 0


async def test_hints_in_a_burst_make_one_more_reading_and_never_two_at_once() -> None:
    world = World()
    subscriber = world.joined()
    await received(subscriber)
    world.open.clear()
    for version in range(2, 200):
        world.version = version
        world.hub.hint(BOARD, "b", version)
        await asyncio.sleep(0)
    world.open.set()
    await until(lambda: world.hub.version_of(BOARD) == 199)
    assert await received(subscriber) == "board:b 199"
    assert world.readings == 3  # the snapshot, the first hint's, one for all that came meanwhile
    assert world.at_once_max == 1


async def test_a_hint_during_a_reading_that_did_not_see_it_is_not_lost() -> None:
    world = World()
    world.open.clear()
    subscriber = world.joined()
    await quiet()  # the reading has its snapshot at version 1
    world.version = 2
    world.hub.hint(BOARD, "b", 2)
    world.open.set()
    await until(lambda: world.hub.version_of(BOARD) == 2)
    assert await received(subscriber) == "board:b 2"


async def test_versions_never_go_back() -> None:
    world = World()
    world.version = 5
    subscriber = world.joined()
    await received(subscriber)
    world.version = 4  # a reading that answers with less than was shown
    world.hub.hint(BOARD)
    await until(lambda: world.readings == 2)
    await quiet()
    assert world.hub.version_of(BOARD) == 5
    assert len(subscriber.mailbox) == 0


async def test_a_reader_who_does_not_read_holds_one_frame_a_channel() -> None:
    world = World()
    subscriber = world.joined()
    for version in range(2, 50):
        world.version = version
        world.hub.hint(BOARD, "b", version)
        await until(lambda: world.hub.version_of(BOARD) == world.version)
    assert len(subscriber.mailbox) == 1
    assert await received(subscriber) == "board:b 49"
    assert world.hub.counts.replaced > 0


async def test_a_reading_that_fails_is_tried_again(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(limits, "LIVE_RETRY_SECONDS", 0)
    world = World()
    world.fails = 3
    assert await received(world.joined()) == "board:b 1"
    assert world.hub.counts.reading_failures == 3


async def test_what_nobody_watches_any_more_is_not_held() -> None:
    world = World()
    subscriber = world.joined()
    await received(subscriber)
    world.hub.leave(subscriber)
    assert world.hub.watched() == ()
    world.version = 2
    assert await received(world.joined("ben")) == "board:b 2"


async def test_who_unwatches_while_it_is_read_gets_nothing() -> None:
    world = World()
    world.open.clear()
    leaving, staying = world.joined("ada"), world.joined("ben")
    await quiet()
    world.hub.unwatch(leaving, BOARD)
    world.open.set()
    assert await received(staying) == "board:b 1"
    assert len(leaving.mailbox) == 0


async def test_a_channel_that_is_gone_ends_with_a_word() -> None:
    world = World()
    subscriber = world.joined()
    await received(subscriber)

    async def gone(channel: str) -> None:
        return None

    world.hub._ports = world.hub._ports._replace(read=gone)
    world.hub.hint(BOARD)
    assert await received(subscriber) == "unwatched board:b"
    assert world.hub.watched() == () and not subscriber.channels


async def test_who_may_no_longer_watch_is_told_and_the_others_go_on() -> None:
    world = World()
    ada, ben = world.joined("ada"), world.joined("ben")
    await received(ada), await received(ben)
    world.forbidden.add(("ada", BOARD))
    world.hub.reauthorise()
    world.version = 2
    world.hub.hint(BOARD, "b", 2)
    assert await received(ben) == "board:b 2"
    assert await received(ada) == "unwatched board:b"
    assert len(ada.mailbox) == 0


async def test_a_state_not_yet_sent_is_not_shown_after_the_right_is_gone() -> None:
    world = World()
    ada = world.joined("ada")
    await until(lambda: len(ada.mailbox) == 1)
    world.forbidden.add(("ada", BOARD))
    world.hub.reauthorise()
    assert await received(ada) == "unwatched board:b"
    assert len(ada.mailbox) == 0


async def test_a_reader_who_takes_no_frame_is_closed() -> None:
    world = World()
    subscriber = world.joined()

    async def never(frame: str) -> None:
        await asyncio.Event().wait()

    code = await world.hub.pump(subscriber, never, seconds=0.01)
    assert code is CloseCode.TOO_SLOW
    assert world.hub.counts.closed_slow == 1


async def test_notices_that_pile_up_close_the_connection() -> None:
    mailbox = Mailbox()
    for _ in range(limits.LIVE_NOTICES_QUEUED_MAX + 1):
        mailbox.put_notice("x")
    try:
        await mailbox.next()
    except Closed as closed:
        assert closed.code is CloseCode.TOO_SLOW
    else:
        raise AssertionError("it stayed open")


async def test_the_pump_sends_in_order_and_ends_with_the_code() -> None:
    world = World()
    subscriber = world.joined()
    subscriber.mailbox.put_notice("hello")
    sent: list[str] = []

    async def send(frame: str) -> None:
        sent.append(frame)
        if len(sent) == 2:
            world.hub.close_session("s-ada")

    assert await world.hub.pump(subscriber, send) is CloseCode.SESSION_EXPIRED
    assert sent == ["hello", "board:b 1"]


async def test_a_session_that_runs_out_closes() -> None:
    world = World()
    subscriber = world.joined()
    world.hub.expire(NOW - dt.timedelta(seconds=1))
    assert await received(subscriber) == "board:b 1"
    world.hub.expire(NOW)
    try:
        await received(subscriber)
    except Closed as closed:
        assert closed.code is CloseCode.SESSION_EXPIRED
    else:
        raise AssertionError("it stayed open")
