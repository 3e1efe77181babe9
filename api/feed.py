"""What the topics say is new: hints for the hub, never the truth.

A consumer without a group reads standings, progress and alerts from their end, every partition. A
hint that is lost (Kafka away, the moment before the first fetch) is made good by the sweep.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from api import channels
from api.hub import Hub
from schemas import limits
from schemas.settings import Settings
from schemas.topics import BY_NAME

log = structlog.get_logger(__name__)

TOPICS: Final = ("standings", "progress", "alerts")


class _Standing(msgspec.Struct):
    """What a hint needs of StandingsChanged."""

    board_id: str
    version: int


class _Progress(msgspec.Struct):
    """What a hint needs of ProgressChanged."""

    account_id: str
    version: int
    payee_id: str | None = None


class _Alert(msgspec.Struct):
    """What a hint needs of an alert."""

    payee_id: str | None = None


class Feed:
    """Keeps a consumer running as long as it is not stopped."""

    def __init__(
        self, settings: Settings, hub: Hub, teams_of: Callable[[str], Iterable[str]]
    ) -> None:
        """`teams_of` says whose teams a payee is in today."""
        self._servers = settings.kafka.split(",")
        self._topics = {BY_NAME[name].full_name(settings.topic_prefix): name for name in TOPICS}
        self._hub = hub
        self._teams_of = teams_of
        self.is_connected = False

    async def run(self) -> None:
        """Until cancelled. Whatever breaks, it begins again from the end."""
        while True:
            consumer = AIOKafkaConsumer(
                *self._topics,
                bootstrap_servers=self._servers,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="latest",
                metadata_max_age_ms=limits.LIVE_SWEEP_SECONDS * 1_000,
                fetch_max_wait_ms=limits.LIVE_FETCH_MS_MAX,
                client_id="paceboard-live",
            )
            try:
                await consumer.start()
                self.is_connected = True
                async for record in consumer:
                    self.take(record)
            except (KafkaError, OSError) as error:
                log.warning("live.feed_broken", error=type(error).__name__)
            finally:
                self.is_connected = False
                await _stopped(consumer)
            await asyncio.sleep(limits.LIVE_RETRY_SECONDS)

    def take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """One record, as a hint; one that cannot be read is none."""
        try:
            self._hint(self._topics[record.topic], record.key or b"", record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            log.warning("live.unreadable_hint", topic=record.topic, offset=record.offset)

    def _hint(self, topic: str, key: bytes, value: bytes) -> None:
        """Most records are of nobody who is watched: their key says so without decoding."""
        match topic:
            case "standings":
                if self._hub.is_watched(channels.channel(channels.BOARD, key.decode())):
                    standing = msgspec.json.decode(value, type=_Standing)
                    name = channels.channel(channels.BOARD, standing.board_id)
                    self._hub.hint(name, standing.board_id, standing.version)
            case "progress":
                payee_id = key.decode().rpartition(".")[0]
                if self._hub.is_watched(channels.channel(channels.PAYEE, payee_id)):
                    progress = msgspec.json.decode(value, type=_Progress)
                    name = channels.channel(channels.PAYEE, payee_id)
                    self._hub.hint(name, progress.account_id, progress.version)
                self._hint_teams(payee_id)
            case _:
                alert = msgspec.json.decode(value, type=_Alert)
                if alert.payee_id is not None:
                    self._hub.hint(channels.channel(channels.PAYEE, alert.payee_id))
                    self._hint_teams(alert.payee_id)

    def _hint_teams(self, payee_id: str) -> None:
        if self._hub.is_watched_kind(channels.TEAM):
            for manager in self._teams_of(payee_id):
                self._hub.hint(channels.channel(channels.TEAM, manager))


async def _stopped(consumer: AIOKafkaConsumer) -> None:
    """Given up, whatever it says to that: another one takes its place."""
    try:
        await consumer.stop()
    except (KafkaError, OSError) as error:
        log.warning("live.feed_not_stopped", error=type(error).__name__)
