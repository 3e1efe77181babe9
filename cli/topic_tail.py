"""The records of a topic, as lines of JSON: what a subscriber gets, for people to look at."""

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from cli.failures import Failure
from cli.topic_admin import admin
from schemas.cloudevents import instant_text
from schemas.settings import Settings
from schemas.topics import BY_NAME, TOPICS, Topic

_POLL_MS: Final = 500


class Wanted(NamedTuple):
    """Which records are shown."""

    topic: Topic
    is_from_beginning: bool = False
    is_until_end: bool = False  # stop where the topic ends now
    key: str | None = None
    records_max: int | None = None


def topic_called(name: str, prefix: str) -> Topic:
    """A topic by its short or its full name; raises Failure for any other."""
    found = BY_NAME.get(name.removeprefix(f"{prefix}."))
    if found is None:
        raise Failure(
            f"there is no topic {name}", f"use {', '.join(topic.name for topic in TOPICS)}"
        )
    return found


def lines(settings: Settings, wanted: Wanted) -> Iterator[str]:
    """One line a record, in the order of each partition; without an end unless one is wanted."""
    found = (
        record
        for record in _records(settings, wanted)
        if wanted.key is None or _text(record.key) == wanted.key
    )
    for record in islice(found, wanted.records_max):
        yield line(wanted.topic.name, record)


def line(topic: str, record: Any) -> str:
    """A record as JSON: its place, its time, its key, its headers, its value."""
    shown = {
        "topic": topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": instant_text(dt.datetime.fromtimestamp(record.timestamp / 1_000, dt.UTC)),
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        "value": _value(record.value),
    }
    return msgspec.json.encode(shown).decode()


def _records(settings: Settings, wanted: Wanted) -> Iterator[Any]:
    partitions = _partitions(settings, wanted.topic)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka.split(","),
        group_id=None,  # it reads for itself: nobody's offsets move
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        for partition in partitions:
            if wanted.is_from_beginning:
                consumer.seek_to_beginning(partition)
            else:
                consumer.seek(partition, ends[partition])
        while not (wanted.is_until_end and _has_read(consumer, ends)):
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                yield from records
    finally:
        consumer.close()


def _partitions(settings: Settings, topic: Topic) -> list[TopicPartition]:
    name = topic.full_name(settings.topic_prefix)
    with admin(settings) as client:
        if name not in client.list_topics():
            raise Failure(f"there is no topic {name} on Kafka", "make it: paceboard topics create")
        (found,) = client.describe_topics([name])
    numbers = sorted(partition["partition_index"] for partition in found["partitions"])
    return [TopicPartition(name, number) for number in numbers]


def _has_read(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    try:
        return all(consumer.position(partition) >= end for partition, end in ends.items())
    except KafkaError:  # not known yet
        return False


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _value(value: bytes | None) -> object:
    """JSON as it is; anything else as text, undecodable bytes replaced."""
    if value is None:
        return None
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(value)
    return msgspec.Raw(value)
