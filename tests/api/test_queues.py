"""Queues, sources, alerts and locks over HTTP: counts and money that agree with their lists."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from api.bodies import Body
from db import alerts as alert_rows
from db.alerts import Looked, Subject
from db.reference_change import reference_change
from domain import alerts
from domain.exact import exact_arithmetic
from domain.pace import Expected, ToGo
from schemas.ids import AccountId, PayeeId, PeriodId
from schemas.messages import AlertKind, Split
from schemas.settings import Settings
from schemas.state import RunningState
from streams.batch import BatchProtocol
from tests.api.support import Served, bearer, cookie, served
from tests.api.test_live import signed_in
from tests.books import Books, won
from tests.database import ADA, BEN, FIRST, MEG, SECOND, YEAR, connected

DAY = dt.date(2024, 2, 10)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def books(settings: Settings) -> Iterator[Books]:
    with closing(Books(settings)) as found:
        found.book(
            won("fine", "100.00", DAY),
            won("late", "50.00", dt.date(2030, 1, 1)),
            *(won(f"nobody{n}", "10.50", DAY, owner="p-nobody") for n in range(5)),
            *(won(f"many{n}", "1.00", DAY, revision=1) for n in range(3)),
        )
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings, books: Books) -> AsyncIterator[Served]:
    async with served(settings) as running:
        yield running


async def test_held_shares_are_counted_and_listed_by_reason(api: Served) -> None:
    """Count and money of the summary are those of the list; each says what to do."""
    queue = await api.json("/v1/held/summary", "ann")
    rows = (await api.json("/v1/held", "ann"))["rows"]
    assert queue["count"] == len(rows) == 6
    by_reason = {group["reason"]: group for group in queue["groups"]}
    assert set(by_reason) == {"unknown_payee", "no_quota_period"}
    for reason, group in by_reason.items():
        listed = (await api.json("/v1/held", "ann", reason=reason))["rows"]
        assert group["count"] == len(listed)
        assert Decimal(group["money"][0]["amount"]) == sum(Decimal(r["amount"]) for r in listed)
        assert all(row["next_step"] == group["next_step"] for row in listed)
    assert await api.json("/v1/held", "ann", q="nobody1") == {
        "rows": [row for row in rows if row["key"] == "nobody1"],
        "next_cursor": None,
    }


async def test_held_shares_come_each_once_while_more_are_held(api: Served, books: Books) -> None:
    """Pages of two, in both orders."""
    for sort in ("held_since", "-held_since"):
        before = [_id(row) for row in (await api.json("/v1/held", "ann", sort=sort))["rows"]]
        seen: list[Any] = []
        cursor = None
        while cursor is not None or not seen:
            given = {"limit": "2", "sort": sort, **({"cursor": cursor} if cursor else {})}
            page = await api.json("/v1/held", "ann", **given)
            seen += [_id(row) for row in page["rows"]]
            if len(seen) < 6:
                books.book(won(f"more{sort}{len(seen)}", "2.00", DAY, owner="p-nobody"))
            cursor = page["next_cursor"]
        assert len(seen) == len(set(seen))
        assert [one for one in seen if one in set(before)] == before


async def test_a_seller_sees_his_own_held_shares_only(api: Served) -> None:
    """Whose payee is not known is the admin's; a filter does not open what the list would not."""
    rows = (await api.json("/v1/held", "ada"))["rows"]
    assert {row["key"] for row in rows} == {"late"}
    assert (await api.get("/v1/held", "ada", params={"payee_id": BEN})).status_code == 404
    assert (await api.json("/v1/held/summary", "ben"))["count"] == 0


async def test_refused_records_are_kept_whole_with_what_to_do(
    api: Served, books: Books, settings: Settings
) -> None:
    """Counted by code; opened, the record as it was received."""
    value = b'{"source": "crm", "key": "bad", "amount": 1.5}'
    _refuse(books, value, b"\xff\xfe not text")
    queue = await api.json("/v1/dead-letters/summary", "ann")
    rows = (await api.json("/v1/dead-letters", "ann"))["rows"]
    assert queue["count"] == len(rows) == 2
    assert {group["reason"] for group in queue["groups"]} == {row["code"] for row in rows}
    for row in rows:
        whole = await api.json(f"/v1/dead-letters/{row['dead_letter_id']}", "ann")
        assert whole["letter"] == row and row["next_step"]
        assert whole["value"].startswith(row["value_start"][:10])
    code = rows[0]["code"]
    only = (await api.json("/v1/dead-letters", "ann", code=code))["rows"]
    assert only == [row for row in rows if row["code"] == code]
    assert (await api.get("/v1/dead-letters/none", "ann")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/dead-letters",
        "/v1/dead-letters/summary",
        "/v1/dead-letters/x",
        "/v1/not-eligible",
        "/v1/not-eligible/summary",
        "/v1/sources",
        "/v1/admin",
        f"/v1/periods/{FIRST}/lock",
    ],
)
async def test_what_is_the_admins_is_not_there_for_others(api: Served, path: str) -> None:
    for user in ("ada", "meg", "loader"):
        assert (await api.get(path, user)).status_code == 404
    assert (await api.get(path)).status_code == 401


async def test_the_admins_first_page_is_its_queues_in_one(api: Served) -> None:
    """The same numbers as each queue by itself, the sources, the period whose lock is next."""
    page = await api.json("/v1/admin", "ann")
    assert page["held"] == await api.json("/v1/held/summary", "ann")
    assert page["dead_letters"] == await api.json("/v1/dead-letters/summary", "ann")
    assert page["not_eligible"] == await api.json("/v1/not-eligible/summary", "ann")
    assert page["sources"] == (await api.json("/v1/sources", "ann"))["rows"]
    crm = page["sources"][0]
    assert (crm["source"], crm["description"]) == ("crm", "The CRM")
    assert crm["deals"] == crm["credited"] + crm["held"] + crm["not_eligible"] + crm["not_counted"]
    assert page["period"] == FIRST


# ---- alerts --------------------------------------------------------------------------------------


async def test_an_alert_is_acknowledged_once_with_a_note_and_everyone_sees_it(
    api: Served, settings: Settings
) -> None:
    """Raised, seen by the seller and who leads him, acknowledged live, audited, cleared."""
    alert_id = _raise(settings)
    rows = (await api.json("/v1/alerts", "meg", state="open"))["rows"]
    assert [(row["alert_id"], row["state"]) for row in rows] == [(alert_id, "open")]
    assert rows[0]["words"] == "Ada is off pace"
    assert (await api.json("/v1/alerts", "ben"))["rows"] == []
    found = await api.json(f"/v1/alerts/{alert_id}", "meg")
    assert found["may_acknowledge"] and found["expected_now"] == "50000.0"
    assert [event["event"] for event in found["events"]] == ["raised"]
    path = f"/v1/alerts/{alert_id}/acknowledge"
    async with signed_in(api, "meg") as live:
        await live.send(type="watch", channels=[f"team:{MEG}"])
        first = await live.next("team")
        assert first["team"]["open_alerts"] == 1
        assert (await _post(api, path, "ada", {"text": "mine"})).status_code == 403
        assert (await _post(api, path, "ben", {"text": "x"})).status_code == 404
        for bad in ({"text": ""}, {"text": "  "}, {"txt": "x"}, {}):
            assert (await _post(api, path, "meg", bad)).status_code == 422
        done = await _post(api, path, "meg", {"text": "We talk on Friday."})
        assert done.status_code == 200, done.text
        async with asyncio.timeout(30):
            while (newer := await live.next("team"))["team"]["open_alerts"]:
                pass
        assert newer["version"] > first["version"]
    assert (await _post(api, path, "ann", {"text": "me too"})).status_code == 409
    await _post(api, f"/v1/alerts/{alert_id}/notes", "ann", {"text": "Two offers are out."})
    found = await api.json(f"/v1/alerts/{alert_id}", "ada")
    assert [(note["by"], note["is_acknowledgement"]) for note in found["notes"]] == [
        ("Ann", False),
        ("Meg", True),
    ]
    assert found["alert"]["state"] == "acknowledged" and not found["may_acknowledge"]
    with connected(settings, "api") as conn:
        audited = conn.execute(
            "SELECT actor, action FROM audit WHERE entity = %s ORDER BY id", (f"alert/{alert_id}",)
        ).fetchall()
    assert audited == [("meg", "acknowledge alert"), ("ann", "note alert")]


async def test_another_sites_page_cannot_acknowledge(api: Served, settings: Settings) -> None:
    """A browser's cookie alone is not enough."""
    found = (await api.json("/v1/alerts", "meg"))["rows"][0]
    answer = await api.client.post(
        f"/v1/alerts/{found['alert_id']}/notes",
        json={"text": "x"},
        headers={**cookie(settings, "meg"), "Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


# ---- locks ---------------------------------------------------------------------------------------


async def test_a_lock_names_what_stands_in_its_way(api: Served) -> None:
    """Checks with counts, money and links; the last open period is refused; nobody else may."""
    found = await api.json(f"/v1/periods/{FIRST}/lock", "ann")
    checks = {check["check"]: check for check in found["checks"]}
    assert checks["order"]["state"] == "ok" and found["may_lock"]
    assert checks["ended"]["state"] == checks["held"]["state"] == "warning"
    assert checks["held"]["count"] and checks["held"]["link"] == "/admin/held"
    assert checks["dead_letters"]["count"] == 2
    second = await api.json(f"/v1/periods/{SECOND}/lock", "ann")
    assert not second["may_lock"]
    refused = await _post(api, f"/v1/periods/{SECOND}/lock", "ann", None)
    assert refused.status_code == 409 and "in order" in refused.json()["detail"]
    assert (await _post(api, f"/v1/periods/{FIRST}/lock", "meg", None)).status_code == 404
    assert (await _post(api, "/v1/periods/none/lock", "ann", None)).status_code == 404


async def test_a_lock_that_no_worker_drains_says_so(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """202 at once; asking again changes nothing; it ends in words; the period stays open."""
    from api import lock_runs, period_lock

    def impatient(*args: Any, **kw: Any) -> Any:
        return period_lock.lock_period(*args, **kw, drain_seconds=0.5)

    monkeypatch.setattr(lock_runs, "lock_period", impatient)
    path = f"/v1/periods/{FIRST}/lock"
    first = await _post(api, path, "ann", None)
    assert (first.status_code, first.json()["step"]) == (202, "draining")
    assert (await _post(api, path, "ann", None)).status_code == 202
    async with asyncio.timeout(30):
        while (found := await api.json(path, "ann"))["problem"] is None:
            await asyncio.sleep(0.05)
    assert "no worker has sent the drain command" in found["problem"]
    assert found["state"] == "open" and found["step"] is None and found["may_lock"]


def _id(row: dict[str, Any]) -> tuple[str, int]:
    return row["deal_id"], row["share"]


async def _post(api: Served, path: str, user: str, body: Any) -> Any:
    headers = bearer(api.settings, user)
    if body is None:
        return await api.client.post(path, headers=headers)
    return await api.client.post(path, json=body, headers=headers)


def _refuse(books: Books, *values: bytes) -> None:
    """Records that are no deals, booked as the worker would."""
    from streams.ports import Record, Slice

    first = books._next[0]
    records = [Record(first + n, f"crm:{n}".encode(), value, []) for n, value in enumerate(values)]
    books._next[0] += len(records)
    protocol: BatchProtocol = books._protocol
    for committed in protocol.transact(protocol.prepare([Slice(0, records, 1, first)])):
        protocol.published_to.update(committed.nexts)
    protocol.note_published([0])


def _raise(settings: Settings) -> str:
    """As the alerts processor would raise one about Ada."""
    account = AccountId(f"{ADA}.{YEAR}")
    period = PeriodId(FIRST)
    seen = alerts.Observation(
        account_id=account,
        payee_id=PayeeId(ADA),
        manager_id=PayeeId(MEG),
        period_id=period,
        business_date=DAY - dt.timedelta(days=1),
        credited=Decimal("103.00"),
        quota=Decimal("100000"),
        attainment_ratio=Decimal("0.00103"),
        expected=Expected(Decimal("0.5"), "working_days"),
        to_go=ToGo(Decimal("99897.00"), 35, Decimal("2854.20")),
        currency="USD",
    )
    with connected(settings, "worker") as conn, exact_arithmetic(), conn.transaction():
        calendar = _calendar(settings)
        memory = RunningState()
        events = []
        for day in (DAY - dt.timedelta(days=3), DAY - dt.timedelta(days=1)):
            step = alerts.evaluate(memory, seen._replace(business_date=day), calendar)
            memory = step.memory
            events += [step.event] if step.event else []
        subject = Subject(account, alerts.alert_id(account, period), PayeeId(ADA), PayeeId(MEG))
        alert_rows.lock(conn, AlertKind.OFF_PACE, period, [subject])
        looked = Looked(subject, memory, DAY, events)
        alert_rows.write(conn, AlertKind.OFF_PACE, period, [looked])
    assert len(events) == 1
    return msgspec.to_builtins(subject.alert_id)  # type: ignore[no-any-return]


def _calendar(settings: Settings) -> Any:
    from db import reference

    with connected(settings, "api") as conn:
        return reference.read(conn).calendar


async def test_a_held_share_is_of_the_source_that_named_its_person(
    api: Served, settings: Settings, books: Books
) -> None:
    """The crm opened it and names nobody; the erp says "ada", whom only the crm knows by that."""
    opened = msgspec.structs.replace(won("twice", "77.00", DAY), owner_key=None)
    filled = msgspec.structs.replace(
        won("E7", "77.00", DAY), source="erp", deal_id=opened.deal_id, owner_key="ada"
    )
    books.book(opened)
    books.book(filled)
    (row,) = (await api.json("/v1/held", "ann", q="twice"))["rows"]
    assert (row["payee"], row["payee_key"]) == (None, "ada")
    assert (await api.json("/v1/held", "ada", q="twice"))["rows"] == []
    with connected(settings, "api") as conn:
        kept = conn.execute("SELECT source FROM holds WHERE deal_id = %s", (opened.deal_id,))
        assert kept.fetchone() == ("erp",)


async def test_another_role_is_in_force_at_once(api: Served, settings: Settings) -> None:
    """Whatever the token says."""
    assert (await api.get("/v1/admin", "abe")).status_code == 200
    for role, status in (("rep", 404), ("admin", 200)):
        with connected(settings, "api") as conn:
            conn.execute("UPDATE users SET role = %s WHERE user_id = 'abe'", (role,))
        assert (await api.get("/v1/admin", "abe")).status_code == status


async def test_only_an_admin_makes_us_hold_a_file(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody else is refused before his body is read, also with a key."""
    read: list[str] = []
    real = Body.receive

    async def noted(self: Body) -> Any:
        read.append("part")
        return await real(self)

    monkeypatch.setattr(Body, "receive", noted)
    for user, status in (("ada", 404), ("loader", 404)):
        headers = {**bearer(api.settings, user), "Content-Type": "text/csv"}
        for key in ({}, {"Idempotency-Key": "big"}):
            answer = await api.client.post(
                "/v1/imports/deals", content=b"x" * 100_000, headers={**headers, **key}
            )
            assert answer.status_code == status
    assert read == []


async def test_a_held_share_is_not_skipped_when_one_before_it_is_released(
    api: Served, settings: Settings, books: Books
) -> None:
    """Two shares of one deal wait; a page ends at the first, which is then released."""
    halves = tuple(Split(payee_key=key, share="0.5") for key in ("first", "second"))
    opened = won("pair", "40.00", DAY, splits=halves)
    books.book(opened)
    page = await api.json("/v1/held", "ann", q="pair", limit="1")
    assert [row["payee_key"] for row in page["rows"]] == ["first"]
    with (
        connected(settings, "api") as conn,
        reference_change(conn, actor="test", action="key", entity=ADA) as change,
    ):
        change.put("payee_keys", [{"source": "crm", "key": "first", "payee_id": ADA}])
    books.book(msgspec.structs.replace(opened, revision=2))
    rest = await api.json("/v1/held", "ann", q="pair", limit="1", cursor=page["next_cursor"])
    assert [row["payee_key"] for row in rest["rows"]] == ["second"]
    (alone,) = (await api.json("/v1/held", "ann", q="pair"))["rows"]
    assert _id(alone) == _id(rest["rows"][0])
    (shown,) = (await api.json(f"/v1/deals/{opened.deal_id}", "ann"))["held"]
    assert (shown["share"], shown["held_since"]) == (alone["share"], alone["held_since"])
