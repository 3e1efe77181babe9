"""What a hostile or broken client does at the socket: the right answer, and nobody else slowed."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from schemas import limits
from schemas.settings import Settings
from tests.api.support import Served, cookie, credit, token
from tests.api.test_live import Live, opened, signed_in
from tests.database import ADA

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAYEE = f"payee:{ADA}"
Abuse = Callable[[Served, Live], Awaitable[None]]


@asynccontextmanager
async def witness(api: Served, settings: Settings) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Somebody well-behaved beside it: each call moves an account and waits for the new number."""
    async with signed_in(api, "meg") as live:
        await live.send(type="watch", channels=[PAYEE])
        await live.next("payee")

        async def ticks() -> None:
            await asyncio.to_thread(
                credit, settings, ADA, "1.00", "0.01", version=next(ACCOUNT_VERSIONS)
            )
            api.services.hub.hint(PAYEE)
            await live.next("payee")

        yield ticks


ACCOUNT_VERSIONS = itertools.count(1_000)


async def _unreadable(api: Served, live: Live) -> None:
    for text in ("{", "[]", '{"type": "unknown"}', '{"type": "watch"}', "\u0000", "1" * 10_000):
        await live.socket.send(text)
        frame = await live.next()
        assert frame["type"] == "error"


async def _binary(api: Served, live: Live) -> None:
    await live.socket.send(b"\x00\xff")
    assert (await live.next())["type"] == "error"


async def _oversize(api: Served, live: Live) -> None:
    await live.socket.send("x" * (limits.FRAME_BYTES_MAX + 1))
    assert await live.closed() == 1009


async def _too_many_frames(api: Served, live: Live) -> None:
    try:
        for _ in range(limits.RATE_FRAMES_BURST * 3):
            await live.send(type="watch", channels=["board:none"])
    except ConnectionClosed:
        pass
    assert await live.closed() == 4429


async def _too_many_channels(api: Served, live: Live) -> None:
    names = [f"payee:{n}" for n in range(limits.WATCHED_CHANNELS_MAX + 5)]
    await live.send(type="watch", channels=names)
    for _ in range(3):
        assert (await live.next())["type"] == "error"


@pytest.mark.parametrize(
    "abuse", [_unreadable, _binary, _oversize, _too_many_frames, _too_many_channels]
)
async def test_an_abusive_client_hurts_nobody_else(
    api: Served, settings: Settings, abuse: Abuse
) -> None:
    """The witness ticks before, while and after."""
    async with witness(api, settings) as ticks:
        await ticks()
        async with signed_in(api, "ada") as live:
            await abuse(api, live)
            await ticks()
        await ticks()


async def test_another_sites_page_gets_no_socket(api: Served, settings: Settings) -> None:
    """The cookie alone does not open one from a foreign origin."""
    try:
        async with opened(
            api, origin="https://evil.example", headers=cookie(settings, "ada")
        ) as live:
            assert await live.closed() in (1008, 4401)
    except InvalidStatus as refused:
        assert refused.response.status_code == 403


async def test_who_says_nothing_is_shown_the_door(api: Served) -> None:
    """Without authentication a watch is refused, and nothing is told."""
    async with opened(api) as live:
        await live.socket.send(json.dumps({"type": "watch", "channels": [PAYEE]}))
        assert await live.closed() == 4401


async def test_one_user_holds_so_many_sockets_and_another_is_not_slowed(
    api: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is closed with a reason; when one goes there is room again."""
    monkeypatch.setattr(limits, "LIVE_SOCKETS_OF_USER_MAX", 3)
    async with witness(api, settings) as ticks, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(signed_in(api, "ada"))
        async with signed_in(api, "ada"), opened(api) as refused:
            await refused.send(type="authenticate", token=token(settings, "ada"))
            assert await refused.closed() == 4429
            await ticks()
        await asyncio.sleep(0.2)
        async with signed_in(api, "ada"):
            await ticks()
