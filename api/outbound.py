"""Deals on their way to Kafka: nothing counts as sent before the broker has acknowledged it.

The producer is idempotent and waits for all replicas in sync. A send that is not acknowledged in
time may still arrive later; sending it again is harmless, since the deals processor keeps a set of
revisions.
"""

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import limits
from schemas.cloudevents import REPLAY_HEADER, headers
from schemas.messages import DealChanged
from schemas.settings import Settings
from schemas.topics import DEALS

log = structlog.get_logger(__name__)

SOURCE: Final = "paceboard/api"
METADATA_MS: Final = 30_000
_REQUEST_MS: Final = limits.ACKNOWLEDGE_SECONDS_MAX * 1_000


class DealRecord(NamedTuple):
    """A deal that may be sent: checked, encoded, with what comes along."""

    deal: DealChanged
    value: bytes
    tracking_id: str
    traceparent: str
    is_replay: bool


class Deals(Protocol):
    """Where posted deals go."""

    async def start(self) -> None:
        """Begin; must not fail when the broker is away."""

    async def stop(self) -> None:
        """Wait for what is under way, and end."""

    async def send(self, records: Sequence[DealRecord]) -> Sequence[bool]:
        """Which of the records the broker has acknowledged, in their order."""
        ...

    async def partitions(self) -> int | None:
        """How many partitions the deals topic has: 0 when there is none, None: no broker."""
        ...

    async def known_partitions(self) -> int | None:
        """The same as it was lately, at next to no cost."""
        ...


class KafkaDeals:
    """The deals topic, by an idempotent aiokafka producer that is made when the broker is there."""

    def __init__(
        self, settings: Settings, *, seconds: float = limits.ACKNOWLEDGE_SECONDS_MAX
    ) -> None:
        self._servers = settings.kafka.split(",")
        self._topic = DEALS.full_name(settings.topic_prefix)
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None
        self._opening: asyncio.Task[AIOKafkaProducer | None] | None = None

    async def start(self) -> None:
        """Connect, if the broker is there; the first send tries again."""
        await self._connected()

    async def stop(self) -> None:
        """Wait for what is under way, and end."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(self._seconds):
                    await producer.stop()
            except (KafkaError, TimeoutError) as error:
                log.warning("deals.unsent_at_stop", error=type(error).__name__)

    async def send(self, records: Sequence[DealRecord]) -> Sequence[bool]:
        """Which of the records the broker has acknowledged within the time, in their order."""
        producer = await self._connected()
        if producer is None:
            return [False] * len(records)
        sends = [asyncio.create_task(self._send(producer, record)) for record in records]
        _, late = await asyncio.wait(sends, timeout=self._seconds)
        for task in late:
            task.cancel()
        return [task not in late and task.result() for task in sends]

    async def partitions(self) -> int | None:
        """How many partitions the deals topic has, asked of the broker now."""
        producer = await self._connected()
        if producer is None:
            return None
        try:
            async with asyncio.timeout(self._seconds):
                cluster = await producer.client.fetch_all_metadata()
        except (KafkaError, TimeoutError):
            return None
        return len(cluster.partitions_for_topic(self._topic) or ())

    async def known_partitions(self) -> int | None:
        """By the producer's own metadata, METADATA_MS old at most; asked before it has any."""
        producer = await self._connected()
        if producer is None:
            return None
        known = producer.client.cluster.partitions_for_topic(self._topic)
        return len(known) if known else await self.partitions()

    async def _send(self, producer: AIOKafkaProducer, record: DealRecord) -> bool:
        try:
            await producer.send_and_wait(
                self._topic,
                key=record.deal.deal_id.encode(),
                value=record.value,
                headers=_headers(record),
            )
        except KafkaError as error:
            log.warning("deals.not_acknowledged", error=type(error).__name__)
            return False
        return True

    async def _connected(self) -> AIOKafkaProducer | None:
        """All who come while it is being opened wait for the same attempt; none can cancel it."""
        if self._producer is None:
            if self._opening is None:
                self._opening = asyncio.create_task(self._opened())
            try:
                self._producer = await asyncio.shield(self._opening)
            finally:
                if self._opening is not None and self._opening.done():
                    self._opening = None
        return self._producer

    async def _opened(self) -> AIOKafkaProducer | None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=limits.PRODUCER_BATCH_BYTES,
            max_request_size=limits.RECORD_BYTES_MAX + limits.PRODUCER_BATCH_BYTES,
            request_timeout_ms=_REQUEST_MS,
            metadata_max_age_ms=METADATA_MS,
            client_id="paceboard-api",
        )
        try:
            async with asyncio.timeout(self._seconds):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("kafka.not_reachable", error=type(error).__name__)
            await producer.stop()
            return None
        return producer


def encoded(deal: DealChanged) -> bytes:
    """The record's value: the deal as declared."""
    return msgspec.json.encode(deal)


def _headers(record: DealRecord) -> list[tuple[str, bytes]]:
    found = headers(
        record.deal,
        id=record.tracking_id,
        time=dt.datetime.now(dt.UTC),
        source=SOURCE,
        traceparent=record.traceparent,
    )
    return [*found, (REPLAY_HEADER, b"true")] if record.is_replay else found
