"""A deals topic that no worker would read: senders and operators are told, and nothing is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions

from api import outbound
from api.partitions import AWAY, NO_TOPIC, obstacle
from db import installation
from schemas.settings import Settings
from schemas.topics import DEALS
from tests.api.support import Served, deal, served, with_topics
from tests.services import unique_name

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISFIT = "the deals topic has 5 partitions, the database expects 12"


def other_count(settings: Settings, count: int = 5) -> Settings:
    """The same company on topics of which the deals have another count."""
    return with_topics(settings, unique_name("count"), partitions={DEALS.name: count})


def records(settings: Settings) -> int:
    """How many records the deals topic has."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    name = DEALS.full_name(settings.topic_prefix)
    try:
        partitions = consumer.partitions_for_topic(name)
        ends = consumer.end_offsets([TopicPartition(name, n) for n in partitions])
        return sum(ends.values())
    finally:
        consumer.close()


def is_told(answer: httpx.Response) -> dict[str, Any]:
    """The sender's problem: both counts, nothing sent, what to do."""
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert MISFIT.removeprefix("the ") in problem["detail"]
    assert "Nothing was sent" in problem["detail"]
    assert "paceboard topics create" in problem["detail"]
    return problem


async def test_from_the_first_request_on(settings: Settings) -> None:
    """One, many, one among bad ones: 503. What breaks the contract is 422 as ever."""
    settings = other_count(settings)
    async with served(settings) as api:
        error = is_told(await api.post_deals(deal("p1")))["errors"][0]
        assert error["code"] == "wrong_partition_count"
        assert error["deal_id"] == "crm:p1"
        assert MISFIT.removeprefix("the ") in error["detail"]
        assert "Send it again" in error["remedy"] and "PACEBOARD_TOPIC_PREFIX" in error["remedy"]
        mixed = is_told(await api.post_deals([deal("p2"), deal("p3", amount=1), deal("p4")]))
        codes = [error["code"] for error in mixed["errors"]]
        assert codes == ["wrong_partition_count", "breaks_contract", "wrong_partition_count"]
        assert (await api.post_deals(deal(amount=1))).status_code == 422
        metrics = (await api.get("/metrics")).text
        assert 'paceboard_deals_posted_total{outcome="not_recorded"} 3.0' in metrics
    assert records(settings) == 0


async def test_readyz_names_it(settings: Settings) -> None:
    async with served(other_count(settings)) as api:
        answer = await api.get("/readyz")
        found = answer.json()
        assert (answer.status_code, found["ready"]) == (503, False)
        (reason,) = found["reasons"]
        assert reason.startswith(f"kafka: {MISFIT}; ")
        assert "paceboard topics create" in reason and "docs/operating.md" in reason
        assert found["deals_partitions"] == 5
        assert (await api.get("/livez")).status_code == 200


async def test_partitions_added_by_hand_are_noticed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the producer's metadata, which is at most METADATA_MS old."""
    monkeypatch.setattr(outbound, "METADATA_MS", 100)
    settings = other_count(settings, DEALS.partitions)
    async with served(settings) as api:
        assert (await api.post_deals(deal("before"))).status_code == 202
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
        name = DEALS.full_name(settings.topic_prefix)
        admin.create_partitions({name: NewPartitions(13)})
        admin.close()
        answer = await until_503(api)
        assert "has 13 partitions, the database expects 12" in answer.json()["detail"]


async def until_503(api: Served) -> httpx.Response:
    async with asyncio.timeout(20):
        while (answer := await api.post_deals(deal("after"))).status_code == 202:
            await asyncio.sleep(0.05)
    assert answer.status_code == 503
    return answer


async def test_no_post_asks_the_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The expectation comes with the sweep; while the database is away the last one known holds."""
    monkeypatch.setattr("schemas.limits.LIVE_REFERENCE_SECONDS", 3_600)
    async with served(other_count(settings)) as api:

        def away(*_: object) -> None:
            raise AssertionError("the database was asked")

        monkeypatch.setattr(installation, "read", away)
        monkeypatch.setattr(api.services.pool, "getconn", away)
        is_told(await api.post_deals(deal("quiet")))


async def test_a_database_that_never_answered_hinders_no_deal(settings: Settings) -> None:
    """Nobody can say what the count should be: Kafka decides, and the worker refuses if need be."""
    gone = {"PACEBOARD_API_DATABASE_URL": "postgresql://paceboard_api:x@127.0.0.1:1/x"}
    async with served(settings.but(**gone)) as api:
        assert api.services.worlds.deals_partitions() is None
        assert (await api.post_deals(deal("alone"))).status_code == 202


async def test_without_a_topic_the_sender_is_told_so(settings: Settings) -> None:
    async with served(settings.but(PACEBOARD_TOPIC_PREFIX=unique_name("none"))) as api:
        answer = await api.post_deals(deal("nowhere"))
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("There is no deals topic. Nothing was sent.")
        assert answer.json()["errors"][0]["code"] == "not_recorded"


async def test_what_is_in_the_way() -> None:
    """An expectation nobody could read yet is no obstacle."""
    assert obstacle(None, None) is obstacle(None, 12) is AWAY
    assert obstacle(0, None) is obstacle(0, 12) is NO_TOPIC
    assert obstacle(12, 12) is obstacle(5, None) is None
    found = obstacle(5, 12)
    assert found is not None and found.what == MISFIT
