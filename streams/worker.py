"""One worker: the deals processor here, and what follows it in a process of its own beside it.

Standings, alerts and the leased jobs compute a lot in Python; in the same process they would take
turns with the deals (one interpreter lock) and make every deal wait. The two live and die together:
if one fails the other is stopped, and `run_worker` returns 1.

A worker that lost the token of its current assignment leaves the group, pauses for a random time
that grows with each loss, and starts anew.
"""

import asyncio
import gc
import os
import random
import socket
import sys
import time
from typing import Any, Final

import structlog
from prometheus_client import start_http_server

from db.store import PostgresStore
from schemas import limits
from schemas.settings import Settings
from streams.beat import beating
from streams.beside import Beside
from streams.deals import DealsProcessor, Rejoin
from streams.faust_app import add_agent, execute, make_app
from streams.faust_log import FaustLog
from streams.following import run_followers

log = structlog.get_logger()

GROUP: Final = "worker"  # behind the topics' prefix
_LOSSES: Final = "PACEBOARD_WORKER_LOSSES"


class DealsWorker:
    """A Faust app with one agent: the deals processor."""

    def __init__(self, settings: Settings) -> None:
        self.app = make_app(settings, GROUP)
        self.failure: Exception | None = None
        self._log = FaustLog(self.app, settings)
        self._store = PostgresStore(settings, self._log.topic)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self._deals = DealsProcessor(self._log, self._store, topic=self._log.topic, owner=owner)
        add_agent(self.app, self._log.topic, self._run)

    async def _run(self, channel: Any) -> None:
        self._log.bind(channel)
        try:
            async with beating():
                await self._deals.run()
        except Exception as error:
            self.failure = error
            log.error("deals_failed", why=str(error), kind=type(error).__name__)
            raise
        finally:
            await asyncio.shield(self._log.close())
            self._store.close()


def run_worker(settings: Settings, *, metrics_port: int | None = None) -> int:
    """Until stopped: 0; 1 when a part of it failed, with the reason logged.

    Metrics of the deals are served on `metrics_port`, those of what follows on the next port.
    """
    if metrics_port is not None:
        start_http_server(metrics_port, "127.0.0.1")
    followers_port = None if metrics_port is None else metrics_port + 1
    with Beside(run_followers, dict(settings.values), followers_port) as followers:
        worker = DealsWorker(settings)
        _tune()
        code = execute(worker.app)
    if isinstance(worker.failure, Rejoin):
        _start_anew(worker.failure)
    return 1 if worker.failure is not None or followers.has_failed else code


def _tune() -> None:
    """Batches make many long-lived objects at once: collect rarely, and let threads take turns
    often, so that a batch in the database is not kept waiting by the one being prepared."""
    gc.freeze()
    gc.set_threshold(limits.GC_ALLOCATIONS, 20, 20)
    sys.setswitchinterval(limits.THREAD_SWITCH_SECONDS)


def _start_anew(loss: Rejoin) -> None:
    """Leave no state behind: the process is replaced."""
    losses = int(os.environ.get(_LOSSES, "0")) + 1
    pause = random.uniform(0, min(2**losses, limits.REJOIN_PAUSE_SECONDS_MAX))
    log.warning("rejoining", why=str(loss), pause_s=round(pause, 1), losses=losses)
    time.sleep(pause)
    os.environ[_LOSSES] = str(losses)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
