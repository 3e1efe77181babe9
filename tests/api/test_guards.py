"""What stands before every handler: keys that make a POST happen once, budgets, body limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schemas import limits
from schemas.settings import Settings
from tests.api.support import Served, bearer, deal, served
from tests.database import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = "Idempotency-Key"


async def _post(
    api: Served, body: Any, key: str, user: str = "ann", path: str = "/v1/deals"
) -> Any:
    headers = {**bearer(api.settings, user), KEY: key}
    return await api.client.post(path, json=body, headers=headers)


async def test_the_same_key_gives_the_first_answer_again(api: Served) -> None:
    """Byte for byte, marked; the key of another caller is another key."""
    first = await _post(api, deal("K1"), "one")
    again = await _post(api, deal("K1"), "one")
    assert first.status_code == again.status_code == 202
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = await _post(api, deal("K1"), "one", "abe")
    assert "idempotency-replayed" not in other.headers


async def test_the_same_key_with_another_body_is_refused(api: Served) -> None:
    """422, and nothing is done; a refused request's answer is kept as well."""
    await _post(api, deal("K2"), "two")
    other = await _post(api, deal("K2", amount="9.00"), "two")
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-mismatch")
    bad = await _post(api, {"source": "crm"}, "bad")
    same = await _post(api, {"source": "crm"}, "bad")
    assert bad.status_code == same.status_code == 422
    assert same.headers["idempotency-replayed"] == "true"


async def test_concurrent_requests_with_one_key_have_one_effect(
    api: Served, settings: Settings
) -> None:
    """One runs; the others are told to come again, or get its answer. One note is written."""
    with connected(settings, "worker") as conn:
        conn.execute(
            "INSERT INTO alerts (subject, kind, period_id, alert_id, payee_id, state, version,"
            " memory, content, raised_on) VALUES ('p-ada.FY2024', 'off_pace', '2024-Q1', 'al-1',"
            " 'p-ada', 'raised', 1, '{}', %s::json, '2024-02-01') ON CONFLICT DO NOTHING",
            (json.dumps(ALERT),),
        )
        conn.execute(
            "INSERT INTO alert_events (booked_at, alert_id, event, subject, kind, period_id,"
            " payee_id, business_date, content) VALUES (clock_timestamp(), 'al-1', 'raised',"
            " 'p-ada.FY2024', 'off_pace', '2024-Q1', 'p-ada', '2024-02-01', %s::json)",
            (json.dumps(ALERT),),
        )
    path = "/v1/alerts/al-1/notes"
    answers = await asyncio.gather(
        *(_post(api, {"text": "once"}, "many", path=path) for _ in range(8))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 409}, [answer.text for answer in answers]
    assert all("retry-after" in one.headers for one in answers if one.status_code == 409)
    last = await _post(api, {"text": "once"}, "many", path=path)
    assert last.status_code == 200 and last.headers["idempotency-replayed"] == "true"
    with connected(settings, "api") as conn:
        notes = conn.execute("SELECT count(*) FROM notes WHERE subject = 'alert/al-1'").fetchone()
    assert notes == (1,)


ALERT = {
    "alert_id": "al-1",
    "subject": "p-ada.FY2024",
    "kind": "off_pace",
    "period": "2024-Q1",
    "payee_id": "p-ada",
    "manager_id": "p-meg",
    "severity": "warning",
    "version": 1,
    "business_date": "2024-02-01",
    "raised_on": "2024-02-01",
    "attainment_ratio": "0.1",
    "expected_share": "0.5",
    "pace_ratio": "0.2",
    "threshold": "0.85",
    "first_value": "0.2",
    "credited": "10000",
    "quota": "100000",
    "currency": "USD",
    "curve": "working_days",
    "suggested_action": "Look at it.",
}


@pytest.mark.parametrize("key", ["", "x" * 201, "é"])
async def test_a_key_that_is_none_is_refused(api: Served, key: str) -> None:
    headers = {**bearer(api.settings, "ann"), KEY: key.encode()}  # type: ignore[dict-item]
    answer = await api.client.post("/v1/deals", json=deal("K3"), headers=headers)
    assert answer.status_code == 400
    assert KEY in answer.text


async def test_a_body_that_is_too_large_is_refused_however_it_comes(api: Served) -> None:
    """With its length said, and in parts without one; the next request on the socket is fine."""
    size = limits.BODY_BYTES_MAX + 1
    said = await api.post_deals(b"x" * size)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // 65_536 + 1):
            yield b"x" * 65_536

    headers = {**bearer(api.settings, "ann"), "Content-Type": "application/json"}
    unsaid = await api.client.post("/v1/deals", content=parts(), headers=headers)
    for answer in (said, unsaid):
        assert answer.status_code == 413, answer.text
        assert answer.json()["type"].endswith("too-large")
    assert (await api.post_deals(deal("K4"))).status_code == 202


async def test_a_body_of_another_kind_is_refused(api: Served) -> None:
    headers = {**bearer(api.settings, "ann"), "Content-Type": "text/xml"}
    answer = await api.client.post("/v1/deals", content=b"<deal/>", headers=headers)
    assert answer.status_code == 415


async def test_every_answer_has_a_request_id_and_repeats_the_callers_own(api: Served) -> None:
    """Also a refusal's; one that could not stand in a log is replaced."""
    own = await api.get("/v1/me", "ada", headers={"X-Request-ID": "mine-1"})
    assert own.headers["x-request-id"] == "mine-1"
    for path in ("/v1/me", "/v1/nothing", "/livez"):
        assert (await api.get(path)).headers["x-request-id"]
    odd = await api.get("/v1/me", "ada", headers={"X-Request-ID": "a b" * 100})
    assert odd.headers["x-request-id"] != "a b" * 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def narrow(settings: Settings) -> AsyncIterator[Served]:
    """A server with a small budget."""
    async with served(settings.but(PACEBOARD_RATE_READS="1/5")) as running:
        yield running


async def test_who_asks_too_much_waits_and_nobody_else(narrow: Served) -> None:
    """429 with Retry-After once his budget is spent; another caller is not slowed by it."""
    answers = [await narrow.get("/v1/me", "ada") for _ in range(8)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:5] == [200] * 5 and 429 in statuses[5:]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["ratelimit"].startswith('"reads";r=0')
    assert refused.json()["type"].endswith("too-many-requests")
    assert (await narrow.get("/v1/me", "ben")).status_code == 200
