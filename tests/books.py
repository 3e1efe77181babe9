"""Deals booked without Kafka: the worker's own batch protocol on a real database, step by step."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from db import clock
from db.store import PostgresStore
from db.tables import metadata
from schemas.cloudevents import REPLAY_HEADER
from schemas.messages import (
    BINDINGS,
    DealChanged,
    DealStatus,
    Message,
    ProgressChanged,
    SourceCompleteThrough,
)
from schemas.settings import Settings
from schemas.topics import BY_NAME, DEALS
from streams.batch import BatchProtocol
from streams.facts import outgoing
from streams.outbound import Ends, PublishFailed
from streams.ports import Record, Slice
from tests.database import ADA, connected


class Books:
    """One worker's hold on all partitions; each call books one batch in partition 0."""

    def __init__(self, settings: Settings) -> None:
        self._store = PostgresStore(settings, DEALS.full_name(settings.topic_prefix))
        self._protocol = BatchProtocol(self._store, DEALS.full_name(settings.topic_prefix))
        partitions = range(DEALS.partitions)
        self._protocol.claimed(self._store.claim(partitions, "test"))
        self._next = dict(self._protocol.expected)

    def book(self, *messages: Message, is_replay: bool = False) -> list[ProgressChanged]:
        """Book them and note them as published; the progress that a worker would publish."""
        return self._transact([self._slice(0, messages, is_replay)])

    def complete_through(self, at: dt.datetime, source: str = "crm") -> None:
        """What a source says in every partition once all it sent before is acknowledged."""
        message = SourceCompleteThrough(source=source, complete_through=at)
        self._transact([self._slice(n, [message], False) for n in range(DEALS.partitions)])

    def close(self) -> None:
        self._store.close()

    def _slice(self, partition: int, messages: Sequence[Message], is_replay: bool) -> Slice:
        records = []
        for message in messages:
            headers = [("ce_type", BINDINGS[type(message)].type.encode())]
            if is_replay:
                headers.append((REPLAY_HEADER, b"true"))
            value = msgspec.json.encode(message)
            records.append(Record(self._next[partition], b"k", value, headers))
            self._next[partition] += 1
        return Slice(partition, records, 1, records[0].offset)

    def _transact(self, slices: Sequence[Slice]) -> list[ProgressChanged]:
        progress = []
        for committed in self._protocol.transact(self._protocol.prepare(slices)):
            for record in outgoing(committed.facts, committed.reference):
                if record.topic == "progress":
                    progress.append(msgspec.json.decode(record.value, type=ProgressChanged))
            self._protocol.published_to.update(committed.nexts)
        self._protocol.note_published([slice_.partition for slice_ in slices])
        return progress


def won(
    key: str, amount: str, on: dt.date, *, owner: str = ADA, revision: int = 1, **fields: Any
) -> DealChanged:
    """A deal won on a date by the payee whose key is his id without the prefix."""
    return DealChanged(
        source="crm",
        key=key,
        deal_id=f"crm:{key}",
        revision=revision,
        changed_on=on,
        status=fields.pop("status", DealStatus.WON),
        amount=amount,
        currency="USD",
        closed_on=on,
        owner_key=owner.removeprefix("p-"),
        **fields,
    )


def set_day(settings: Settings, day: dt.date) -> None:
    """Stop the business clock at noon of that date (UTC: the same date in New York)."""
    with connected(settings, "api") as conn:
        clock.append(
            conn,
            real=dt.datetime.now(dt.UTC),
            business=dt.datetime.combine(day, dt.time(16), tzinfo=dt.UTC),
            rate=Decimal(0),
            set_by="test",
        )


def emptied(settings: Settings) -> None:
    """All tables of a database emptied: much quicker than a database of each test's own."""
    with connected(settings, "owner") as conn:
        conn.execute(";".join(f"DELETE FROM {table}" for table in metadata.tables).encode())


class Heard:
    """An Outbound that remembers what it was given, and fails when told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broadcasts: list[Message] = []
        self.failures = 0
        self._ends: Ends = {}

    def publish(
        self,
        messages: Sequence[Message],
        *,
        is_replay: bool = False,
        partition: int | None = None,
    ) -> Ends:
        if self.failures:
            self.failures -= 1
            raise PublishFailed("as the test asked")
        ends: Ends = {}
        for message in messages:
            binding = BINDINGS[type(message)]
            count = BY_NAME[binding.topic].partitions
            place = zlib.crc32(binding.key(message).encode()) % count
            ends |= self._written(binding.topic, place if partition is None else partition)
            self.messages.append(message)
        return ends

    def broadcast(self, message: Message) -> Ends:
        self.broadcasts.append(message)
        topic = BY_NAME[BINDINGS[type(message)].topic]
        ends: Ends = {}
        for partition in range(topic.partitions):
            ends |= self._written(topic.name, partition)
        return ends

    def of(self, kind: type[Message]) -> list[Any]:
        """What was published of that kind so far, which is forgotten then."""
        found = [message for message in self.messages if isinstance(message, kind)]
        self.messages = [message for message in self.messages if not isinstance(message, kind)]
        return found

    def _written(self, topic: str, partition: int) -> Ends:
        end = self._ends.get((topic, partition), 0) + 1
        self._ends[topic, partition] = end
        return {(topic, partition): end}
