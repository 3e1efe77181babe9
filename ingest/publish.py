"""Deals to Kafka in bulk: idempotent, acknowledged by all replicas, completeness said last.

`SourceCompleteThrough` promises that everything before it has been sent, so it goes out only after
all of that is acknowledged, and to every partition.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas import limits
from schemas.cloudevents import REPLAY_HEADER, event_id, headers
from schemas.messages import BINDINGS, DealChanged, Message, SourceCompleteThrough
from schemas.settings import Settings
from schemas.topics import DEALS

SOURCE: Final = "paceboard/load"
PROGRESS_EVERY: Final = 500
_SECONDS_MAX: Final = 60
_BLOCK_SECONDS_MAX: Final = 60  # for a topic that is not there, or a full buffer

Progress = Callable[[int], None]


class PublishFailed(Exception):
    """The broker has not acknowledged all. Some may be there; sending all again is harmless."""


class Published(NamedTuple):
    """How many deals were acknowledged, and the first offset behind them by partition."""

    deals: int
    ends: dict[int, int]


class Publisher:
    """A producer of deals; use it as a context manager. Every failure is raised by `flush`."""

    def __init__(self, settings: Settings, *, source: str = SOURCE) -> None:
        self._topic = DEALS.full_name(settings.topic_prefix)
        self._source = source
        self._ends: dict[int, int] = {}
        self._failure: Exception | None = None
        self._encoder = msgspec.json.Encoder()
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=settings.kafka.split(","),
                acks="all",
                enable_idempotence=True,
                linger_ms=100,  # `flush` does not wait for it; small batches cost a switch each
                batch_size=limits.PRODUCER_BATCH_BYTES,
                max_block_ms=_BLOCK_SECONDS_MAX * 1_000,
                delivery_timeout_ms=_SECONDS_MAX * 1_000,
                allow_auto_create_topics=False,
            )
        except KafkaError as error:
            raise PublishFailed(f"no Kafka at {settings.kafka}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._producer.close(timeout=_SECONDS_MAX if error is None else 1)

    def send(self, deal: DealChanged, *, is_replay: bool) -> None:
        """Hand a deal to the producer; it is sent once `flush` has returned."""
        self._send(deal, is_replay=is_replay)

    def complete_through(self, source: str, instant: dt.datetime) -> None:
        """Say on every partition that all up to `instant` has been sent: flushes before and after.

        Raises PublishFailed.
        """
        self.flush()
        message = SourceCompleteThrough(source=source, complete_through=instant)
        for partition in self._partitions():
            self._send(message, partition=partition)
        self.flush()

    def flush(self) -> dict[int, int]:
        """Wait until all is acknowledged; the first offset behind it by partition.

        Raises PublishFailed.
        """
        try:
            self._producer.flush(timeout=_SECONDS_MAX)
        except KafkaError as error:
            self._failure = error
        if self._failure is not None:
            raise PublishFailed(f"{self._topic}: {self._failure}") from self._failure
        return dict(self._ends)

    def _partitions(self) -> list[int]:
        try:
            return sorted(self._producer.partitions_for(self._topic))
        except KafkaError as error:
            raise PublishFailed(f"{self._topic}: {error}") from error

    def _send(
        self, message: Message, *, is_replay: bool = False, partition: int | None = None
    ) -> None:
        attributes = headers(
            message, id=event_id(message), time=dt.datetime.now(dt.UTC), source=self._source
        )
        if is_replay:
            attributes.append((REPLAY_HEADER, b"true"))
        try:
            future = self._producer.send(
                self._topic,
                key=BINDINGS[type(message)].key(message).encode(),
                value=self._encoder.encode(message),
                headers=attributes,
                partition=partition,
            )
        except KafkaError as error:  # full for too long, or no such topic
            raise PublishFailed(f"{self._topic}: {error}") from error
        future.add_callback(self._acknowledged)
        future.add_errback(self._failed)

    def _acknowledged(self, written: Any) -> None:
        end = written.offset + 1
        self._ends[written.partition] = max(end, self._ends.get(written.partition, 0))

    def _failed(self, error: Exception) -> None:
        self._failure = self._failure or error


def publish_deals(
    settings: Settings,
    deals: Iterable[DealChanged],
    *,
    is_replay: bool,
    complete_through: tuple[str, dt.datetime] | None = None,
    progress: Progress | None = None,
) -> Published:
    """Send all deals, then, where given, that this source is complete through that instant.

    `progress` hears how many were handed over so far. Raises PublishFailed.
    """
    count = 0
    with Publisher(settings) as publisher:
        for count, deal in enumerate(deals, start=1):
            publisher.send(deal, is_replay=is_replay)
            if progress is not None and count % PROGRESS_EVERY == 0:
                progress(count)
        if complete_through is not None:
            publisher.complete_through(*complete_through)
        ends = publisher.flush()
    if progress is not None:
        progress(count)
    return Published(count, ends)
