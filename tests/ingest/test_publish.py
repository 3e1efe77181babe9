"""Bulk publishing on a real broker: keys, headers, and completeness behind all it speaks of."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.local.stack import Stack
from ingest import publish
from ingest.publish import PublishFailed, publish_deals
from schemas.cloudevents import read_headers
from schemas.messages import BY_TYPE, DealChanged, DealStatus, SourceCompleteThrough
from schemas.settings import Settings
from schemas.topics import DEALS
from tests.services import unique_name

PARTITIONS = 3
INSTANT = dt.datetime(2014, 3, 1, 8, tzinfo=dt.UTC)


def deal(number: int) -> DealChanged:
    return DealChanged(
        source="crm",
        key=str(number),
        deal_id=f"crm:{number}",
        revision=1,
        changed_on=dt.date(2014, 3, 1),
        status=DealStatus.OPEN,
    )


@pytest.fixture
def settings(stack: Stack) -> Iterator[Settings]:
    """A deals topic of this test's own."""
    made = Settings.from_environment({}).but(
        PACEBOARD_KAFKA=stack.kafka, PACEBOARD_TOPIC_PREFIX=unique_name("test")
    )
    topic = DEALS.full_name(made.topic_prefix)
    admin = KafkaAdminClient(bootstrap_servers=stack.kafka)
    admin.create_topics({topic: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    admin.wait_for_topics([topic])
    yield made
    admin.delete_topics([topic])
    admin.close()


def read_all(settings: Settings, ends: dict[int, int]) -> dict[int, list[Any]]:
    """Everything before `ends`, by partition."""
    topic = DEALS.full_name(settings.topic_prefix)
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    parts = [TopicPartition(topic, partition) for partition in ends]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    found: dict[int, list[Any]] = defaultdict(list)
    while any(consumer.position(part) < ends[part.partition] for part in parts):
        for part, records in consumer.poll(timeout_ms=500).items():
            found[part.partition].extend(records)
    consumer.close()
    return found


def test_history_with_its_completeness(settings: Settings) -> None:
    """Each deal once under its key, marked as history; the stamp last on every partition."""
    said: list[int] = []
    published = publish_deals(
        settings,
        (deal(number) for number in range(1_100)),
        is_replay=True,
        complete_through=("crm", INSTANT),
        progress=said.append,
    )
    assert published.deals == 1_100
    assert said == [500, 1_000, 1_100]
    found = read_all(settings, published.ends)
    assert set(found) == set(range(PARTITIONS))
    keys = []
    for records in found.values():
        *deals, last = records
        for record in deals:
            attributes = read_headers(record.headers)
            assert attributes.is_replay
            assert attributes.type == "paceboard.deal.changed.v1"
            decoded = msgspec.json.decode(record.value, type=DealChanged)
            assert record.key.decode() == decoded.deal_id
            keys.append(decoded.key)
        stamp = read_headers(last.headers)
        assert stamp.type is not None
        assert BY_TYPE[stamp.type].struct is SourceCompleteThrough
        assert not stamp.is_replay
        decoded_stamp = msgspec.json.decode(last.value, type=SourceCompleteThrough)
        assert decoded_stamp.complete_through == INSTANT
    assert sorted(keys, key=int) == [str(number) for number in range(1_100)]


def test_live_deals_are_not_marked(settings: Settings) -> None:
    """A demo under the business clock is live."""
    published = publish_deals(settings, [deal(1)], is_replay=False)
    ((record,),) = read_all(settings, published.ends).values()
    assert not read_headers(record.headers).is_replay


def test_no_topic_is_a_failure(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is created in passing: a misspelt prefix must not swallow deals."""
    monkeypatch.setattr(publish, "_BLOCK_SECONDS_MAX", 2)
    settings = Settings.from_environment({}).but(
        PACEBOARD_KAFKA=stack.kafka, PACEBOARD_TOPIC_PREFIX=unique_name("nowhere")
    )
    with pytest.raises(PublishFailed, match="nowhere"):
        publish_deals(settings, [deal(1)], is_replay=True)
