"""What was posted is remembered, so that its sender can ask at once what became of it.

Written beside the requests: a POST waits for Kafka and never for the database. What is lost with
the process or a full queue is only the answer "received": once booked, the ledger answers.
"""

import asyncio
import datetime as dt
import threading
from collections.abc import Sequence
from typing import Final

import structlog
from psycopg import Error
from psycopg_pool import PoolTimeout

from api.outbound import DealRecord
from db import deals as rows
from db.connect import Pool
from db.deals import Posting
from schemas import limits
from schemas.ids import DealId

log = structlog.get_logger(__name__)

_WRITTEN_AT_ONCE: Final = 1_000


class Postings:
    """The queue of what is not written down yet; safe to use from several threads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._waiting: dict[str, Posting] = {}

    def note(self, records: Sequence[DealRecord], *, posted_by: str) -> None:
        """Those records are on the topic."""
        now = dt.datetime.now(dt.UTC)
        with self._lock:
            for record in records:
                deal = record.deal
                self._waiting[record.tracking_id] = Posting(
                    record.tracking_id,
                    DealId(deal.deal_id),
                    deal.source,
                    deal.revision,
                    posted_by,
                    now,
                )
            forgotten = len(self._waiting) - limits.POSTINGS_QUEUED_MAX
            for tracking_id in list(self._waiting)[: max(forgotten, 0)]:
                del self._waiting[tracking_id]
        if forgotten > 0:
            log.warning("postings.forgotten", count=forgotten)

    def waiting(self, tracking_id: str) -> Posting | None:
        """What was posted here under a tracking id and is not written down yet."""
        return self._waiting.get(tracking_id)

    async def run(self) -> None:
        """Write down and, now and then, forget; until cancelled."""
        swept = 0.0
        while True:
            await asyncio.sleep(limits.POSTINGS_BEAT_SECONDS)
            try:
                await asyncio.to_thread(self.write)
                if (now := asyncio.get_running_loop().time()) >= swept:
                    swept = now + limits.POSTINGS_SWEEP_SECONDS
                    await asyncio.to_thread(self._forget)
            except (Error, PoolTimeout) as error:
                log.warning("postings.database_away", error=type(error).__name__)

    def write(self) -> None:
        """Write down what waits. Raises what the database raises; nothing is dropped then."""
        while batch := self._some():
            with self._pool.connection() as connection:
                rows.note_posted(connection, batch)
            with self._lock:
                for one in batch:
                    self._waiting.pop(one.tracking_id, None)

    def _some(self) -> list[Posting]:
        with self._lock:
            found = list(self._waiting.values())[:_WRITTEN_AT_ONCE]
        return sorted(found)  # one order in every process: no deadlock

    def _forget(self) -> None:
        with self._pool.connection() as connection:
            rows.forget_posted(connection, hours=limits.POSTINGS_HOURS)
