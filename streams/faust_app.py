"""Faust's insides, reached in one place: a consumer that delivers slices, and the app around it.

Faust's own iteration acknowledges in `finally` and costs four tasks a message; here one slice per
fetched partition goes on the channel's queue (docs/decisions/0003).
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import aiokafka
import faust
import mode
import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas import limits
from schemas.settings import Settings
from streams.ports import Record, Slice

log = structlog.get_logger()

_QUEUE_PAUSE_S: Final = 0.002
_POSITION_S: Final = 1.0


class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only, whoever produced them; Faust does so only for exactly_once."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def positions(self) -> dict[TP, int]:
        """Where reading goes on in each assigned partition, control records passed."""
        found: dict[TP, int] = await self.call_thread(self._positions)
        return found

    async def _positions(self) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        return {
            TP(tp.topic, tp.partition): await consumer.position(tp) for tp in consumer.assignment()
        }

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
                if not records:
                    await self._pass_control_records(generation)
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

    async def _pass_control_records(self, generation: int) -> None:
        """Nothing was there to fetch, and all that was fetched before has been delivered (this loop
        alone fetches): what lies between and the position are control records."""
        thread: Any = self._thread
        try:
            positions = await asyncio.wait_for(thread.positions(), _POSITION_S)
        except Exception as error:  # noqa: BLE001 - in a rebalance; the next look will tell
            log.debug("no_positions", why=str(error))
            return
        if self.flow_active and generation == self.app.consumer_generation_id:
            for tp, position in positions.items():
                read = self._read_offset.get(tp)
                if read is not None and position > read:
                    self._read_offset[tp] = position

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
    """Faust's own runner: it handles the signals and leaves the group. It ends by SystemExit, or by
    raising what crashed an agent, which the agent has logged and kept."""
    logging.getLogger("faust").setLevel(logging.WARNING)
    runner: Any = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
    try:
        runner.execute_from_commandline()
    except SystemExit as stop:
        return int(stop.code or 0)
    except Exception as crash:  # noqa: BLE001 - the process ends with it, after what is beside it
        log.error("worker_crashed", why=str(crash), kind=type(crash).__name__)
        return 1
    return 0
