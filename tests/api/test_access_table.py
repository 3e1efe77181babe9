"""Who may see what: role x resource x relation, over HTTP and over the socket.

The table names every address of the API; one that is not in it fails the test, so that nobody
forgets to say who may see a new one. What is refused answers like what does not exist, byte for
byte but for the request id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import pytest

from api import sessions
from api.sessions import Scope, UserRole
from db.reference_change import reference_change
from schemas.settings import Settings
from tests.api.support import Served, bearer
from tests.api.test_live import opened
from tests.books import Books, won
from tests.database import ADA, FIRST, MEG, START, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY: Final = dt.date(2024, 2, 10)
NOBODY, SELF, OTHER, MANAGER, FORMER, ADMIN, MACHINE = (
    "nobody",
    "ada",
    "ben",
    "meg",
    "zoe",
    "ann",
    "loader",
)
CALLERS: Final = (NOBODY, SELF, OTHER, MANAGER, FORMER, ADMIN, MACHINE)
EVERYONE: Final = frozenset(CALLERS) - {NOBODY}
ALL: Final = frozenset(CALLERS)
OF_ADA: Final = frozenset((SELF, MANAGER, ADMIN))
OF_TEAM: Final = frozenset((MANAGER, ADMIN))
ADMINS: Final = frozenset((ADMIN,))
SENDERS: Final = frozenset((ADMIN, MACHINE))
PAYEE: Final = f"/v1/payees/{ADA}"

# (method, address as the document has it): (address to ask, who may). A refusal is 401 for nobody,
# 404 for others; 403 where it is the kind of thing that is refused.
TABLE: Final[Mapping[tuple[str, str], tuple[str, frozenset[str]]]] = {
    ("GET", "/v1/boards"): ("/v1/boards", EVERYONE),
    ("GET", "/v1/boards/{board_id}/standings"): ("/v1/boards/sellers/standings", EVERYONE),
    ("GET", "/v1/periods"): ("/v1/periods", EVERYONE),
    # Of whom each sees in these three: test_reference_reads.py.
    ("GET", "/v1/people"): ("/v1/people", EVERYONE),
    ("GET", "/v1/quotas"): ("/v1/quotas", EVERYONE),
    ("GET", "/v1/plans"): ("/v1/plans", EVERYONE),
    ("GET", "/v1/me"): ("/v1/me", EVERYONE),
    ("GET", "/v1/session"): ("/v1/session", EVERYONE),
    ("GET", "/v1/demo/users"): ("/v1/demo/users", ALL),
    ("GET", "/v1/payees/{payee_id}/progress"): (f"{PAYEE}/progress", OF_ADA),
    ("GET", "/v1/payees/{payee_id}/statements"): (f"{PAYEE}/statements", OF_ADA),
    ("GET", "/v1/payees/{payee_id}/statements/{period}"): (f"{PAYEE}/statements/{FIRST}", OF_ADA),
    ("GET", "/v1/payees/{payee_id}/statements/{period}/lines"): (
        f"{PAYEE}/statements/{FIRST}/lines",
        OF_ADA,
    ),
    ("GET", "/v1/payees/{payee_id}/feed"): (f"{PAYEE}/feed", OF_ADA),
    ("GET", "/v1/payees/{payee_id}/team"): (f"/v1/payees/{MEG}/team", OF_TEAM),
    ("GET", "/v1/deals"): (f"/v1/deals?payee_id={ADA}", OF_ADA),
    ("GET", "/v1/deals/{deal_id}"): ("/v1/deals/crm:A1", OF_ADA),
    ("GET", "/v1/credits"): (f"/v1/credits?payee_id={ADA}", OF_ADA),
    ("GET", "/v1/tracking"): ("/v1/tracking?deal_id=crm:A1", OF_ADA | {MACHINE}),
    ("GET", "/v1/tracking/{tracking_id}"): ("/v1/tracking/TRACKING", OF_ADA | {MACHINE}),
    ("GET", "/v1/held"): (f"/v1/held?payee_id={ADA}", OF_ADA),
    ("GET", "/v1/held/summary"): ("/v1/held/summary", EVERYONE),
    ("GET", "/v1/alerts"): (f"/v1/alerts?payee_id={ADA}", OF_ADA),
    ("GET", "/v1/alerts/{alert_id}"): ("/v1/alerts/none", frozenset()),
    ("GET", "/v1/not-eligible"): ("/v1/not-eligible", ADMINS),
    ("GET", "/v1/not-eligible/summary"): ("/v1/not-eligible/summary", ADMINS),
    ("GET", "/v1/dead-letters"): ("/v1/dead-letters", ADMINS),
    ("GET", "/v1/dead-letters/summary"): ("/v1/dead-letters/summary", ADMINS),
    ("GET", "/v1/dead-letters/{dead_letter_id}"): ("/v1/dead-letters/none", frozenset()),
    ("GET", "/v1/sources"): ("/v1/sources", ADMINS),
    ("GET", "/v1/admin"): ("/v1/admin", ADMINS),
    ("GET", "/v1/periods/{period_id}/lock"): (f"/v1/periods/{FIRST}/lock", ADMINS),
    ("GET", "/v1/imports"): ("/v1/imports", ADMINS),
    ("GET", "/v1/imports/template"): ("/v1/imports/template", ADMINS),
    ("GET", "/v1/imports/{import_id}"): ("/v1/imports/none", frozenset()),
    ("GET", "/v1/imports/{import_id}/errors"): ("/v1/imports/none/errors", frozenset()),
    ("GET", "/v1/mappings"): ("/v1/mappings", ADMINS),
    ("GET", "/v1/mappings/{mapping_id}"): ("/v1/mappings/none", frozenset()),
    ("GET", "/livez"): ("/livez", ALL),
    ("GET", "/readyz"): ("/readyz", ALL),
    # Changes: asked with a body that is refused, so that who may is told so and nothing moves.
    ("POST", "/v1/deals"): ("/v1/deals", SENDERS),
    ("POST", "/v1/imports/columns"): ("/v1/imports/columns", ADMINS),
    ("POST", "/v1/imports/deals"): ("/v1/imports/deals", ADMINS),
    ("POST", "/v1/imports/{import_id}/commit"): ("/v1/imports/none/commit", frozenset()),
    ("POST", "/v1/alerts/{alert_id}/acknowledge"): ("/v1/alerts/none/acknowledge", frozenset()),
    ("POST", "/v1/alerts/{alert_id}/notes"): ("/v1/alerts/none/notes", frozenset()),
    ("POST", "/v1/periods/{period_id}/lock"): ("/v1/periods/2024-Q2/lock", ADMINS),
    ("PUT", "/v1/mappings/{mapping_id}"): ("/v1/mappings/none", ADMINS),
    ("DELETE", "/v1/mappings/{mapping_id}"): ("/v1/mappings/none", frozenset()),
}
# Signing in and out is for everybody and has tests of its own.
ELSEWHERE: Final = {("POST", "/v1/session"), ("DELETE", "/v1/session"), ("GET", "/metrics")}
CHANNELS: Final = {
    f"payee:{ADA}": OF_ADA,
    f"team:{MEG}": OF_TEAM,
    f"team:{ADA}": frozenset(),
    "board:sellers": EVERYONE,
    "payee:none": frozenset(),
    "nothing": frozenset(),
}


@pytest.fixture(scope="module")
def books(settings: Settings) -> Iterator[Books]:
    """Ada's deal; and Zoe, who led Ada until yesterday."""
    yesterday = DAY - dt.timedelta(days=1)
    with connected(settings, "api") as conn:
        conn.execute(
            "INSERT INTO users (user_id, payee_id, role, name, demo) "
            "VALUES ('zoe', 'p-zoe', 'manager', 'Zoe', false)"
        )
        with reference_change(conn, actor="test", action="hire", entity="p-zoe") as change:
            change.put(
                "people",
                [{"payee_id": "p-zoe", "name": "Zoe", "role": "manager", "starts_on": START}],
            )
            change.put(
                "reporting_lines",
                [
                    {
                        "payee_id": ADA,
                        "manager_id": "p-zoe",
                        "starts_on": START,
                        "ends_on": yesterday,
                    },
                    {"payee_id": ADA, "manager_id": MEG, "starts_on": yesterday},
                ],
            )
    found = Books(settings)
    found.book(won("A1", "10.00", DAY))
    yield found
    found.close()


def headers(settings: Settings, caller: str) -> dict[str, str]:
    if caller == NOBODY:
        return {}
    if caller == FORMER:
        token = sessions.mint(
            settings.session_key,
            user_id="zoe",
            role=UserRole.MANAGER,
            payee_id="p-zoe",
            scopes=(),
            now=dt.datetime.now(dt.UTC),
            seconds=600,
        )
        return {"Authorization": f"Bearer {token}"}
    return bearer(settings, caller)


async def test_every_address_stands_in_the_table(api: Served) -> None:
    """A new one says who may see it before anybody can."""
    document = (await api.client.get("/v1/openapi.json")).json()
    known = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert known - ELSEWHERE == set(TABLE)


@pytest.mark.parametrize("caller", CALLERS)
async def test_the_table_holds_over_http(
    api: Served, settings: Settings, books: Books, caller: str
) -> None:
    """Every address for that caller."""
    wrong = []
    for (method, path), (asked, allowed) in TABLE.items():
        address = asked.replace("TRACKING", _tracking(settings))
        answer = await _ask(api, method, address, headers(settings, caller))
        if caller in allowed:
            is_right = answer.status_code not in (401, 403, 404)
        elif caller == NOBODY:
            is_right = answer.status_code == 401
        else:
            is_right = answer.status_code in (404, 403) and _is_bare(answer)
        if not is_right:
            wrong.append((method, path, answer.status_code))
    assert wrong == []


async def _ask(api: Served, method: str, address: str, given: Mapping[str, str]) -> httpx.Response:
    body: Any = {} if method in ("POST", "PUT") else None
    if "imports/" in address and method == "POST":
        return await api.client.request(method, address, content=b"", headers=given)
    if address.endswith(("acknowledge", "notes")):
        body = {"text": "x"}
    more = {"If-Match": '"1"'} if method in ("PUT", "DELETE") else {}
    return await api.client.request(method, address, json=body, headers={**given, **more})


def _tracking(settings: Settings) -> str:
    with connected(settings, "api") as conn:
        row = conn.execute("SELECT tracking_id FROM deal_revisions LIMIT 1").fetchone()
    assert row is not None
    found: str = row[0]
    return found


def _is_bare(answer: httpx.Response) -> bool:
    """A refusal says nothing of what is there."""
    problem = answer.json()
    return problem["status"] == 403 or (
        problem["title"] == "There is nothing here for you"
        and problem["detail"] == "It does not exist, or you may not see it."
        and "errors" not in problem
    )


async def test_a_refusal_is_that_of_what_does_not_exist(
    api: Served, settings: Settings, books: Books
) -> None:
    """Byte for byte but for the request id, in status, headers and body."""
    pairs = (
        (f"/v1/payees/{ADA}/progress", "/v1/payees/p-none/progress"),
        (f"/v1/payees/{ADA}/feed", "/v1/payees/p-none/feed"),
        (f"/v1/payees/{ADA}/statements", "/v1/payees/p-none/statements"),
        ("/v1/deals/crm:A1", "/v1/deals/crm:none"),
        (f"/v1/deals?payee_id={ADA}", "/v1/deals?payee_id=p-none"),
        (f"/v1/payees/{MEG}/team", "/v1/payees/p-none/team"),
        ("/v1/admin", "/v1/nothing"),
    )
    given = {**headers(settings, OTHER), "X-Request-ID": "same"}
    for there, nowhere in pairs:
        seen = await api.client.get(there, headers=given)
        none = await api.client.get(nowhere, headers=given)
        assert (seen.status_code, seen.content) == (none.status_code, none.content), there
        varying = ("date", "ratelimit")
        assert {k: v for k, v in seen.headers.items() if k not in varying} == {
            k: v for k, v in none.headers.items() if k not in varying
        }


@pytest.mark.parametrize("kind", ["expired", "forged", "garbage", "another company's"])
async def test_a_session_that_cannot_be_believed_is_nobody(
    api: Served, settings: Settings, kind: str
) -> None:
    """401 for every address, and the socket closes."""
    token = _unbelievable(settings, kind)
    given = {"Authorization": f"Bearer {token}"}
    for (method, path), (asked, allowed) in TABLE.items():
        if NOBODY not in allowed:
            answer = await _ask(api, method, asked, given)
            assert answer.status_code == 401, (method, path)
    async with opened(api) as live:
        await live.send(type="authenticate", token=token)
        assert await live.closed() == 4401


def _unbelievable(settings: Settings, kind: str) -> str:
    key = "k" * 40 if kind == "another company's" else settings.session_key
    now = dt.datetime.now(dt.UTC)
    made = sessions.mint(
        key,
        user_id="ann",
        role=UserRole.ADMIN,
        payee_id=None,
        scopes=(Scope.DEALS_WRITE,),
        now=now - dt.timedelta(hours=2 if kind == "expired" else 0),
        seconds=3_600,
    )
    if kind == "forged":
        head, _, tail = made.rpartition(".")
        return f"{head}.{tail[::-1]}"
    return "not-a-token" if kind == "garbage" else made


@pytest.mark.parametrize("caller", [one for one in CALLERS if one != NOBODY])
async def test_the_table_holds_over_the_socket(
    api: Served, settings: Settings, books: Books, caller: str
) -> None:
    """A snapshot for who may, the same refusal for everybody else."""
    token = headers(settings, caller)["Authorization"].removeprefix("Bearer ")
    async with opened(api) as live:
        await live.send(type="authenticate", token=token)
        assert (await live.next())["type"] == "hello"
        for channel, allowed in CHANNELS.items():
            await live.send(type="watch", channels=[channel])
            frame = await live.next()
            assert frame["channel"] == channel
            assert (frame["type"] != "error") == (caller in allowed), channel
            if frame["type"] == "error":
                assert frame["title"] == "There is nothing here for you"
            else:
                await live.send(type="unwatch", channels=[channel])
                await live.next("unwatched")
