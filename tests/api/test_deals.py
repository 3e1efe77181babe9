"""POST /v1/deals: checked, acknowledged by Kafka, then 202; everything else is a problem."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.partitioner import murmur2

from api.outbound import KafkaDeals
from schemas import limits
from schemas.cloudevents import read_headers
from schemas.ids import tracking_id
from schemas.settings import Settings
from schemas.topics import DEALS
from tests.api.support import Served, cookie, deal, served, token

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def recorded(settings: Settings) -> list[Any]:
    """All records of the deals topic."""
    consumer = AIOKafkaConsumer(
        DEALS.full_name(settings.topic_prefix),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        group_id=None,
    )
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[Any] = []
        while sum(ends.values()) > len(found):
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                found.extend(records)
        return found


async def test_one_deal_is_on_the_topic_when_it_is_answered(api: Served) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await api.post_deals(deal("one"), traceparent=trace)
    records = [r for r in await recorded(api.settings) if r.key == b"crm:one"]
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], body["refused"], body["not_recorded"]) == (1, 0, 0)
    assert len(records) == 1
    record = records[0]
    attributes = read_headers(record.headers)
    assert json.loads(record.value)["amount"] == "1000.00"
    assert attributes.type == "paceboard.deal.changed.v1"
    assert attributes.id == body["deals"][0]["tracking_id"]
    assert attributes.source == "paceboard/api"
    assert attributes.is_replay is False
    assert attributes.traceparent is not None
    assert attributes.traceparent.split("-")[1] == trace.split("-")[1]
    assert record.partition == (murmur2(b"crm:one") & 0x7FFFFFFF) % DEALS.partitions


async def test_the_tracking_id_is_of_the_content(api: Served) -> None:
    async def tracked(**fields: Any) -> str:
        answer = await api.post_deals(deal("track", **fields))
        return str(answer.json()["deals"][0]["tracking_id"])

    first = await tracked()
    assert first == await tracked()
    assert first != await tracked(amount="1000.01")
    assert first != await tracked(revision=2)
    assert first != tracking_id("crm", "track", 1, "")


async def test_history_is_marked(api: Served) -> None:
    await api.post_deals(deal("old"), **{"Paceboard-Replay": "true"})
    records = [r for r in await recorded(api.settings) if r.key == b"crm:old"]
    assert [read_headers(record.headers).is_replay for record in records] == [True]


async def test_a_mixed_batch_is_answered_item_by_item(api: Served) -> None:
    items = [deal("m0"), deal("m1", amount=1.5), deal("m2"), {"deal_id": "crm:m3"}]
    answer = await api.post_deals(items)
    body = answer.json()
    assert answer.status_code == 202
    assert [item["status"] for item in body["deals"]] == [
        "accepted",
        "refused",
        "accepted",
        "refused",
    ]
    assert body["deals"][1]["error"]["pointer"] == "/1/amount"
    assert body["deals"][3]["deal_id"] == "crm:m3"
    keys = {record.key for record in await recorded(api.settings)}
    assert {b"crm:m0", b"crm:m2"} <= keys
    assert not {b"crm:m1", b"crm:m3"} & keys


async def test_a_currency_we_do_not_know_is_accepted_and_held_later(api: Served) -> None:
    assert (await api.post_deals(deal("xyz", currency="XQQ"))).status_code == 202


SPLITS = [{"payee_key": "ada", "share": "0.5"}, {"payee_key": "ben", "share": "0.4"}]
REFUSED = {
    "an amount as a number": (deal(amount=1000.0), "breaks_contract", "/amount"),
    "an amount with an exponent": (deal(amount="1e3"), "breaks_contract", "/amount"),
    "an amount that is none": (deal(amount="NaN"), "breaks_contract", "/amount"),
    "a field that does not exist": (deal(amuont="1"), "breaks_contract", "/amuont"),
    "a field that does not exist, deep": (
        deal(lines=[{"amount": "1000.00", "sku/x": "1"}]),
        "breaks_contract",
        "/lines/0/sku~1x",
    ),
    "a currency that is none": (deal(currency="usd"), "breaks_contract", "/currency"),
    "no revision": (deal(revision=None), "breaks_contract", ""),
    "shares that do not sum": (deal(splits=SPLITS), "splits_do_not_sum", "/splits"),
    "lines that do not sum": (
        deal(lines=[{"amount": "1.00"}]),
        "lines_do_not_sum",
        "/lines",
    ),
    "won without a date": (deal(closed_on=None), "won_without_date", "/closed_on"),
    "won without an amount": (deal(amount=None), "won_without_amount", "/amount"),
    "a date out of range": (deal(closed_on="1066-10-14"), "date_out_of_range", "/closed_on"),
    "a character no database holds": (deal(name="a\x00b"), "breaks_contract", ""),
    "an id without its source": (deal(deal_id="x"), "breaks_contract", "/deal_id"),
}


@pytest.mark.parametrize(("body", "code", "pointer"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_deal_that_breaks_the_contract(
    api: Served, body: Any, code: str, pointer: str
) -> None:
    answer = await api.post_deals(body)
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["x-request-id"]
    error = problem["errors"][0]
    assert (error["code"], error["pointer"]) == (code, pointer)
    assert error["detail"] and error["remedy"]


WHOLE = {
    "not JSON": (b"{", 400),
    "empty": (b"", 400),
    "not UTF-8": (b'{"source": "\xff"}', 400),
    "a list that is not JSON": (b"[{}, tru]", 400),
    "deeper than anyone nests": (b"[" * 100_000, 400),
    "a number": (b"5", 422),
    "an empty list": (b"[]", 422),
    "too many": (b"[" + b",".join([b"{}"] * (limits.POST_DEALS_MAX + 1)) + b"]", 422),
    "too large": (b" " * (limits.BODY_BYTES_MAX + 1), 413),
}


@pytest.mark.parametrize(("body", "status"), WHOLE.values(), ids=WHOLE.keys())
async def test_a_body_that_is_no_deals(api: Served, body: bytes, status: int) -> None:
    answer = await api.post_deals(body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_does_not_say_its_length_is_limited_too(api: Served) -> None:
    async def endless() -> Any:
        for _ in range(2 * limits.BODY_BYTES_MAX // 100_000):
            yield b" " * 100_000
            await asyncio.sleep(0)  # the server runs in this loop

    headers = {"Authorization": f"Bearer {token(api.settings, 'loader')}"}
    answer = await api.client.post("/v1/deals", content=endless(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(("user_id", "status"), [("ada", 403), ("meg", 403), ("ann", 202)])
async def test_who_may_post(api: Served, user_id: str, status: int) -> None:
    assert (await api.post_deals(deal("role"), user_id)).status_code == status


async def test_nobody_posts_without_a_session(api: Served) -> None:
    answer = await api.post_deals(deal(), None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("origin", "status"), [(None, 403), ("http://evil.example", 403), ("null", 403), ("own", 202)]
)
async def test_a_cookie_is_good_from_our_own_pages_only(
    api: Served, origin: str | None, status: int
) -> None:
    headers = cookie(api.settings, "ann")
    if origin is not None:
        headers["Origin"] = f"http://{api.host}" if origin == "own" else origin
    answer = await api.client.post("/v1/deals", json=deal("cookie"), headers=headers)
    assert answer.status_code == status


async def test_without_kafka_nothing_is_said_to_be_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaDeals.__init__, "__kwdefaults__", {"seconds": 0.5})
    async with served(settings.but(PACEBOARD_KAFKA="127.0.0.1:1")) as api:
        answer = await api.post_deals([deal("dead"), deal("bad", amount=1)])
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        codes = [error["code"] for error in answer.json()["errors"]]
        assert codes == ["not_recorded", "breaks_contract"]
        assert (await api.post_deals(deal(amount=1))).status_code == 422
        metrics = (await api.get("/metrics")).text
        assert 'paceboard_deals_posted_total{outcome="not_recorded"} 1.0' in metrics
        assert 'paceboard_deals_posted_total{outcome="breaks_contract"} 2.0' in metrics
        ready = await api.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["reasons"][0].startswith("kafka:")
