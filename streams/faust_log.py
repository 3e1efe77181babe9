"""The Log on Faust: membership, assignment and routing are Faust's, the records come in slices.

The one module that reaches into Faust (docs/decisions/0003). Faust's own iteration acknowledges in
`finally` and costs four tasks a message; here one slice per fetched partition goes on the
channel's queue, and what is acknowledged is said by the processor, after its commit.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import aiokafka
import faust
import mode
import structlog
from aiokafka.partitioner import murmur2
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from kafka import KafkaConsumer, TopicPartition
from mode.services import WaitResults

from schemas import limits
from schemas.settings import Settings
from schemas.topics import BY_NAME, TOPICS
from streams.ports import Bounds, Outgoing, Record, Slice, Stopped

log = structlog.get_logger()

_QUEUE_PAUSE_S: Final = 0.002


class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only, whoever produced them; Faust does so only for exactly_once."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def seek_all(self) -> dict[TP, int]:
        """Put every assigned partition on its committed offset, or its start; where each stands."""
        found: dict[TP, int] = await self.call_thread(self._seek_all)
        return found

    async def _seek_all(self) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        assigned = set(consumer.assignment())
        found = {tp: await consumer.committed(tp) for tp in assigned}
        new = [tp for tp, offset in found.items() if not offset]
        starts = await consumer.beginning_offsets(new) if new else {}
        stand = {TP(tp.topic, tp.partition): offset or starts[tp] for tp, offset in found.items()}
        for tp in assigned & set(consumer.assignment()):
            consumer.seek(tp, stand[TP(tp.topic, tp.partition)])
        return stand


class BulkConsumer(driver.Consumer):
    """Puts one slice per partition and fetch on the channel, instead of one event per message."""

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:
        """While the flow is not suspended there is nothing to race the callback against."""
        first = coros[0]
        if len(coros) == 2 and asyncio.iscoroutine(first) and not self.suspend_flow.is_set():
            coros[1].close()
            await first
            return WaitResults([first], [None], False)
        return await super().wait_first(*coros, timeout=timeout)

    async def perform_seek(self) -> None:
        """Always seek, also to a start: Faust leaves a partition without a committed offset where
        it is, which after a rebalance may be past records that were fetched and thrown away."""
        thread: Any = self._thread
        self._read_offset.update(await thread.seek_all())

    def _new_consumer_thread(self) -> CommittedConsumerThread:
        return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector counts its own acknowledgements; we make none."""

    async def _drain_messages(self, fetcher: Any) -> None:
        conductor: Any = self.app.topics
        channels = conductor._tp_index
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self.sleep(0)
                records, _ = await self._wait_next_records(1.0)
                generation = self.app.consumer_generation_id
                if records is None or self.should_stop:
                    continue
                if not self.flow_active:
                    await self._seek_again()
                    continue
                for tp, fetched in records.items():
                    await self._deliver(tp, fetched, channels[tp], generation)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise

    async def _deliver(
        self, tp: TP, fetched: Sequence[Any], channels: Iterable[Any], generation: int
    ) -> None:
        read = self._read_offset.get(tp)
        if read is None:
            return  # not ours any more, or not yet sought: it will be fetched again
        wanted = [record for record in fetched if record.offset >= read]
        if not wanted:
            return
        records = [Record(r.offset, r.key, r.value, r.headers) for r in wanted]
        part = Slice(tp.partition, records, generation, read)
        for channel in channels:
            while channel.queue.qsize() >= limits.SLICES_QUEUED_MAX and self.flow_active:
                await asyncio.sleep(_QUEUE_PAUSE_S)
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            channel.queue.put_nowait(part)
        self._read_offset[tp] = wanted[-1].offset + 1

    async def _seek_again(self) -> None:
        """What was fetched in the middle of a rebalance is dropped and read again; when it moves on
        meanwhile, the next assignment seeks."""
        try:
            await self.perform_seek()
        except Exception as error:  # noqa: BLE001 - as Faust does: a rebalance is no crash
            log.warning("seek_again_failed", why=str(error))


class BulkTransport(driver.Transport):
    """Faust's aiokafka transport with that consumer."""

    Consumer = BulkConsumer


def make_app(settings: Settings, group: str) -> faust.App:
    """A Faust app without tables, web, leader election or topic creation."""
    app = faust.App(
        f"{settings.topic_prefix}.{group}",
        broker=f"kafka://{settings.kafka.replace(',', ';')}",
        agent_supervisor=mode.CrashingSupervisor,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        stream_buffer_maxsize=limits.SLICES_QUEUED_MAX,
        broker_max_poll_records=limits.BATCH_RECORDS_MAX,
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        datadir=f"/tmp/paceboard-faust-{uuid.uuid4().hex[:8]}",
    )
    app.transport = BulkTransport(app.conf.broker, app)
    return app


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


Agent = Callable[[Any], Awaitable[None]]


def add_agent(app: faust.App, topic: str, run: Agent) -> None:
    """An agent that owns the topic's channel; it never yields and acknowledges by itself."""
    channel = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(channel, name=f"paceboard.{topic}")
    async def agent(stream: Any) -> None:
        await run(stream.channel)


def execute(app: faust.App) -> int:
    """Faust's own runner: it handles the signals and leaves the group. It ends by SystemExit."""
    logging.getLogger("faust").setLevel(logging.WARNING)
    runner: Any = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
    try:
        runner.execute_from_commandline()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
