"""The deals processor: takes slices, overlaps the steps of streams/batch.py, publishes.

While batch N is in the database, N+1 is prepared and N-1 encoded and published. A batch is taken as
late as possible when there is no backlog, so that a lone deal is not kept waiting.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from schemas import limits
from schemas.state import BatchFacts
from schemas.transaction import Aborted, Fenced, Unreachable
from streams import facts as encoder
from streams import metrics
from streams.batch import BatchProtocol, Committed
from streams.ports import Bounds, Log, Slice, Stopped, Store

log = structlog.get_logger()

T = TypeVar("T")
_POLL_S: Final = 0.2  # how soon a new assignment without any record is noticed
_ACKNOWLEDGE_S: Final = 1.0
_PIPELINE_MAX: Final = 2
_GATHER_S: Final = 0.004
_REBALANCE_PAUSE_S: Final = 0.02


class Rejoin(Exception):
    """The token of the current assignment is lost: leave the group, pause, join again."""


class LogMismatch(Exception):
    """The log and the database tell different stories; an operator must say which is right."""


class DealsProcessor:
    """Drives one worker's batches until told to stop."""

    def __init__(self, log_port: Log, store: Store, *, topic: str, owner: str) -> None:
        self._log = log_port
        self._store = store
        self._owner = owner
        self._batch = BatchProtocol(store, topic)
        self._preparing = ThreadPoolExecutor(1, "prepare")
        self._booking = ThreadPoolExecutor(1, "book")
        self._encoding = ThreadPoolExecutor(1, "encode")
        self._assignment: tuple[int, frozenset[int]] | None = None
        self._transaction: asyncio.Future[list[Committed]] | None = None
        self._pipeline: collections.deque[asyncio.Task[None]] = collections.deque()
        self._kept: list[Slice] = []  # taken while the group was rebalancing
        self._noted: dict[int, int] = {}
        self._acknowledged: dict[int, int] = {}
        self._acknowledged_at = 0.0
        self._timeline = 0

    async def run(self) -> None:
        """Until Stopped or cancelled; then waits for what is under way, and returns or re-raises.

        Raises Rejoin, LogMismatch, or what a batch still meets after all its tries.
        """
        try:
            await self._check_topic()
            while True:
                await self._step()
        except Stopped:
            await self._finish()
        except asyncio.CancelledError:
            await asyncio.shield(self._finish())
            raise
        finally:
            await asyncio.shield(self._close())

    async def _step(self) -> None:
        try:
            await self._follow_assignment()
            slices = await self._take()
            if slices:
                await self._start(slices)
            await self._settle(idle=not slices)
        except Fenced as error:
            await self._fenced(error)

    async def _finish(self) -> None:
        """A worker told to stop: commit and publish what is under way, note it, acknowledge."""
        self._batch.is_stopping = True
        try:
            await self._settle(idle=True)
        except (Fenced, Aborted) as error:  # whoever claims next publishes what stands
            log.info("not_finished_at_stop", why=str(error))

    async def _close(self) -> None:
        """No thread works on when this returns: its connections are closed next."""
        self._batch.is_stopping = True
        await self._ended()
        for executor in (self._preparing, self._booking, self._encoding):
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)

    async def _ended(self) -> list[BaseException]:
        """Wait for all that is under way, whatever it comes to; a cancellation of ours is not
        passed on to it. What it raised."""
        if not self._pipeline:
            return []
        ended, _ = await asyncio.wait(self._pipeline)
        return [
            error
            for task in ended
            if not task.cancelled() and (error := task.exception()) is not None
        ]

    # ---- assignment and claim ----

    async def _check_topic(self) -> None:
        """Before anything else: the topic is there, with the partitions the database expects."""
        installation = await self._on(self._booking, self._store.installation)
        self._timeline = installation.timeline
        _compare_count(await self._log.partition_count(), installation.deals_partitions)

    async def _follow_assignment(self) -> None:
        """Claim before the first batch of a new assignment, and publish again what needs it."""
        assigned = self._log.assigned()
        if assigned is None or assigned == self._assignment:
            return
        if not assigned[1] and self._assignment is None:
            return  # nothing to claim yet
        await self._abandon()
        self._assignment = assigned
        await self._check_topic()
        partitions = sorted(assigned[1])
        claims = await self._on(self._booking, self._store.claim, partitions, self._owner)
        bounds = await self._log.bounds(partitions)
        for partition, claim in claims.items():
            _compare(partition, claim.next_offset, bounds[partition])
        self._batch.claimed(claims)
        self._noted = dict(self._batch.published_to)
        self._acknowledged = {}
        metrics.PARTITIONS.set(len(partitions))
        log.info("claimed", assignment=assigned[0], partitions=partitions)
        await self._publish_again()

    async def _publish_again(self) -> None:
        """Step 10, at a claim: what may never have been published is published again."""
        published_to = dict(self._batch.published_to)
        batches = await self._on(self._booking, self._store.unpublished, published_to)
        reference = await self._on(self._booking, self._batch.reference)
        for facts in batches:
            records = await self._on(
                self._encoding, lambda f=facts: encoder.outgoing(f, reference, again=True)
            )
            await self._publish(facts, records)
        self._batch.published_to.update(self._batch.expected)
        if batches:
            log.info("published_again", batches=len(batches))

    async def _fenced(self, error: Fenced) -> None:
        """A batch of a past assignment just rolls back; the current one's token lost: rejoin."""
        lost_for = self._assignment
        await self._abandon()
        if self._log.assigned() == lost_for and lost_for is not None:
            raise Rejoin(str(error)) from error
        self._assignment = None
        log.info("fenced_past_assignment", why=str(error))

    async def _abandon(self) -> None:
        """Let what is under way come to its end. Raises what is more than a fence."""
        errors = await self._ended()
        self._pipeline.clear()
        self._transaction = None
        for error in errors:
            if not isinstance(error, Fenced):
                raise error
            log.info("batch_dropped", why=str(error))

    # ---- batches ----

    async def _take(self) -> list[Slice]:
        """Step 1. While a batch is in the database, let what arrives gather."""
        while (
            self._transaction is not None
            and not self._transaction.done()
            and self._log.waiting() < limits.BATCH_RECORDS_MAX
        ):
            await asyncio.wait({self._transaction}, timeout=_GATHER_S)
        wait_s = limits.IDLE_FLUSH_MS / 1000 if self._pipeline else _POLL_S
        slices = self._kept or await self._log.take(limits.BATCH_RECORDS_MAX, wait_s=wait_s)
        self._kept = []
        if slices and self._log.assigned() is None:  # of this assignment or the next: not yet known
            self._kept = slices
            await asyncio.sleep(_REBALANCE_PAUSE_S)
            return []
        if slices and self._log.assigned() != self._assignment:
            await self._follow_assignment()
        current = self._assignment[0] if self._assignment else None
        return [
            part
            for part in slices
            if part.assignment == current and self._batch.is_claimed(part.partition)
        ]

    async def _start(self, slices: list[Slice]) -> None:
        prepared = await self._on(self._preparing, self._batch.prepare, slices)
        if not prepared.group.items:
            return
        while len(self._pipeline) >= _PIPELINE_MAX:
            await self._oldest()
        loop = asyncio.get_running_loop()
        self._transaction = loop.run_in_executor(self._booking, self._batch.transact, prepared)
        before = self._pipeline[-1] if self._pipeline else None
        self._pipeline.append(asyncio.create_task(self._complete(self._transaction, before)))

    async def _complete(
        self, transaction: asyncio.Future[list[Committed]], before: asyncio.Task[None] | None
    ) -> None:
        """Step 9: encode while the batch before is still being published, then publish in order."""
        for committed in await transaction:
            records = await self._on(
                self._encoding, encoder.outgoing, committed.facts, committed.reference
            )
            if before is not None:
                await before
            await self._publish(committed.facts, records)
            self._batch.published_to.update(committed.nexts)
            metrics.observe(committed.facts)
        if self._batch.lost_partitions:
            raise Fenced(f"another worker holds {sorted(self._batch.lost_partitions)}")

    async def _publish(self, facts: BatchFacts, records: list[Any]) -> None:
        ends = await self._log.publish(records)
        await self._log.publish([encoder.mark(facts, ends, self._timeline)])

    async def _oldest(self) -> None:
        await asyncio.shield(self._pipeline[0])
        self._pipeline.popleft()

    async def _settle(self, *, idle: bool) -> None:
        """Step 10, on idle at once and else every second, with the notes that a claim would need:
        a quiet partition's too, while others are busy."""
        while self._pipeline and (idle or self._pipeline[0].done()):
            await self._oldest()
        if idle or time.monotonic() - self._acknowledged_at > _ACKNOWLEDGE_S:
            self._acknowledged_at = time.monotonic()
            if idle:
                await self._pass_control_records()
            await self._note_published()
            await self._acknowledge()

    async def _pass_control_records(self) -> None:
        """On idle `next_offset` follows what has been delivered: with nothing waiting and nothing
        under way, what lies between are control records."""
        delivered = self._log.delivered_to()  # before the look at the queue
        is_quiet = not (self._pipeline or self._kept or self._log.waiting())
        if is_quiet and self._log.assigned() == self._assignment:
            await self._on(self._booking, self._batch.pass_to, delivered)

    async def _note_published(self) -> None:
        published = dict(self._batch.published_to)
        changed = [p for p, offset in published.items() if self._noted.get(p) != offset]
        if changed:
            await self._on(self._booking, self._batch.note_published, changed)
            self._noted.update({p: published[p] for p in changed})

    async def _acknowledge(self) -> None:
        published = dict(self._batch.published_to)
        changed = {p: o for p, o in published.items() if self._acknowledged.get(p) != o}
        if changed and self._assignment is not None:
            await self._log.acknowledge(changed, self._assignment[0])
            self._acknowledged.update(changed)

    async def _on(self, executor: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
        """Work on that thread; done again for as long as the database cannot be reached, and a few
        times when something else stood in its way."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            try:
                return await loop.run_in_executor(executor, work, *args)
            except Unreachable as error:
                if self._batch.is_stopping:
                    raise
                log.warning("database_unreachable", why=str(error))
            except Aborted as error:
                failures += 1
                if failures > limits.BATCH_RETRIES_MAX or self._batch.is_stopping:
                    raise
                log.warning("aborted", why=str(error), failures=failures)
            await asyncio.sleep(limits.UNREACHABLE_PAUSE_SECONDS)


def _compare_count(on_broker: int, expected: int) -> None:
    """Repartitioning is a drained procedure: a deal would change its partition unnoticed."""
    if on_broker != expected:
        raise LogMismatch(
            f"the deals topic has {on_broker} partitions, the database expects {expected}: create "
            "the topic with that count (paceboard topics create); docs/operating.md says how to "
            "repartition."
        )


def _compare(partition: int, next_offset: int, bounds: Bounds) -> None:
    """Step 4: data expired unread, or the topic or the database is not the one it was."""
    start, end, committed = bounds
    if start > next_offset:
        raise LogMismatch(
            f"partition {partition}: the log starts at {start}, the database has applied up "
            f"to {next_offset}: records have expired unread. Load the missing deals again "
            "from their sources, then set next_offset: docs/operating.md says how."
        )
    if end < next_offset:
        raise LogMismatch(
            f"partition {partition}: the log ends at {end}, before {next_offset}: the topic "
            "was re-created or the database is another one's: docs/operating.md says what to do."
        )
    if committed is not None and committed > next_offset:
        raise LogMismatch(
            f"partition {partition}: Kafka's group has {committed}, the database only "
            f"{next_offset}: the database was restored behind Kafka: docs/operating.md says "
            "what to do."
        )
