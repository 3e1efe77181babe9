"""One worker: a Faust app with the deals processor, standings, alerts and the leased jobs.

`run_worker` returns the exit code. A worker that lost the token of its current assignment leaves
the group, pauses for a random time that grows with each loss, and starts anew.
"""

import asyncio
import logging
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import faust
import structlog
from prometheus_client import start_http_server

from db.store import PostgresStore
from schemas import limits
from schemas.settings import Settings
from schemas.topics import BY_NAME
from streams.deals import DealsProcessor, Rejoin
from streams.faust_log import FaustLog, FaustReader, add_agent, make_app
from streams.followers import alerts_follower, standings_follower
from streams.jobs import Jobs
from streams.outbound import KafkaOutbound
from streams.progress import ProgressProcessor

log = structlog.get_logger()

_LOSSES: Final = "PACEBOARD_WORKER_LOSSES"


class Worker:
    """What one worker process runs: two Faust agents, and a thread for the leased jobs."""

    def __init__(self, settings: Settings) -> None:
        self.app: faust.App = make_app(settings)
        self.failure: BaseException | None = None
        self._settings = settings
        self._outbound = KafkaOutbound(settings, source="paceboard/worker")
        self._log = FaustLog(self.app, settings)
        self._store = PostgresStore(settings, self._log.topic)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self._deals = DealsProcessor(self._log, self._store, topic=self._log.topic, owner=owner)
        progress = BY_NAME["progress"].full_name(settings.topic_prefix)
        self._progress_reader = FaustReader(self.app, progress, settings.kafka)
        self._progress = ProgressProcessor(
            self._progress_reader,
            [standings_follower(settings, self._outbound), alerts_follower(settings)],
        )
        add_agent(self.app, self._log.topic, self._run_deals)
        add_agent(self.app, progress, self._run_progress)

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

    async def _run_deals(self, channel: Any) -> None:
        self._log.bind(channel)
        try:
            await self._guarded("deals", self._deals.run())
        finally:
            await asyncio.shield(self._log.close())
            self._store.close()

    async def _run_progress(self, channel: Any) -> None:
        self._progress_reader.bind(channel)
        await self._guarded("progress", self._progress.run())

    async def _guarded(self, name: str, processor: Awaitable[None]) -> None:
        """A processor that fails ends the worker, and the reason is kept."""
        try:
            await processor
        except Exception as error:
            self.failure = error
            log.error("processor_failed", name=name, why=str(error), kind=type(error).__name__)
            raise


def run_worker(settings: Settings, *, metrics_port: int | None = None) -> int:
    """Until stopped: 0; 1 when it failed, with the reason logged."""
    if metrics_port is not None:
        start_http_server(metrics_port, "127.0.0.1")
    worker = Worker(settings)
    with worker.jobs():
        code = _execute(worker.app)
    if isinstance(worker.failure, Rejoin):
        _start_anew(worker.failure)
    return 1 if worker.failure is not None else code


def _execute(app: faust.App) -> int:
    """Faust's own runner: it handles the signals and leaves the group. It ends by SystemExit."""
    logging.getLogger("faust").setLevel(logging.WARNING)
    runner: Any = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
    try:
        runner.execute_from_commandline()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def _start_anew(loss: Rejoin) -> None:
    """Leave no state behind: the process is replaced."""
    losses = int(os.environ.get(_LOSSES, "0")) + 1
    pause = random.uniform(0, min(2**losses, limits.REJOIN_PAUSE_SECONDS_MAX))
    log.warning("rejoining", why=str(loss), pause_s=round(pause, 1), losses=losses)
    time.sleep(pause)
    os.environ[_LOSSES] = str(losses)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
