"""A served company for the API's tests: users, rows, topics, tokens, a client."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import uvicorn
from aiokafka import AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from api import serve, sessions
from api.sessions import Scope, UserRole
from db import clock
from db.connect import Connection
from schemas.cloudevents import event_id, headers
from schemas.messages import BINDINGS, DealStatus, Message, StandingRow
from schemas.messages import StandingsChanged as Standing
from schemas.settings import Settings
from schemas.topics import BY_NAME, TOPICS
from tests.database import ADA, BEN, FIRST, MEG, PLAN, YEAR, company, connected

USERS = (
    ("ada", ADA, "rep", "Ada"),
    ("ben", BEN, "rep", "Ben"),
    ("meg", MEG, "manager", "Meg"),
    ("ann", None, "admin", "Ann"),
    ("abe", None, "admin", "Abe"),
)
TODAY = dt.datetime(2024, 2, 15, 15, tzinfo=dt.UTC)  # a Thursday, 10:00 in New York


def installed(settings: Settings) -> Settings:
    """The database with the company, its users, and the clock standing still at TODAY."""
    company(settings)
    with connected(settings, "api") as conn:
        conn.cursor().executemany(
            "INSERT INTO users (user_id, payee_id, role, name, demo) VALUES (%s, %s, %s, %s, true)",
            USERS,
        )
        set_clock(conn, TODAY)
    return settings


def set_clock(conn: Connection, business: dt.datetime, rate: int = 0) -> None:
    """From now on the business clock shows that."""
    now = dt.datetime.now(dt.UTC)
    clock.append(conn, real=now, business=business, rate=Decimal(rate), set_by="test")


def with_topics(
    settings: Settings, prefix: str, *, partitions: Mapping[str, int] | None = None
) -> Settings:
    """The same settings with topics of their own, created; `partitions`: other counts by topic."""
    counts = partitions or {}
    settings = settings.but(PACEBOARD_TOPIC_PREFIX=prefix.rstrip("."))
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    names = [topic.full_name(settings.topic_prefix) for topic in TOPICS]
    try:
        admin.create_topics(
            [
                NewTopic(name, counts.get(topic.name, topic.partitions), 1)
                for name, topic in zip(names, TOPICS, strict=True)
            ]
        )
        admin.wait_for_topics(names)
    finally:
        admin.close()
    return settings


# ---- rows ----------------------------------------------------------------------------------------


def credit(
    settings: Settings,
    payee_id: str,
    amount: str,
    earned: str,
    *,
    version: int,
    period: str = FIRST,
    booking: str | None = None,
) -> None:
    """What a batch would leave: the account at that version, its one cell, and an entry."""
    account = f"{payee_id}.{YEAR}"
    with connected(settings, "worker") as conn, conn.transaction():
        conn.execute(
            "INSERT INTO accounts (account_id, payee_id, plan_year, currency, version) "
            "VALUES (%s, %s, %s, 'USD', %s) "
            "ON CONFLICT (account_id) DO UPDATE SET version = excluded.version",
            (account, payee_id, YEAR, version),
        )
        conn.execute(
            "INSERT INTO positions (account_id, segment, component, period_id, credited, credits,"
            " earned, version) VALUES (%s, %s, 'own', %s, %s, 1, %s, %s) "
            "ON CONFLICT (account_id, segment, component, period_id) DO UPDATE SET "
            "credited = positions.credited + excluded.credited, "
            "earned = positions.earned + excluded.earned, credits = positions.credits + 1, "
            "version = excluded.version",
            (account, f"{payee_id}-1", period, amount, earned, version),
        )
        conn.execute(
            "INSERT INTO ledger (booked_at, entry_id, account_id, account_version, payee_id,"
            " component, segment, origin_period, booking_period, kind, credited, earned, currency,"
            " credits, credited_after, earned_after, plan_id, plan_version, cause,"
            " reference_version, is_replay, batch) VALUES (clock_timestamp(),"
            " %s, %s, %s, %s, 'own', %s, %s, %s, 'earned', %s, %s, 'USD', 1, 0, 0, %s, 1,"
            " 'deal_credited', 1, false, 1)",
            (
                f"{account}-{version}",
                account,
                version,
                payee_id,
                f"{payee_id}-1",
                period,
                booking or period,
                amount,
                earned,
                PLAN,
            ),
        )


def standing(version: int, *amounts: tuple[str, str], period: str = FIRST) -> Standing:
    """A standing of the board of sellers, best first."""
    total = sum((Decimal(amount) for _, amount in amounts), Decimal(0))
    return Standing(
        board_id="sellers",
        version=version,
        period=period,
        business_date=TODAY.date(),
        complete_through=None,
        expected_share="0.5",
        curve="working_days",
        total_amount=str(total),
        total_quota="200000",
        currency="USD",
        rows=tuple(
            StandingRow(
                payee_id=payee_id,
                rank=rank,
                moved=0,
                amount=amount,
                quota="100000",
                attainment_ratio=str(Decimal(amount) / 100_000),
                gap_to_next=None,
            )
            for rank, (payee_id, amount) in enumerate(amounts, start=1)
        ),
        removed=(),
        why=("progress",),
        is_replay=False,
    )


def keep(settings: Settings, found: Standing) -> None:
    """As standings would write it."""
    with connected(settings, "worker") as conn:
        conn.execute(
            "INSERT INTO board_states (board_id, version, standing) VALUES (%s, %s, %s::json) "
            "ON CONFLICT (board_id) DO UPDATE SET version = excluded.version,"
            " standing = excluded.standing",
            (found.board_id, found.version, msgspec.json.encode(found).decode()),
        )


# ---- callers -------------------------------------------------------------------------------------


def token(settings: Settings, user_id: str, *, seconds: int = 600, age: int = 0) -> str:
    """A token of one of the company's users, or of a machine that may post deals."""
    found = {user[0]: user for user in USERS}.get(user_id)
    return sessions.mint(
        settings.session_key,
        user_id=user_id,
        role=UserRole(found[2]) if found else UserRole.REP,
        payee_id=found[1] if found else None,
        scopes=() if found else (Scope.DEALS_WRITE,),
        now=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age),
        seconds=seconds,
    )


def bearer(settings: Settings, user_id: str) -> dict[str, str]:
    """The header of a machine that acts for that user."""
    return {"Authorization": f"Bearer {token(settings, user_id)}"}


def cookie(settings: Settings, user_id: str) -> dict[str, str]:
    """The header of a browser in which that user has signed in."""
    return {"Cookie": f"{sessions.COOKIE}={token(settings, user_id)}"}


class Served:
    """A server that runs in the tests' loop, and a client of it."""

    def __init__(self, settings: Settings, server: uvicorn.Server, client: httpx.AsyncClient):
        self.settings = settings
        self.server = server
        self.client = client
        self.services = server.config.app.state.services  # type: ignore[union-attr]

    @property
    def host(self) -> str:
        return self.client.base_url.netloc.decode()

    @property
    def live_url(self) -> str:
        return f"ws://{self.host}/v1/live"

    async def get(self, path: str, user_id: str | None = None, **kw: Any) -> httpx.Response:
        given: Mapping[str, str] = bearer(self.settings, user_id) if user_id else {}
        return await self.client.get(path, headers={**given, **kw.pop("headers", {})}, **kw)

    async def json(self, path: str, user_id: str, **params: str) -> Any:
        """What a 200 says."""
        found = await self.get(path, user_id, params=params)
        assert found.status_code == 200, found.text
        return found.json()

    async def post_deals(
        self, body: Any, user_id: str | None = "loader", **given: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        signed = bearer(self.settings, user_id) if user_id else {}
        return await self.client.post("/v1/deals", content=content, headers={**signed, **given})


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Served]:
    """The real server on a free port."""
    server = serve.server(settings, "127.0.0.1", 0)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield Served(settings, server, client)
    finally:
        server.should_exit = True
        await running


async def publish(settings: Settings, message: Message) -> None:
    """Put a fact on its topic, as the processors would."""
    binding = BINDINGS[type(message)]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(
            BY_NAME[binding.topic].full_name(settings.topic_prefix),
            key=binding.key(message).encode(),
            value=msgspec.json.encode(message),
            headers=headers(
                message, id=event_id(message), time=dt.datetime.now(dt.UTC), source="test"
            ),
        )


def deal(key: str = "1", **fields: Any) -> dict[str, Any]:
    """A won deal of Ada as JSON would have it; fields by name, None leaves one out."""
    found: dict[str, Any] = {
        "source": "crm",
        "key": key,
        "deal_id": f"crm:{key}",
        "revision": 1,
        "changed_on": "2024-02-10",
        "status": DealStatus.WON.value,
        "amount": "1000.00",
        "currency": "USD",
        "closed_on": "2024-02-10",
        "owner_key": "ada",
        **fields,
    }
    return {name: value for name, value in found.items() if value is not None}
