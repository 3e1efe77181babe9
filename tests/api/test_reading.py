"""Boards, progress and sessions over HTTP: who sees what, of one committed state."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import httpx
import pytest

from api.sessions import Session, UserRole
from api.views import Views
from api.world import Now
from db.connect import Connection
from db.reference_change import reference_change
from schemas.clock import ClockRow
from schemas.ids import PayeeId
from schemas.settings import Settings
from tests.api.support import (
    TODAY,
    Served,
    bearer,
    cookie,
    credit,
    keep,
    set_clock,
    standing,
    token,
)
from tests.database import ADA, BEN, FIRST, MEG, SECOND, START, YEAR, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAY = ("earned", "pay", "rate", "commission", "payable", "accru")


def keys_of(value: Any) -> set[str]:
    """All field names in an answer, at any depth."""
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys_of(item)}
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    return set()


def change(conn: Connection, table: str, **row: Any) -> None:
    with reference_change(conn, actor="ann", action="change", entity=table) as changing:
        changing.put(table, [row])


@pytest.fixture(scope="module", autouse=True)
def facts(settings: Settings) -> None:
    """Ada has 43,210.5000 credited and earned 648.16; a standing of version 3."""
    credit(settings, ADA, "43210.5000", "648.16", version=4)
    keep(settings, standing(3, (ADA, "43210.5000"), (BEN, "0")))


async def progress(api: Served, payee_id: str, user_id: str, query: str = "") -> httpx.Response:
    return await api.get(f"/v1/payees/{payee_id}/progress{query}", user_id)


async def test_a_payees_progress(api: Served) -> None:
    found = (await progress(api, ADA, "ada")).json()["progress"]
    assert found["name"] == "Ada"
    assert found["credited"] == "43210.5000"
    assert found["quota"] == "100000"
    assert found["attainment_ratio"] == "0.432105"
    assert found["gap_to_quota"] == "56789.5000"
    assert found["earned_provisional"] == "648.16"
    assert found["earned_final"] == "0"
    assert found["corrections"] == "0"
    assert found["account_id"] == f"{ADA}.{YEAR}"
    assert found["account_version"] == 4
    assert found["curve"] == "working_days"
    assert found["expected_share"] == "0.507692"  # 33 of 65 working days are behind us
    assert found["pace_ratio"] == "0.851116"
    assert found["working_days_left"] == 32
    assert found["required_per_remaining_working_day"] == "1774.68"  # rounded up
    assert found["stamps"]["period_name"] == "1 Jan - 31 Mar 2024"
    assert found["stamps"]["state"] == "open"
    assert found["stamps"]["complete_through"] is None
    assert [part["component"] for part in found["components"]] == ["own", "team"]
    assert found["components"][0]["credits"] == 1


async def test_a_period_without_facts_is_answered_too(api: Served) -> None:
    found = (await progress(api, BEN, "ben", f"?period={SECOND}")).json()["progress"]
    assert found["credited"] == "0"
    assert found["account_version"] == 0
    assert found["attainment_ratio"] == "0.000000"
    assert found["expected_share"] == "0.000000"
    assert found["pace_ratio"] is None
    assert [part["earned"] for part in found["components"]] == ["0", "0"]


async def test_no_quota_is_no_ratio(api: Served, settings: Settings) -> None:
    with connected(settings, "api") as conn:
        change(conn, "periods", **PERIOD, period_id="2024-Q3")
    found = (await progress(api, BEN, "ben", "?period=2024-Q3")).json()["progress"]
    assert found["quota"] is None
    assert found["attainment_ratio"] is found["gap_to_quota"] is found["pace_ratio"] is None
    assert found["required_per_remaining_working_day"] is None


PERIOD = {
    "plan_year": YEAR,
    "starts_on": dt.date(2024, 7, 1),
    "ends_on": dt.date(2024, 10, 1),
    "state": "open",
}

SEES = [  # who, whose page, the answer
    ("ada", ADA, 200),
    ("ada", BEN, 404),
    ("ada", MEG, 404),
    ("meg", MEG, 200),
    ("meg", ADA, 200),
    ("ann", BEN, 200),
    ("abe", MEG, 200),
    ("loader", ADA, 404),
    ("ada", "p-nobody", 404),
    ("ann", "p-nobody", 404),
]


@pytest.mark.parametrize(("user_id", "payee_id", "status"), SEES)
async def test_who_sees_whom(api: Served, user_id: str, payee_id: str, status: int) -> None:
    assert (await progress(api, payee_id, user_id)).status_code == status


async def test_a_refusal_does_not_tell_whether_there_is_something(api: Served) -> None:
    foreign = (await progress(api, BEN, "ada")).json()
    missing = (await progress(api, "p-nobody", "ada")).json()
    foreign.pop("request_id"), missing.pop("request_id")
    assert foreign == missing


async def test_a_manager_who_opens_a_page_is_in_the_audit_once(
    api: Served, settings: Settings
) -> None:
    headers = bearer(settings, "meg")
    for _ in range(3):
        await api.client.get(f"/v1/payees/{BEN}/progress", headers=headers)
    await api.client.get(f"/v1/payees/{MEG}/progress", headers=headers)
    await progress(api, BEN, "ben")
    with connected(settings, "api") as conn:
        rows = conn.execute(
            "SELECT actor, entity FROM audit WHERE action = 'view_as' AND actor IN ('meg', 'ben')"
            " AND entity = %s",
            (BEN,),
        ).fetchall()
    assert rows == [("meg", BEN)]


async def test_the_audits_hour_is_one_of_real_time(api: Served, settings: Settings) -> None:
    """A clock of an hour a second must not fill it; one that stands hides no later visit."""
    session = Session(
        session_id="watching",
        user_id="watcher",
        role=UserRole.ADMIN,
        payee_id=None,
        scopes=(),
        issued_at=TODAY,
        expires_at=TODAY,
    )
    views, world = Views(api.services.pool), api.services.worlds.current()
    begun = dt.datetime(2030, 1, 1, 9, 5, tzinfo=dt.UTC)

    def lines(rate: int, *minutes: int) -> int:
        """In the audit, after a look at each of these minutes past the beginning."""
        rows = (ClockRow(real=begun, business=TODAY, rate=Decimal(rate)),)
        for minute in minutes:
            now = Now(rows, world.now.zone, begun + dt.timedelta(minutes=minute))
            views.note(session, PayeeId(BEN), world._replace(now=now, today=now.today))
        with connected(settings, "api") as conn:
            found = conn.execute("SELECT count(*) FROM audit WHERE actor = 'watcher'").fetchone()
        return int(found[0]) if found else 0

    assert lines(3_600, 0, 1, 30, 50) == 1
    assert lines(0, 60, 61, 110) == 2


async def test_the_hierarchy_of_today_decides(api: Served, settings: Settings) -> None:
    assert (await progress(api, BEN, "meg")).status_code == 200
    with connected(settings, "api") as conn:
        day = dt.date(2024, 2, 15)
        line = {"payee_id": BEN, "manager_id": MEG, "starts_on": START}
        change(conn, "reporting_lines", **line, ends_on=day)
        try:
            assert (await progress(api, BEN, "meg")).status_code == 404
        finally:
            change(conn, "reporting_lines", **line, ends_on=None)
    assert (await progress(api, BEN, "meg")).status_code == 200


async def test_what_has_not_changed_is_not_sent_again(api: Served, settings: Settings) -> None:
    first = await progress(api, ADA, "ada")
    held = {"If-None-Match": first.headers["etag"]}
    path = f"/v1/payees/{ADA}/progress"
    again = await api.get(path, "ada", headers=held)
    assert (again.status_code, again.content) == (304, b"")
    with connected(settings, "worker") as conn:
        conn.execute("UPDATE accounts SET version = version + 1 WHERE payee_id = %s", (ADA,))
    after = await api.get(path, "ada", headers=held)
    assert after.status_code == 200
    assert after.json()["version"] > first.json()["version"]
    with connected(settings, "worker") as conn:
        conn.execute("UPDATE accounts SET version = version - 1 WHERE payee_id = %s", (ADA,))


async def test_an_answer_is_one_committed_state(api: Served, settings: Settings) -> None:
    """Each batch credits 1,000 and earns 15: any mixture of two states shows."""
    stop = threading.Event()
    credit(settings, MEG, "1000", "15", version=1)

    def write() -> None:
        """As many batches a second as the database takes."""
        with connected(settings, "worker") as conn:
            while not stop.is_set():
                conn.execute(
                    "WITH moved AS (UPDATE accounts SET version = version + 1 WHERE payee_id = %s"
                    " RETURNING account_id) "
                    "UPDATE positions p SET credited = credited + 1000, earned = earned + 15,"
                    " credits = credits + 1 FROM moved WHERE p.account_id = moved.account_id",
                    (MEG,),
                )

    writing = asyncio.create_task(asyncio.to_thread(write))
    seen = []
    try:
        for _ in range(100):
            found = (await progress(api, MEG, "ann")).json()["progress"]
            version = found["account_version"]
            assert found["credited"] == str(1_000 * version)
            assert found["earned_provisional"] == str(15 * version)
            assert found["components"][0]["credits"] == version
            seen.append(version)
    finally:
        stop.set()
        await writing
    assert seen == sorted(seen) and len(set(seen)) > 3


async def test_the_turn_of_a_day_raises_the_version_and_so_does_a_clock_set_back(
    api: Served, settings: Settings
) -> None:
    async def version() -> int:
        return int((await progress(api, ADA, "ada")).json()["version"])

    before = await version()
    with connected(settings, "api") as conn:
        set_clock(conn, TODAY + dt.timedelta(days=1))
        turned = await version()
        set_clock(conn, TODAY)
    assert before < turned < await version() < 2**53


async def test_money_of_a_locked_period_is_final_and_corrections_stand_apart(
    api: Served, settings: Settings
) -> None:
    """Locked at 500.00; a late deal of 100.00 is booked into the next period."""
    credit(settings, BEN, "40000", "500.00", version=1)
    with connected(settings, "api") as conn:
        row = {"plan_year": YEAR, "starts_on": START, "ends_on": dt.date(2024, 4, 1)}
        change(conn, "periods", period_id=FIRST, **row, state="locked")
        credit(settings, BEN, "8000", "100.00", version=2, booking=SECOND)
        locked = (await progress(api, BEN, "ben", f"?period={FIRST}")).json()["progress"]
        next_ = (await progress(api, BEN, "ben", f"?period={SECOND}")).json()["progress"]
        change(conn, "periods", period_id=FIRST, **row, state="open")
    assert (locked["earned_final"], locked["earned_provisional"]) == ("500.00", "0")
    assert locked["credited"] == "40000"
    assert locked["stamps"]["state"] == "locked"
    assert (next_["earned_final"], next_["earned_provisional"]) == ("0", "100.00")
    assert next_["corrections"] == "100.00"
    assert next_["credited"] == "0"


async def test_a_board_shows_the_newest_standing_with_names(api: Served) -> None:
    answer = await api.get("/v1/boards/sellers/standings", "ben")
    body = answer.json()
    assert body["version"] == 3
    board = body["board"]
    assert [(row["rank"], row["name"]) for row in board["rows"]] == [(1, "Ada"), (2, "Ben")]
    assert board["total_ratio"] == "0.216052"
    assert board["moved_since"] == "start of 15 Feb"
    assert not any(row["is_me"] for row in board["rows"])
    again = await api.get(
        "/v1/boards/sellers/standings", "ben", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


async def test_no_pay_stands_on_a_board(api: Served) -> None:
    body = (await api.get("/v1/boards/sellers/standings", "ann")).json()
    names = keys_of(body) - {"payee_id"}
    found = {key for key in names if any(word in key for word in PAY)}
    assert found == set()
    assert "648.16" not in str(body)


async def test_before_the_first_standing_people_are_listed_without_ranks(
    api: Served, settings: Settings
) -> None:
    with connected(settings, "api") as conn:
        change(
            conn,
            "boards",
            board_id="chiefs",
            name="Chiefs",
            measure="amount",
            roles=["manager"],
            visibility="managers",
        )
    body = (await api.get("/v1/boards/chiefs/standings", "meg")).json()
    assert body["version"] == 0
    rows = body["board"]["rows"]
    assert [(row["name"], row["rank"], row["amount"]) for row in rows] == [("Meg", None, "0")]
    assert (await api.get("/v1/boards/chiefs/standings", "ada")).status_code == 404
    assert [b["board_id"] for b in (await api.get("/v1/boards", "ada")).json()["boards"]] == [
        "sellers"
    ]
    assert len((await api.get("/v1/boards", "ann")).json()["boards"]) == 2


@pytest.mark.parametrize(
    ("user_id", "status"), [("ada", 200), ("meg", 200), ("ann", 200), ("loader", 404)]
)
async def test_a_teams_board(api: Served, settings: Settings, user_id: str, status: int) -> None:
    with connected(settings, "api") as conn:
        change(
            conn,
            "boards",
            board_id="team",
            name="Team",
            measure="amount",
            roles=["rep"],
            visibility="team",
        )
    assert (await api.get("/v1/boards/team/standings", user_id)).status_code == status


async def test_periods_and_me(api: Served) -> None:
    periods = (await api.get("/v1/periods", "ada")).json()["periods"]
    assert [p["period_id"] for p in periods if p["is_current"]] == [FIRST]
    me = (await api.get("/v1/me", "meg")).json()
    assert {person["payee_id"] for person in me["people"]} == {ADA, BEN, MEG}
    assert me["business_date"] == "2024-02-15"
    assert (await api.get("/v1/me", "ada")).json()["people"][0]["manager_id"] == MEG


PATHS = (
    "/v1/boards",
    "/v1/boards/sellers/standings",
    f"/v1/payees/{ADA}/progress",
    "/v1/periods",
    "/v1/me",
    "/v1/session",
)


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_reads_without_a_session(api: Served, path: str) -> None:
    answer = await api.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [*PATHS, "/livez", "/readyz", "/docs", "/v1/openapi.json"])
async def test_a_query_parameter_that_is_not_known_is_refused(api: Served, path: str) -> None:
    answer = await api.get(f"{path}?perod=1", "ann")
    assert answer.status_code == 400
    assert "perod" in answer.json()["detail"]


async def test_a_parameter_given_twice_is_refused(api: Served) -> None:
    answer = await progress(api, ADA, "ada", f"?period={FIRST}&period={SECOND}")
    assert answer.status_code == 400


async def test_a_session_by_cookie(api: Served) -> None:
    users = (await api.get("/v1/demo/users")).json()["users"]
    assert [user["user_id"] for user in users if user["role"] == "admin"] == ["abe", "ann"]
    answer = await api.client.post("/v1/session", json={"user_id": "ada"})
    assert answer.status_code == 200, answer.text
    set_cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in set_cookie and "SameSite=strict" in set_cookie and "Path=/" in set_cookie
    assert "Secure" not in set_cookie  # this server speaks http
    assert (await api.client.get("/v1/session")).json()["user_id"] == "ada"
    assert (await api.client.get("/v1/me")).json()["payee_id"] == ADA
    refused = await api.client.delete("/v1/session")
    assert refused.status_code == 403  # no Origin
    gone = await api.client.delete("/v1/session", headers={"Origin": f"http://{api.host}"})
    assert gone.status_code == 204
    assert (await api.client.get("/v1/session")).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"), [({"user_id": "zoe"}, 404), ({"user": "ada"}, 422), ("x", 422)]
)
async def test_signing_in_as_nobody(api: Served, body: Any, status: int) -> None:
    assert (await api.client.post("/v1/session", json=body)).status_code == status


async def test_another_site_cannot_sign_a_browser_in(api: Served) -> None:
    answer = await api.client.post(
        "/v1/session", json={"user_id": "ada"}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403


async def test_a_session_that_has_expired(api: Served, settings: Settings) -> None:
    old = token(settings, "ada", seconds=60, age=61)
    answer = await api.client.get("/v1/me", headers={"Authorization": f"Bearer {old}"})
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


async def test_a_user_who_was_disabled_is_out_at_once(api: Served, settings: Settings) -> None:
    headers = cookie(settings, "abe")
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 200
    with connected(settings, "api") as conn:
        conn.execute("UPDATE users SET disabled_at = now() WHERE user_id = 'abe'")
        assert (await api.client.get("/v1/me", headers=headers)).status_code == 401
        conn.execute("UPDATE users SET disabled_at = NULL WHERE user_id = 'abe'")


async def test_what_is_not_there_is_a_problem(api: Served) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/deals", 405),
        ("DELETE", "/v1/periods", 405),
    ):
        answer = await api.client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_the_callers_request_id_is_taken_over(api: Served) -> None:
    given = await api.get("/livez", headers={"X-Request-ID": "my-id.1"})
    assert given.headers["x-request-id"] == "my-id.1"
    made = await api.get("/livez", headers={"X-Request-ID": "a b<script>"})
    assert made.headers["x-request-id"] != "a b<script>"
