"""Imports under way: files checked and sent one after the other, on a thread beside the requests.

What counts stands in the database: the file, what its dry run said, its state. A process that dies
leaves an import that nobody works on; after IMPORT_SECONDS_SILENT_MAX it is failed, in words.
"""

import asyncio
import io
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
import structlog
from psycopg import Error
from psycopg_pool import PoolTimeout

from api import dryrun
from api.dryrun import Change, Effect
from api.world import World, Worlds
from db import imports as rows
from db import relay
from db.connect import Pool
from db.imports import ImportRow
from domain.exact import exact_arithmetic
from ingest import files
from ingest.files import File
from ingest.mapping import Mapping, read_mapping
from ingest.publish import Publisher, PublishFailed
from ingest.spool import Spool
from ingest.tables import FileRefused, RowError
from schemas import limits
from schemas.answers import (
    ImportCounts,
    ImportFault,
    ImportMoney,
    ImportState,
    QueueMoney,
)
from schemas.live import PayeeRef
from schemas.money import text_of
from schemas.settings import Settings
from schemas.topics import DEALS

log = structlog.get_logger(__name__)

CHECKING_STOPPED: Final = "Whoever read it has died. Send the file again."
SENDING_STOPPED: Final = (
    "Whoever sent it has died; some rows may be there. Send the file again: what is there already "
    "changes nothing."
)
_POLL_SECONDS: Final = 0.1
_PUBLISH_EVERY: Final = 1_000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What an import has come to so far, as it is kept."""

    counts: ImportCounts = ImportCounts(
        rows=0, new=0, changed=0, unchanged=0, superseded=0, refused=0, sent=0
    )
    credited: tuple[QueueMoney, ...] = ()
    earned: tuple[QueueMoney, ...] = ()
    corrections: tuple[QueueMoney, ...] = ()
    held: int = 0
    not_eligible: int = 0
    effects: tuple[ImportMoney, ...] = ()
    effects_count: int = 0
    first_errors: tuple[ImportFault, ...] = ()
    moved: str | None = None
    done_rows: int = 0
    of_rows: int | None = None


class _Job(NamedTuple):
    import_id: str
    work: Callable[[str], None]


class ImportRuns:
    """The queue of this process and the thread that works on it."""

    def __init__(self, settings: Settings, pool: Pool, worlds: Worlds) -> None:
        self._settings = settings
        self._pool = pool
        self._worlds = worlds
        self._jobs: queue.Queue[_Job | None] = queue.Queue(limits.IMPORTS_WAITING_MAX)
        self._mine: Counter[str] = Counter()  # jobs waiting or under way, by import
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def has_room(self) -> bool:
        """Whether one more may wait."""
        return not self._jobs.full()

    def check(self, import_id: str) -> bool:
        """Dry-run it soon; False when too many wait."""
        return self._put(_Job(import_id, self._check))

    def send(self, import_id: str) -> bool:
        """Send it soon; False when too many wait."""
        return self._put(_Job(import_id, self._send))

    async def run(self) -> None:
        """Say that what is here is worked on, and fail what nobody works on; until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self._beat)
            except (Error, PoolTimeout) as error:
                log.warning("imports.database_away", error=type(error).__name__)
            await asyncio.sleep(limits.IMPORT_BEAT_SECONDS)

    def stop(self) -> None:
        """No more work; what is under way ends by itself or with the process."""
        if self._thread is not None:
            try:
                self._jobs.put_nowait(None)
            except queue.Full:
                log.warning("imports.waiting_at_stop")

    def _put(self, job: _Job) -> bool:
        with self._guard:
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                return False
            self._mine[job.import_id] += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="imports", daemon=True)
                self._thread.start()
            return True

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.work(job.import_id)
            except (Error, PublishFailed) as error:
                log.warning("import.broken", import_id=job.import_id, error=str(error))
                self._fail(job.import_id, f"{error}. Send the file again: nothing counts twice.")
            except Exception:
                log.exception("import.failed", import_id=job.import_id)
                self._fail(job.import_id, "It failed here; the log says why.")
            finally:
                with self._guard:
                    self._mine -= Counter((job.import_id,))

    def _beat(self) -> None:
        with self._pool.connection() as connection:
            with self._guard:
                mine = sorted(self._mine)
            if mine:
                rows.beat(connection, mine)
            rows.give_up(
                connection,
                seconds=limits.IMPORT_SECONDS_SILENT_MAX,
                checking=CHECKING_STOPPED,
                sending=SENDING_STOPPED,
            )

    def _fail(self, import_id: str, problem: str) -> None:
        try:
            with self._pool.connection() as connection:
                for state in (ImportState.CHECKING, ImportState.SENDING):
                    rows.move(
                        connection,
                        import_id,
                        before=state.value,
                        after=ImportState.FAILED.value,
                        problem=problem,
                    )
        except (Error, PoolTimeout):
            log.warning("import.not_marked_failed", import_id=import_id)

    # ---- the dry run ----

    def _check(self, import_id: str) -> None:
        _, file, mapping = self._opened(import_id)
        try:
            with Spool() as spool:
                checked, effect, world = self._tried(Result(), import_id, file, mapping, spool)
                result = _result(checked, effect, world, mapping)
                self._keep_errors(import_id, file, mapping, {**checked.refused, **effect.refused})
        except FileRefused as error:
            return self._fail(import_id, str(error))
        with self._pool.connection() as connection:
            rows.move(
                connection,
                import_id,
                before=ImportState.CHECKING.value,
                after=ImportState.CHECKED.value,
                result=msgspec.json.encode(result),
            )
        return None

    def _opened(self, import_id: str) -> tuple[ImportRow, File, Mapping]:
        with self._pool.connection() as connection:
            row = rows.find(connection, import_id)
            assert row is not None, import_id
            content = rows.content(connection, import_id)
        return row, files.in_memory(row.file_name, content), read_mapping(row.mapping.encode())

    def _tried(
        self, known: Result, import_id: str, file: File, mapping: Mapping, spool: Spool
    ) -> tuple[dryrun.Checked, Effect, World]:
        say = self._say(known, import_id)
        checked = dryrun.check(file, mapping, spool, say=lambda done: say(done, None))
        with self._worlds.snapshot() as (connection, world):
            effect = dryrun.try_out(
                connection,
                world.reference,
                mapping,
                spool,
                say=lambda done: say(done, checked.rows),
            )
        return checked, effect, world

    def _say(self, result: Result, import_id: str) -> Callable[[int, int | None], None]:
        """Notes progress beside what was found so far, at most once a beat."""
        said = 0.0

        def say(done: int, of: int | None) -> None:
            nonlocal said
            if time.monotonic() - said < limits.IMPORT_BEAT_SECONDS / 2:
                return
            said = time.monotonic()
            with self._pool.connection() as connection:
                rows.note(
                    connection,
                    import_id,
                    msgspec.json.encode(
                        msgspec.structs.replace(result, done_rows=done, of_rows=of)
                    ),
                )

        return say

    def _keep_errors(
        self, import_id: str, file: File, mapping: Mapping, refused: dict[int, RowError]
    ) -> None:
        """The error file of this trial; the one before is replaced."""
        if not refused:
            return
        target = io.BytesIO()
        files.write_errors(target, file, mapping, refused)
        with self._pool.connection() as connection:
            rows.keep_errors(connection, import_id, target.getvalue())

    # ---- the load ----

    def _send(self, import_id: str) -> None:
        row, file, mapping = self._opened(import_id)
        before = msgspec.json.decode(row.result, type=Result)
        with Spool() as spool:
            checked, effect, world = self._tried(before, import_id, file, mapping, spool)
            now = _result(checked, effect, world, mapping)
            now = msgspec.structs.replace(now, moved=_moved(before, now))
            self._keep_errors(import_id, file, mapping, {**checked.refused, **effect.refused})
            sent, ends = self._publish(import_id, spool, effect.refused, now, row.is_history)
        problem = self._applied(ends)
        done = msgspec.structs.replace(now, counts=_sent(now.counts, sent), done_rows=sent)
        with self._pool.connection() as connection:
            is_moved = rows.move(
                connection,
                import_id,
                before=ImportState.SENDING.value,
                after=ImportState.DONE.value,
                result=msgspec.json.encode(done),
                problem=problem,
            )
        if not is_moved:
            log.warning("import.given_up_meanwhile", import_id=import_id, sent=sent)

    def _publish(
        self,
        import_id: str,
        spool: Spool,
        refused: dict[int, RowError],
        result: Result,
        is_history: bool,
    ) -> tuple[int, dict[int, int]]:
        """Good rows in the file's order; how many, and the offsets behind them."""
        sent = 0
        with Publisher(self._settings, source="paceboard/imports") as publisher:
            for kept in spool.deals():
                if kept.row in refused:
                    continue
                publisher.send(kept.deal, is_replay=is_history)
                sent += 1
                if sent % _PUBLISH_EVERY == 0:
                    self._note(import_id, result, sent, spool.count)
            ends = publisher.flush()
        return sent, ends

    def _note(self, import_id: str, result: Result, sent: int, of: int) -> None:
        shown = msgspec.structs.replace(
            result, counts=_sent(result.counts, sent), done_rows=sent, of_rows=of
        )
        with self._pool.connection() as connection:
            rows.note(connection, import_id, msgspec.json.encode(shown))

    def _applied(self, ends: dict[int, int]) -> str | None:
        """Wait until what was sent is in the ledger; a sentence when it is not in time."""
        topic = DEALS.full_name(self._settings.topic_prefix)
        until = time.monotonic() + limits.APPLY_SECONDS_MAX
        while ends:
            with self._pool.connection() as connection:
                if not relay.not_applied(connection, topic, ends):
                    return None
            if time.monotonic() > until:
                return "All rows are sent, and not all are booked yet: does a worker run?"
            time.sleep(_POLL_SECONDS)
        return None


def _result(checked: dryrun.Checked, effect: Effect, world: World, mapping: Mapping) -> Result:
    refused = {**checked.refused, **effect.refused}
    errors = [refused[number] for number in sorted(refused)]
    with exact_arithmetic():
        return Result(
            counts=ImportCounts(
                rows=checked.rows,
                new=effect.new,
                changed=effect.changed,
                unchanged=effect.unchanged,
                superseded=effect.superseded,
                refused=len(refused),
                sent=0,
            ),
            credited=_money(effect.credited),
            earned=_money(effect.earned),
            corrections=_money(effect.corrections),
            held=effect.held,
            not_eligible=effect.not_eligible,
            effects=tuple(
                _effect(one, world) for one in effect.changes[: limits.IMPORT_EFFECTS_MAX]
            ),
            effects_count=len(effect.changes),
            first_errors=tuple(
                ImportFault(
                    row=one.row,
                    column=one.column or None,
                    code=one.code,
                    message=f"{one.message}; expected: {one.expected}",
                )
                for one in errors[: limits.IMPORT_ERRORS_SHOWN_MAX]
            ),
            done_rows=checked.rows,
            of_rows=checked.rows,
        )


def _effect(one: Change, world: World) -> ImportMoney:
    where = one.where
    return ImportMoney(
        payee=PayeeRef(payee_id=where.payee_id, name=world.name_of(where.payee_id)),
        period=where.origin,
        period_state=one.state,
        booked_into=where.booked_into or where.origin,
        currency=where.currency,
        credited=text_of(one.money.credited),
        earned=text_of(one.money.earned),
    )


def _money(sums: dict[str, Decimal]) -> tuple[QueueMoney, ...]:
    return tuple(
        QueueMoney(currency=currency, amount=text_of(amount)) for currency, amount in sums.items()
    )


def _sent(counts: ImportCounts, sent: int) -> ImportCounts:
    return msgspec.structs.replace(counts, sent=sent)


def _moved(before: Result, now: Result) -> str | None:
    """What the load does otherwise than the dry run said, because the books moved in between."""
    if (before.counts, before.earned, before.credited) == (now.counts, now.earned, now.credited):
        return None

    def said(result: Result) -> str:
        earned = ", ".join(f"{one.amount} {one.currency}" for one in result.earned) or "nothing"
        counts = result.counts
        return f"{counts.new} new, {counts.changed} changed, {earned} earned"

    return f"Since the dry run the books have moved: then {said(before)}; now {said(now)}."
