"""Statements, the feed and the team over HTTP and live: they agree with the ledger to the cent."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import msgspec
import pytest
import pytest_asyncio

from api import access, statements
from db import reference
from db.reference_change import reference_change
from db.statements import freeze
from domain.exact import exact_arithmetic
from schemas.ids import PayeeId, PeriodId
from schemas.messages import PeriodState
from schemas.settings import Settings
from schemas.statements import Statement
from tests.api.support import Served, bearer, served
from tests.api.test_live import signed_in
from tests.books import Books, won
from tests.database import ADA, BEN, FIRST, MEG, SECOND, YEAR, connected

DAY = dt.date(2024, 2, 10)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def books(settings: Settings) -> Iterator[Books]:
    """Deals of Ada's and Ben's; one batch a line."""
    found = Books(settings)
    found.book(won("A1", "32184.03", DAY, name="Roof"))
    found.book(*(won(f"A{n}", "30000.10", DAY) for n in range(2, 5)))
    found.book(won("B1", "500.00", DAY, owner=BEN))
    found.book(won("A1", "30184.03", DAY, name="Roof", revision=2))
    yield found
    found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings, books: Books) -> AsyncIterator[Served]:
    async with served(settings) as running:
        yield running


async def test_a_statement_sums_to_its_lines_and_to_the_ledger(api: Served) -> None:
    """Provisional while the period is open; each line opens to its deal."""
    path = f"/v1/payees/{ADA}/statements/{FIRST}"
    found = await api.json(path, "ada")
    lines = (await api.json(f"{path}/lines", "ada"))["rows"]
    assert found["stamps"]["state"] == "open" and not found["is_frozen"]
    earned = sum(Decimal(line["earned"]) for line in lines)
    assert earned == Decimal(found["earned"]) == Decimal(found["earned_by_entries"])
    assert sum(Decimal(part["earned"]) for part in found["parts"]) == earned
    assert len(lines) == found["line_count"] == 4
    with connected(api.settings, "api") as conn:
        row = conn.execute("SELECT sum(earned) FROM ledger WHERE payee_id = %s", (ADA,)).fetchone()
    assert row is not None and row[0] == earned
    roof = next(line for line in lines if line["key"] == "A1")
    assert (roof["deal_name"], roof["cause_words"]) == ("Roof", "A1, revision 2")
    assert roof["effective_rate_text"] == "1.5 %"
    assert (await api.get(f"/v1/deals/{roof['deal_id']}", "ada")).status_code == 200


async def test_the_list_of_statements_has_each_period_with_entries(api: Served) -> None:
    """The newest first, with the same sum as the statement."""
    found = await api.json(f"/v1/payees/{ADA}/statements", "ada")
    whole = await api.json(f"/v1/payees/{ADA}/statements/{FIRST}", "ada")
    assert [(row["period"], row["earned"]) for row in found["rows"]] == [(FIRST, whole["earned"])]
    assert (await api.get(f"/v1/payees/{BEN}/statements", "ada")).status_code == 404
    assert (await api.get(f"/v1/payees/{ADA}/statements/none", "ada")).status_code == 404


@pytest.mark.parametrize("sort", ["closed_on", "-closed_on"])
async def test_lines_come_each_once_while_deals_come_in(
    api: Served, books: Books, sort: str
) -> None:
    """Pages of one line; a line that stood throughout is neither missing nor twice."""
    path = f"/v1/payees/{BEN}/statements/{FIRST}/lines"
    books.book(*(won(f"L{sort}{n}", "5.00", DAY, owner=BEN) for n in range(4)))
    before = [row["credit_id"] for row in (await api.json(path, "ben", sort=sort))["rows"]]
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        given = {"limit": "1", "sort": sort, **({"cursor": cursor} if cursor else {})}
        page = await api.json(path, "ben", **given)
        seen += [row["credit_id"] for row in page["rows"]]
        if len(seen) < 4:
            books.book(won(f"L{sort}new{len(seen)}", "5.00", DAY, owner=BEN))
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in set(before)] == before


async def test_lines_are_found_by_id_name_and_kind(api: Served) -> None:
    """Filters against the whole list, said the slow way."""
    path = f"/v1/payees/{ADA}/statements/{FIRST}/lines"
    rows = (await api.json(path, "ada"))["rows"]
    for text in ("roof", "A2", "crm:a", "nothing"):
        found = (await api.json(path, "ada", q=text))["rows"]
        low = text.lower()
        assert found == [
            row
            for row in rows
            if low in row["deal_id"].lower() or low in (row["deal_name"] or "").lower()
        ]
    assert (await api.json(path, "ada", is_correction="true"))["rows"] == []
    assert (await api.json(path, "ada", component="own"))["rows"] == rows
    assert (await api.get(path, "ada", params={"ordinal": "1"})).status_code == 400


async def test_the_feed_says_what_each_change_did(api: Served) -> None:
    """Newest first; one deal in its own words, several counted; the changes sum to the ledger."""
    found = (await api.json(f"/v1/payees/{ADA}/feed", "ada"))["rows"]
    words = [row["words"] for row in found]
    assert words[-1] == "A1: 32,184.03 credited, +482.76 at 1.5 %"
    assert words[0].startswith("A1 changed at its source: -2,000.00 credited, -")
    assert words[1].startswith("3 deals: 90,000.30 credited, +")
    assert found[1]["deal_count"] == 3
    for row in found:
        before, change, after = (
            Decimal(row[name]) for name in ("earned_before", "earned", "earned_after")
        )
        assert before + change == after
    statement = await api.json(f"/v1/payees/{ADA}/statements/{FIRST}", "ada")
    assert sum(Decimal(row["earned"]) for row in found) == Decimal(statement["earned"])


async def test_the_feed_comes_each_once_page_by_page(api: Served, books: Books) -> None:
    """While changes go on; by kind it is what a naive filter keeps."""
    path = f"/v1/payees/{MEG}/feed"
    before = (await api.json(path, "meg", limit="500"))["rows"]
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        given = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = await api.json(path, "meg", **given)
        seen += [row["id"] for row in page["rows"]]
        books.book(won(f"F{len(seen)}", "1.00", DAY, owner=BEN))
        cursor = page["next_cursor"]
    assert seen == [row["id"] for row in before]
    now = (await api.json(path, "meg", limit="500"))["rows"]
    for kind in ("credit", "correction", "alert", "lock"):
        rows = (await api.json(path, "meg", limit="500", kind=kind))["rows"]
        assert rows == [row for row in now if row["kind"] == kind]


async def test_a_team_reconciles_with_its_managers_own_ledger(api: Served) -> None:
    """Rows by money short of pace; the total is their sum, and what the roll-up has."""
    found = (await api.json(f"/v1/payees/{MEG}/team", "meg"))["team"]
    assert {row["payee_id"] for row in found["rows"]} == {ADA, BEN, MEG}
    total = sum(Decimal(row["credited"]) for row in found["rows"])
    assert total == Decimal(found["total_credited"]) == Decimal(found["ledger_credited"])
    assert Decimal(found["not_in_rows"]) == 0
    assert "which is what Meg's own ledger has" in found["reconciliation"]
    short = [Decimal(row["short_of_pace"]) for row in found["rows"]]
    assert short == sorted(short, reverse=True)


@pytest.mark.parametrize(
    ("user", "payee", "status"),
    [
        ("ada", MEG, 404),
        ("ada", ADA, 404),
        ("meg", BEN, 404),
        ("ann", MEG, 200),
        ("ann", "x", 404),
    ],
)
async def test_a_team_is_there_for_who_leads_it(
    api: Served, user: str, payee: str, status: int
) -> None:
    """Himself, who leads him, admins; who leads nobody has no team."""
    assert (await api.get(f"/v1/payees/{payee}/team", user)).status_code == status
    world = api.services.worlds.current()
    assert access.leads(world, PayeeId(payee)) == (payee == MEG)


async def test_to_watch_anothers_team_is_written_down(api: Served, settings: Settings) -> None:
    """As reading it by HTTP is."""
    async with signed_in(api, "ann") as live:
        await live.send(type="watch", channels=[f"team:{MEG}"])
        await live.next("team")
    with connected(settings, "api") as conn:
        row = conn.execute(
            "SELECT count(*) FROM audit WHERE action = 'view_as' AND entity = %s AND actor = 'ann'",
            (MEG,),
        ).fetchone()
    assert row is not None and row[0] >= 1


async def test_a_team_ticks_when_a_deal_of_anyone_in_it_is_booked(
    api: Served, books: Books
) -> None:
    """By the socket: a snapshot, then newer versions; a seller may not watch it."""
    async with signed_in(api, "ada") as live:
        await live.send(type="watch", channels=[f"team:{MEG}"])
        assert (await live.next())["type"] == "error"
    async with signed_in(api, "meg") as live:
        await live.send(type="watch", channels=[f"team:{MEG}"])
        first = await live.next("team")
        books.book(won("tick", "123.45", DAY, owner=BEN))
        async with asyncio.timeout(30):
            while True:
                newer = await live.next("team")
                assert newer["version"] > first["version"]
                moved = Decimal(newer["team"]["total_credited"]) - Decimal(
                    first["team"]["total_credited"]
                )
                if moved:
                    break
    assert moved == Decimal("123.45")


async def test_to_read_anothers_statement_is_written_down(api: Served) -> None:
    """Once an hour: who, whose."""
    session = bearer(api.settings, "abe")
    for path in ("statements", f"statements/{FIRST}", f"statements/{FIRST}/lines", "feed"):
        found = await api.client.get(f"/v1/payees/{ADA}/{path}", headers=session)
        assert found.status_code == 200
    with connected(api.settings, "api") as conn:
        noted = conn.execute(
            "SELECT count(*) FROM audit WHERE actor = 'abe' AND action = 'view_as' AND entity = %s",
            (ADA,),
        ).fetchone()
    assert noted == (1,)


async def test_a_locked_statement_is_final_and_a_late_deal_corrects_the_next(
    api: Served, books: Books
) -> None:
    """Locked but not frozen yet, then frozen: the same; later changes are lines of the next one."""
    path = f"/v1/payees/{ADA}/statements/{FIRST}"
    open_ = await api.json(path, "ada")
    _lock(api.settings)
    books.book(won("A2", "10000.10", DAY, revision=2))
    locked = await api.json(path, "ada")
    assert (locked["stamps"]["state"], locked["is_frozen"]) == ("locked", False)
    assert (locked["earned"], locked["parts"]) == (open_["earned"], open_["parts"])
    _freeze(api, locked["accounts"][0]["statement_hash"])
    frozen = await api.json(path, "ada")
    assert frozen["is_frozen"] and frozen["earned"] == open_["earned"]
    assert frozen["accounts"][0]["statement_hash"] == locked["accounts"][0]["statement_hash"]
    later = f"/v1/payees/{ADA}/statements/{SECOND}/lines"
    lines = (await api.json(later, "ada", is_correction="true"))["rows"]
    assert {line["key"] for line in lines} >= {"A2"}
    assert all(line["cause_words"].startswith("correction of 1 Jan - 31 Mar") for line in lines)
    items = (await api.json(f"/v1/payees/{ADA}/feed", "ada"))["rows"]
    assert items[0]["kind"] == "lock" and items[0]["words"].endswith("USD is final.")
    assert items[1]["words"].startswith("Correction of 1 Jan - 31 Mar 2024: A2 changed")


def _lock(settings: Settings) -> None:
    """As a lock would leave the period, before any statement is frozen."""
    with connected(settings, "api") as conn:
        period = next(row for row in reference.read(conn).periods if row.period_id == FIRST)
        locked = msgspec.structs.replace(period, state=PeriodState.LOCKED)
        with reference_change(conn, actor="test", action="lock", entity=FIRST) as change:
            change.put("periods", [msgspec.structs.asdict(locked)])


def _freeze(api: Served, expected: str) -> None:
    """As the worker would freeze Ada's."""
    services = api.services
    with services.worlds.snapshot() as (connection, world), exact_arithmetic():
        period = world.reference.period(PeriodId(FIRST))
        assert period is not None
        found = statements.whole(connection, world, services.locks, PayeeId(ADA), period)
    account = found.accounts[0]
    assert account.statement_hash == expected
    kept = Statement(
        account.account_id,
        PeriodId(FIRST),
        PayeeId(ADA),
        account.earned,
        "USD",
        account.statement_hash,
        account.lines,
    )
    assert account.account_id == f"{ADA}.{YEAR}"
    with connected(api.settings, "worker") as conn:
        assert not freeze(conn, [kept], locked_at=dt.datetime.now(dt.UTC))
