"""What the jobs, the standings and the alerts publish by: synchronous, acknowledged, from a thread.

The deals processor publishes through its Log (streams/ports.py); this is for all who write little
and must know that it is there before they go on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas import limits
from schemas.cloudevents import REPLAY_HEADER, event_id, headers
from schemas.messages import BINDINGS, Message
from schemas.settings import Settings
from schemas.topics import BY_NAME

Ends = dict[tuple[str, int], int]  # (topic's short name, partition) -> offset after the last record


class PublishFailed(Exception):
    """The broker did not acknowledge: some of the messages may be there, some not. Send again."""


class Outbound(Protocol):
    """Where messages go. Both methods return when all replicas in sync have them (acks=all)."""

    def publish(
        self,
        messages: Sequence[Message],
        *,
        is_replay: bool = False,
        partition: int | None = None,
    ) -> Ends:
        """Write in order, by key unless a partition is given. Raises PublishFailed."""
        ...

    def broadcast(self, message: Message) -> Ends:
        """Write the message to every partition of its topic. Raises PublishFailed."""
        ...


class KafkaOutbound:
    """A small producer of its own, made at first use; idempotent: a retry does not reorder."""

    def __init__(self, settings: Settings, *, source: str = "paceboard/jobs") -> None:
        self._servers = settings.kafka.split(",")
        self._prefix = settings.topic_prefix
        self._source = source
        self._producer: KafkaProducer | None = None

    def publish(
        self,
        messages: Sequence[Message],
        *,
        is_replay: bool = False,
        partition: int | None = None,
    ) -> Ends:
        """Write in order, by key unless a partition is given. Raises PublishFailed."""
        with self._failing_loudly():
            return self._written([(message, partition) for message in messages], is_replay)

    def broadcast(self, message: Message) -> Ends:
        """Write the message to every partition of its topic. Raises PublishFailed."""
        with self._failing_loudly():
            partitions = self._open().partitions_for(self._topic_of(message))
            return self._written([(message, n) for n in sorted(partitions)], is_replay=False)

    def close(self) -> None:
        """Wait for what is under way, at most PUBLISH_SECONDS_MAX; the next use opens it again."""
        if self._producer is not None:
            self._producer.close(timeout=limits.PUBLISH_SECONDS_MAX)
            self._producer = None

    def _written(self, sends: Sequence[tuple[Message, int | None]], is_replay: bool) -> Ends:
        now = dt.datetime.now(dt.UTC)
        pending = [(message, self._send(message, n, is_replay, now)) for message, n in sends]
        ends: Ends = {}
        for message, future in pending:
            written = future.get(timeout=limits.PUBLISH_SECONDS_MAX)
            place = BINDINGS[type(message)].topic, written.partition
            ends[place] = max(written.offset + 1, ends.get(place, 0))
        return ends

    def _send(
        self, message: Message, partition: int | None, is_replay: bool, now: dt.datetime
    ) -> Any:
        attributes = headers(message, id=event_id(message), time=now, source=self._source)
        if is_replay:
            attributes.append((REPLAY_HEADER, b"true"))
        return self._open().send(
            self._topic_of(message),
            key=BINDINGS[type(message)].key(message).encode(),
            value=msgspec.json.encode(message),
            headers=attributes,
            partition=partition,
        )

    def _topic_of(self, message: Message) -> str:
        return BY_NAME[BINDINGS[type(message)].topic].full_name(self._prefix)

    def _open(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                batch_size=limits.PRODUCER_BATCH_BYTES,
                max_block_ms=limits.PUBLISH_SECONDS_MAX * 1_000,
                delivery_timeout_ms=limits.PUBLISH_SECONDS_MAX * 1_000,
                request_timeout_ms=limits.PUBLISH_SECONDS_MAX * 500,
                allow_auto_create_topics=False,
            )
        return self._producer

    @contextmanager
    def _failing_loudly(self) -> Iterator[None]:
        """After a failure the producer's order is not to be trusted: the next use opens another."""
        try:
            yield
        except KafkaError as error:
            failed, self._producer = self._producer, None
            if failed is not None:
                failed.close(timeout=0)
            raise PublishFailed(str(error)) from error
