"""What follows the deals processor in a process of its own: standings, alerts, leased jobs."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from prometheus_client import start_http_server

from schemas import limits
from schemas.settings import Settings
from schemas.topics import BY_NAME
from streams.beat import beating
from streams.faust_app import add_agent, execute, make_app
from streams.faust_log import FaustReader
from streams.followers import alerts_follower, standings_follower
from streams.jobs import Jobs
from streams.outbound import KafkaOutbound
from streams.progress import ProgressProcessor

log = structlog.get_logger()

GROUP: Final = "followers"  # behind the topics' prefix


class FollowersWorker:
    """A Faust app with one agent on `progress`, and a thread for the leased jobs."""

    def __init__(self, settings: Settings) -> None:
        self.app = make_app(settings, GROUP)
        self.failure: Exception | None = None
        self._settings = settings
        self._outbound = KafkaOutbound(settings, source="paceboard/standings")
        topic = BY_NAME["progress"].full_name(settings.topic_prefix)
        self._reader = FaustReader(self.app, topic, settings.kafka)
        followers = [standings_follower(settings, self._outbound), alerts_follower(settings)]
        self._progress = ProgressProcessor(self._reader, followers)
        add_agent(self.app, topic, self._run)

    async def _run(self, channel: Any) -> None:
        self._reader.bind(channel)
        try:
            async with beating():
                await self._progress.run()
        except Exception as error:
            self.failure = error
            log.error("followers_failed", why=str(error), kind=type(error).__name__)
            raise

    @contextmanager
    def jobs(self) -> Iterator[None]:
        """The leased jobs run while inside; the lease is given back at the end."""
        stop = threading.Event()
        outbound = KafkaOutbound(self._settings)
        thread = threading.Thread(target=Jobs(self._settings, outbound).run, args=[stop])
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(limits.LEASE_SECONDS * 2)
            outbound.close()
            self._outbound.close()


def run_followers(values: dict[str, str], metrics_port: int | None) -> int:
    """Until stopped: 0; 1 when it failed, with the reason logged. `values`: Settings.values."""
    if metrics_port is not None:
        start_http_server(metrics_port, "127.0.0.1")
    os.nice(limits.FOLLOWERS_NICENESS)
    worker = FollowersWorker(Settings(values=values))
    with worker.jobs():
        code = execute(worker.app)
    return 1 if worker.failure is not None else code
