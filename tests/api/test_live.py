"""The live socket as a client sees it: real server, real Kafka, real database."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from db.reference_change import reference_change
from schemas import limits
from schemas.messages import Cause, ProgressChanged
from schemas.settings import Settings
from tests.api.support import (
    TODAY,
    Served,
    cookie,
    credit,
    keep,
    publish,
    set_clock,
    standing,
    token,
)
from tests.database import ADA, BEN, FIRST, START, YEAR, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = "board:sellers"
PAYEE = f"payee:{ADA}"
PATIENCE_SECONDS = 20


class Live:
    """A client of the socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def next(self, *types: str) -> Any:
        """The next frame of these types; heartbeats are passed over unless asked for."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                frame = json.loads(await self.socket.recv())
                if frame["type"] in types or (not types and frame["type"] != "heartbeat"):
                    return frame

    async def closed(self) -> int:
        """The code that the server closes with."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ConnectionClosed):
                while True:
                    await self.socket.recv()
        assert self.socket.close_code is not None
        return self.socket.close_code


@asynccontextmanager
async def opened(
    api: Served, *, origin: str | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Live]:
    async with connect(
        api.live_url, origin=origin, additional_headers=headers, compression=None
    ) as socket:  # type: ignore[arg-type]
        yield Live(socket)


@asynccontextmanager
async def signed_in(api: Served, user_id: str) -> AsyncIterator[Live]:
    async with opened(api) as live:
        await live.send(type="authenticate", token=token(api.settings, user_id))
        assert (await live.next())["type"] == "hello"
        yield live


def progressed(version: int) -> ProgressChanged:
    """The hint that Ada's account moved."""
    return ProgressChanged(
        account_id=f"{ADA}.{YEAR}",
        version=version,
        payee_id=ADA,
        plan_year=YEAR,
        currency="USD",
        positions=(),
        changed_periods=(FIRST,),
        cause=Cause.DEAL_CREDITED,
        batch=1,
        booked_at=dt.datetime.now(dt.UTC),
        is_replay=False,
    )


async def hinted(api: Served) -> None:
    """Hints are heard: the feed reads from the end, and its first fetch may be a moment away."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        heard = api.services.hub.counts.hints
        while api.services.hub.counts.hints == heard:
            await publish(api.settings, standing(0, (ADA, "0")))
            await asyncio.sleep(0.1)


async def test_a_machine_authenticates_with_its_first_frame(api: Served) -> None:
    async with opened(api) as live:
        await live.send(type="authenticate", token=token(api.settings, "ada"))
        hello = await live.next()
    assert hello["type"] == "hello"
    assert (hello["user_id"], hello["payee_id"], hello["role"]) == ("ada", ADA, "rep")
    assert hello["heartbeat_seconds"] == limits.LIVE_HEARTBEAT_SECONDS
    assert hello["clock"] == {"business_at": "2024-02-15T15:00:00Z", "rate": "0"}


async def test_a_browser_comes_with_its_cookie(api: Served) -> None:
    headers = cookie(api.settings, "ben")
    async with opened(api, origin=f"http://{api.host}", headers=headers) as live:
        assert (await live.next())["payee_id"] == BEN


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_a_page_of_another_site_is_closed(api: Served, origin: str) -> None:
    async with opened(api, origin=origin, headers=cookie(api.settings, "ben")) as live:
        assert await live.closed() == 1008


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "authenticate", "token": "nonsense"},
        {"type": "watch", "channels": [BOARD]},
        {"type": "something"},
    ],
)
async def test_who_does_not_authenticate_is_closed(api: Served, frame: dict[str, Any]) -> None:
    async with opened(api) as live:
        await live.send(**frame)
        assert await live.closed() == 4401


async def test_an_expired_cookie_is_closed(api: Served) -> None:
    old = {"Cookie": f"paceboard_session={token(api.settings, 'ada', seconds=60, age=61)}"}
    async with opened(api, headers=old) as live:
        assert await live.closed() == 4401


async def test_who_says_nothing_is_closed(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIVE_AUTHENTICATE_SECONDS", 0.05)
    async with opened(api) as live:
        assert await live.closed() == 4401


async def test_a_session_that_runs_out_closes_the_socket(api: Served) -> None:
    async with opened(api) as live:
        await live.send(type="authenticate", token=token(api.settings, "ada", seconds=2))
        await live.next()
        assert await live.closed() == 4403


async def test_a_token_can_be_renewed_on_the_way_but_only_ones_own(api: Served) -> None:
    async with opened(api) as live:
        await live.send(type="authenticate", token=token(api.settings, "ada", seconds=2))
        await live.next()
        await live.send(type="authenticate", token=token(api.settings, "ben"))
        assert (await live.next())["title"] == "The session was not renewed"
        await live.send(type="authenticate", token=token(api.settings, "ada"))
        await asyncio.sleep(2.5)
        await live.send(type="watch", channels=[BOARD])
        assert (await live.next())["type"] == "board"


async def test_a_frame_that_is_too_large_is_closed(api: Served) -> None:
    async with signed_in(api, "ada") as live:
        await live.socket.send("x" * (limits.FRAME_BYTES_MAX + 1))
        assert await live.closed() == 1009


async def test_frames_we_do_not_know_are_refused_and_the_socket_stays(api: Served) -> None:
    async with signed_in(api, "ada") as live:
        for frame in ("", "{", '{"type": "x"}', '{"type": "watch", "channels": 5}', b"\x00"):
            await live.socket.send(frame)
            assert (await live.next())["type"] == "error"
        await live.send(type="watch", channels=[BOARD])
        assert (await live.next())["type"] == "board"


async def test_a_board_then_its_newer_versions(api: Served) -> None:
    keep(api.settings, standing(3, (ADA, "10"), (BEN, "5")))
    async with signed_in(api, "ben") as live:
        await live.send(type="watch", channels=[BOARD])
        snapshot = await live.next("board")
        assert (snapshot["channel"], snapshot["version"]) == (BOARD, 3)
        assert [row["name"] for row in snapshot["board"]["rows"]] == ["Ada", "Ben"]
        await hinted(api)
        newer = standing(4, (BEN, "25"), (ADA, "10"))
        keep(api.settings, newer)
        await publish(api.settings, newer)
        after = await live.next("board")
        assert after["version"] == 4
        assert [row["name"] for row in after["board"]["rows"]] == ["Ben", "Ada"]


async def test_a_payee_then_newer_versions_and_no_hint_brings_an_older_one(api: Served) -> None:
    credit(api.settings, ADA, "1000.00", "15.00", version=7)
    async with signed_in(api, "ada") as live:
        await live.send(type="watch", channels=[PAYEE])
        snapshot = await live.next("payee")
        assert snapshot["progress"]["account_version"] == 7
        assert snapshot["progress"]["earned_provisional"] == "15.00"
        await hinted_payee(api)
        await publish(api.settings, progressed(6))  # a stopped worker's, late
        credit(api.settings, ADA, "500.00", "7.50", version=8)
        await publish(api.settings, progressed(8))
        after = await live.next("payee")
        assert after["progress"]["earned_provisional"] == "22.50"
        assert after["version"] == snapshot["version"] + 1


async def hinted_payee(api: Served) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        heard = api.services.hub.counts.hints
        while api.services.hub.counts.hints == heard:
            await publish(api.settings, progressed(1))
            await asyncio.sleep(0.1)


async def test_a_lost_hint_leaves_no_number_frozen(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_SWEEP_SECONDS", 1)
    async with signed_in(api, "ben") as live:
        await live.send(type="watch", channels=[f"payee:{BEN}"])
        before = await live.next("payee")
        credit(api.settings, BEN, "10.00", "0.15", version=1)  # and nothing is published
        after = await live.next("payee")
        assert after["version"] > before["version"]
        assert after["progress"]["credited"] == "10.00"


async def test_the_turn_of_a_day_comes_by_itself(api: Served) -> None:
    async with signed_in(api, "ada") as live:
        await live.send(type="watch", channels=[PAYEE])
        before = await live.next("payee")
        with connected(api.settings, "api") as conn:
            set_clock(conn, TODAY + dt.timedelta(days=1))
            after = await live.next("payee")
            set_clock(conn, TODAY)
        assert after["version"] > before["version"]
        left = before["progress"]["working_days_left"]
        assert after["progress"]["working_days_left"] == left - 1


async def test_heartbeats_carry_the_business_clock(api: Served) -> None:
    async with signed_in(api, "ada") as live:
        beat = await live.next("heartbeat")
        assert beat["clock"]["business_at"].startswith("2024-02-15T")


async def test_heartbeats_say_whether_a_worker_books(api: Served, settings: Settings) -> None:
    """No lease, or one that ran out long ago: no. One that is held: yes, within a moment."""
    async with signed_in(api, "ada") as live:
        assert (await live.next("heartbeat"))["is_booking"] is False
        for seconds, expected in ((60, True), (-60, False)):
            with connected(settings, "worker") as conn:
                conn.execute(
                    "INSERT INTO leases (lease, owner, token, held_until) VALUES ('jobs', 't', 1,"
                    " clock_timestamp() + make_interval(secs => %s)) ON CONFLICT (lease)"
                    " DO UPDATE SET held_until = excluded.held_until",
                    (seconds,),
                )
            async with asyncio.timeout(20):
                while (await live.next("heartbeat"))["is_booking"] is not expected:
                    pass


async def test_what_one_may_not_see_is_refused_as_what_is_not_there(api: Served) -> None:
    async with signed_in(api, "ada") as live:
        await live.send(
            type="watch", channels=[f"payee:{BEN}", "payee:p-nobody", "board:x", "feed:x", "x"]
        )
        refusals = [await live.next() for _ in range(5)]
    assert {frame["type"] for frame in refusals} == {"error"}
    assert len({(frame["title"], frame["detail"]) for frame in refusals}) == 1


async def test_channels_are_limited(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WATCHED_CHANNELS_MAX", 1)
    async with signed_in(api, "meg") as live:
        await live.send(type="watch", channels=[PAYEE, f"payee:{BEN}"])
        frames = [await live.next(), await live.next()]
        assert {frame["type"] for frame in frames} == {"payee", "error"}


async def test_unwatch(api: Served) -> None:
    async with signed_in(api, "ada") as live:
        await live.send(type="watch", channels=[BOARD])
        await live.next("board")
        await live.send(type="unwatch", channels=[BOARD])
        assert (await live.next("unwatched"))["channel"] == BOARD
        assert not api.services.hub.is_watched(BOARD)


async def test_a_manager_who_loses_a_report_loses_his_page(api: Served, settings: Settings) -> None:
    async with signed_in(api, "meg") as live:
        await live.send(type="watch", channels=[f"payee:{BEN}", BOARD])
        await live.next("payee")
        with connected(settings, "api") as conn:

            def report_to_meg(ends_on: dt.date | None) -> None:
                line = {"payee_id": BEN, "manager_id": "p-meg", "starts_on": START}
                with reference_change(conn, actor="ann", action="move", entity=BEN) as changing:
                    changing.put("reporting_lines", [{**line, "ends_on": ends_on}])

            report_to_meg(TODAY.date())
            gone = await live.next("unwatched")
            report_to_meg(None)
        assert gone["channel"] == f"payee:{BEN}"
        assert api.services.hub.is_watched(BOARD)
        with connected(settings, "api") as conn:
            viewed = conn.execute(
                "SELECT actor FROM audit WHERE action = 'view_as' AND entity = %s", (BEN,)
            ).fetchall()
        assert ("meg",) in viewed


async def test_no_pay_goes_over_a_boards_channel(api: Served) -> None:
    async with signed_in(api, "ann") as live:
        await live.send(type="watch", channels=[BOARD])
        text = json.dumps(await live.next("board"))
    for word in ("earned", "rate_of", "commission", "payout", "15.00"):
        assert word not in text


async def test_who_signs_out_loses_his_sockets(api: Served) -> None:
    headers = {**cookie(api.settings, "ada"), "Origin": f"http://{api.host}"}
    async with opened(api, origin=headers["Origin"], headers=cookie_only(headers)) as live:
        await live.next("hello")
        await api.client.delete("/v1/session", headers=headers)
        assert await live.closed() == 4403


def cookie_only(headers: dict[str, str]) -> dict[str, str]:
    return {"Cookie": headers["Cookie"]}


async def test_a_reader_who_stops_reading_is_closed(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_SEND_SECONDS", 0.3)
    hub = api.services.hub
    closed = hub.counts.closed_slow
    async with connect(
        api.live_url, additional_headers=cookie(api.settings, "ann"), max_queue=1, compression=None
    ) as socket:
        await socket.send(json.dumps({"type": "watch", "channels": [BOARD]}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            for version in range(100, 1_000):
                keep(api.settings, standing(version, *[(f"p-{n}", "1") for n in range(3_000)]))
                hub.hint(BOARD, "sellers", version)
                await asyncio.sleep(0.05)
                if hub.counts.closed_slow > closed:
                    break
        assert hub.counts.closed_slow == closed + 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            while hub.is_watched(BOARD):
                await asyncio.sleep(0.05)
        socket.transport.abort()


async def test_many_watchers_cost_one_reading(api: Served) -> None:
    counts = api.services.hub.counts
    async with asyncio.timeout(60):
        async with signed_in(api, "ann") as first:
            await first.send(type="watch", channels=[BOARD])
            await first.next("board")
            before = counts.readings
            for _ in range(5):
                async with signed_in(api, "ben") as live:
                    await live.send(type="watch", channels=[BOARD])
                    await live.next("board")
            assert counts.readings == before
