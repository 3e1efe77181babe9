"""The Log on Faust: what was taken is acknowledged by the processor, after its commit; facts go out
by an idempotent producer in whole batches.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import closing
from typing import Any

import aiokafka
import faust
from aiokafka.partitioner import murmur2
from faust.types import TP
from kafka import KafkaConsumer, TopicPartition

from schemas import limits
from schemas.settings import Settings
from schemas.topics import BY_NAME, TOPICS
from streams.ports import Bounds, Outgoing, Slice, Stopped


class FaustReader:
    """Takes slices of one topic from the channel of a Faust agent."""

    def __init__(self, app: faust.App, topic: str, servers: str) -> None:
        self._app = app
        self._servers = servers
        self.topic = topic
        self._channel: Any = None
        self._is_stopped = False

    def bind(self, channel: Any) -> None:
        """The agent's channel, known once the agent runs."""
        self._channel = channel

    def assigned(self) -> tuple[int, frozenset[int]] | None:
        """The current assignment and its partitions of this topic; None while rebalancing."""
        if self._app.rebalancing or self._channel is None:
            return None
        partitions = frozenset(
            tp.partition for tp in self._app.consumer.assignment() if tp.topic == self.topic
        )
        return (self._app.consumer_generation_id, partitions)

    def waiting(self) -> int:
        """How many records lie in the queue."""
        return sum(len(part.records) for part in self._channel.queue._queue)

    def delivered_to(self) -> dict[int, int]:
        """By partition: all that can be read below it has been put on the queue."""
        consumer: Any = self._app.consumer
        read: dict[TP, int | None] = dict(consumer._read_offset)
        return {
            tp.partition: offset
            for tp, offset in read.items()
            if tp.topic == self.topic and offset is not None
        }

    async def take(self, most: int, *, wait_s: float) -> list[Slice]:
        """What has arrived under the current assignment. Raises Stopped at shutdown."""
        if self._is_stopped:
            raise Stopped
        queue = self._channel.queue
        try:
            taken = [await asyncio.wait_for(self._channel.get(), wait_s)]
        except TimeoutError:
            return []
        except StopAsyncIteration:
            raise Stopped from None
        count = len(taken[0].records)
        while count < most and not queue.empty():
            try:
                taken.append(queue.get_nowait())
            except StopAsyncIteration:
                self._is_stopped = True
                break
            count += len(taken[-1].records)
        current = self._app.consumer_generation_id
        return [part for part in taken if part.assignment == current]

    async def acknowledge(self, offsets: Mapping[int, int], assignment: int) -> None:
        """Commit to the group, if the assignment still holds; else it is somebody else's to do."""
        if not self._app.rebalancing and self._app.consumer_generation_id == assignment:
            consumer: Any = self._app.consumer
            await consumer._commit(
                {TP(self.topic, partition): offset for partition, offset in offsets.items()}
            )

    async def partition_count(self) -> int:
        """How many partitions the topic has on the broker."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> int:
        with closing(KafkaConsumer(bootstrap_servers=self._servers.split(","))) as consumer:
            return len(consumer.partitions_for_topic(self.topic) or ())

    async def bounds(self, partitions: Sequence[int]) -> dict[int, Bounds]:
        """Asked on connections of its own: on the fetcher's each answer waits for a long poll."""
        if not partitions:
            return {}
        tps = [TP(self.topic, partition) for partition in partitions]
        starts, ends = await asyncio.to_thread(self._offsets, partitions)
        consumer: Any = self._app.consumer
        thread = consumer._thread
        committed = thread._ensure_consumer().committed
        return {
            tp.partition: Bounds(
                starts[tp.partition], ends[tp.partition], await thread.call_thread(committed, tp)
            )
            for tp in tps
        }

    def _offsets(self, partitions: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        with closing(KafkaConsumer(bootstrap_servers=self._servers.split(","))) as consumer:
            places = [TopicPartition(self.topic, partition) for partition in partitions]
            starts = consumer.beginning_offsets(places)
            ends = consumer.end_offsets(places)
        return (
            {place.partition: offset for place, offset in starts.items()},
            {place.partition: offset for place, offset in ends.items()},
        )


class FaustLog(FaustReader):
    """The deals processor's Log: the deals topic in, an idempotent producer out."""

    def __init__(self, app: faust.App, settings: Settings) -> None:
        topic = BY_NAME["deals"].full_name(settings.topic_prefix)
        super().__init__(app, topic, settings.kafka)
        self._settings = settings
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._partitions: dict[str, int] = {}
        self._partition_of: dict[tuple[str, bytes], int] = {}
        self._names = {topic.name: topic.full_name(settings.topic_prefix) for topic in TOPICS}

    async def publish(self, records: Sequence[Outgoing]) -> dict[tuple[str, int], int]:
        """Whole producer batches per partition, in order; returns when all are acknowledged."""
        producer = await self._started()
        builders: dict[tuple[str, int], Any] = {}
        sent: list[tuple[tuple[str, int], int, Awaitable[Any]]] = []
        for record in records:
            place = (record.topic, await self._place(record))
            builder = builders.get(place) or producer.create_batch()
            builders[place] = builder
            if not self._append(builder, record):
                sent.append(await self._send(place, builder))
                builders[place] = producer.create_batch()
                if not self._append(builders[place], record):
                    raise ValueError(f"a record of {len(record.value)} bytes fits no batch")
        for place, builder in builders.items():
            sent.append(await self._send(place, builder))
        ends: dict[tuple[str, int], int] = {}
        for place, count, acknowledged in sent:
            metadata = await acknowledged
            ends[place] = max(ends.get(place, 0), metadata.offset + count)
        return ends

    async def close(self) -> None:
        """Flush and close the producer."""
        if self._producer is not None:
            await self._producer.stop()

    @staticmethod
    def _append(builder: Any, record: Outgoing) -> bool:
        return (
            builder.append(
                key=record.key,
                value=record.value,
                timestamp=None,
                headers=list(record.headers),
            )
            is not None
        )

    async def _send(
        self, place: tuple[str, int], builder: Any
    ) -> tuple[tuple[str, int], int, Awaitable[Any]]:
        topic, partition = place
        count = builder.record_count()
        producer = await self._started()
        future = await producer.send_batch(builder, self._names[topic], partition=partition)
        return (place, count, future)

    async def _place(self, record: Outgoing) -> int:
        """The partition that Java's clients would choose."""
        key = (record.topic, record.key)
        place = self._partition_of.get(key)
        if place is None:
            count = self._partitions.get(record.topic)
            if count is None:
                producer = await self._started()
                count = len(await producer.partitions_for(self._names[record.topic]))
                self._partitions[record.topic] = count
            if len(self._partition_of) > limits.DEALS_CACHED_MAX:
                self._partition_of.clear()
            place = self._partition_of[key] = (murmur2(record.key) & 0x7FFFFFFF) % count
        return place

    async def _started(self) -> aiokafka.AIOKafkaProducer:
        if self._producer is None:
            self._producer = aiokafka.AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka,
                enable_idempotence=True,
                acks="all",
                max_batch_size=limits.PRODUCER_BATCH_BYTES,
                max_request_size=limits.REQUEST_BYTES_MAX,
            )
            await self._producer.start()
        return self._producer
