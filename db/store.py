"""The Store of the deals processor on PostgreSQL: one transaction a batch (streams/ports.py).

COPY carries the facts, functions of db/sql/batch.sql move the state and raise on a missed version,
so a rollback at any moment is harmless. Two connections: one for the transaction, one for reads on
committed state while that transaction runs.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, Final, LiteralString, ParamSpec, TypeVar

import psycopg
import structlog

from db import batch_reads, batch_writes, reference, turnstile
from db.connect import SNAPSHOT, Connection, connect
from db.retries import end_stuck_sessions
from schemas import limits
from schemas.ids import AccountId, DealId
from schemas.reference import ReferenceRows
from schemas.settings import DatabaseRole, Settings
from schemas.state import AccountState, BatchFacts, Credit, DealState
from schemas.transaction import (
    Aborted,
    Advance,
    BadData,
    Claim,
    Entered,
    Fenced,
    Installation,
    Unreachable,
)

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

_FENCED: Final = "PB001"
_GONE: Final = ("08", "57")  # connection exceptions; shutting down or starting up
_LONG_AGO: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %s, true)"
_TOKENS: Final = (
    "SELECT partition, token FROM partitions WHERE topic = %s AND partition = ANY(%s)"
    " ORDER BY partition"
)
_VERSIONS: Final = "SELECT reference_version, reference_known_at, sealed_to FROM installation"
_ADD_PARTITION: Final = (
    "INSERT INTO partitions (topic, partition) VALUES (%s, %s) ON CONFLICT DO NOTHING"
)
_CLAIM: Final = """
WITH mine AS MATERIALIZED (SELECT nextval('tokens') AS token)
UPDATE partitions SET token = mine.token, owner = %s FROM mine
 WHERE topic = %s AND partition = %s AND partitions.token < mine.token
RETURNING partitions.token, next_offset, published_to"""
_CREATE_ACCOUNTS: Final = """
INSERT INTO accounts (account_id, payee_id, plan_year, currency, version)
SELECT u.*, 0 FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS u(account_id, p, y, c)
 ORDER BY account_id ON CONFLICT DO NOTHING"""
_LOCK_ACCOUNTS: Final = """
SELECT a.account_id FROM unnest(%s::text[]) AS u(account_id) JOIN accounts a USING (account_id)
 ORDER BY a.account_id FOR UPDATE OF a"""
_DEAL_VERSIONS: Final = "SELECT deal_id, version FROM deals WHERE deal_id = ANY(%s)"
_ADVANCE: Final = "SELECT advance_partition(%s, %s, %s, %s, %s, %s)"


class PostgresStore:
    """Implements streams.ports.Store. `topic` is the deals topic's full name."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._write: Connection | None = None
        self._read: Connection | None = None
        self._lock_timeout_ms = limits.LOCK_TIMEOUT_MS

    # ---- connections ----

    def _writer(self) -> Connection:
        if self._write is None or self._write.closed:
            self._write = connect(
                self._settings,
                DatabaseRole.WORKER,
                application_name="paceboard deals write",
                autocommit=False,
            )
        return self._write

    def _reader(self) -> Connection:
        if self._read is None or self._read.closed:
            self._read = connect(
                self._settings,
                DatabaseRole.WORKER,
                application_name="paceboard deals read",
                autocommit=True,
            )
        return self._read

    def close(self) -> None:
        """Give both connections back."""
        for connection in (self._write, self._read):
            if connection is not None:
                connection.close()

    # ---- transactions ----

    @contextmanager
    def begin(self) -> Iterator["PostgresTransaction"]:
        """A transaction; every error of the database leaves as Fenced or Aborted."""
        try:
            transaction = PostgresTransaction(self._writer(), self._topic, self._lock_timeout_ms)
            try:
                yield transaction
            finally:
                transaction.rollback()
        except psycopg.errors.LockNotAvailable as error:
            self._after_lock_timeout()
            raise Aborted(str(error)) from error
        except psycopg.Error as error:
            raise _meaning(error) from error
        self._lock_timeout_ms = limits.LOCK_TIMEOUT_MS

    def _after_lock_timeout(self) -> None:
        """Have sessions ended that are stuck with a lock; wait twice as long the next time."""
        try:
            ended = end_stuck_sessions(self._settings, DatabaseRole.WORKER)
        except psycopg.Error as error:
            log.warning("stuck_sessions_not_ended", why=str(error))
            ended = 0
        self._lock_timeout_ms = min(self._lock_timeout_ms * 2, limits.LOCK_TIMEOUT_MS_MAX)
        log.warning("lock_timeout", ended_sessions=ended, next_ms=self._lock_timeout_ms)

    def claim(self, partitions: Sequence[int], owner: str) -> dict[int, Claim]:
        """A new token for each partition, only over a lower one, in a transaction of its own."""
        with self.begin() as transaction:
            return transaction.claim(sorted(partitions), owner)

    def create_accounts(self, accounts: Sequence[AccountState]) -> None:
        """Those that do not exist yet, sorted, in one statement that takes no turnstile.

        On the reading connection: the other may be in the transaction of the batch before.
        """
        self._reading(_create_accounts, accounts)

    def note_published(self, advances: Sequence[Advance]) -> None:
        """`published_to` and nothing else."""
        with self.begin() as transaction:
            transaction.commit(advances)

    # ---- reads on committed state ----

    def _reading(
        self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One statement outside of the transaction; a lost connection is opened again once."""
        try:
            return read(self._reader(), *args, **kwargs)
        except psycopg.OperationalError:
            self._read = None
        except psycopg.Error as error:
            raise _meaning(error) from error
        try:
            return read(self._reader(), *args, **kwargs)
        except psycopg.Error as error:
            self._read = None
            raise _meaning(error) from error

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        """Committed states of those deals that exist."""
        return self._reading(batch_reads.read_deals, deals)

    def reference_version(self) -> int:
        """The version committed now."""
        return self._reading(reference.version)

    def read_reference(self) -> ReferenceRows:
        """The reference data committed now."""
        return self._reading(reference.read)

    def existing_accounts(self, accounts: Sequence[AccountId]) -> set[AccountId]:
        """Which of them exist."""
        return self._reading(batch_reads.existing_accounts, accounts)

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        """Committed states with their positions."""
        return self._reading(batch_reads.read_accounts, accounts)

    def installation(self) -> Installation:
        """The timeline, and how many partitions the deals topic must have."""
        return self._reading(batch_reads.read_installation)

    def unpublished(self, published_to: Mapping[int, int]) -> list[BatchFacts]:
        """Batches that cover offsets at or above `published_to`, in order, with their facts."""
        return self._reading(_unpublished, self._topic, published_to)


def _meaning(error: psycopg.Error) -> Exception:
    """What an error of the database means to the protocol."""
    code = error.sqlstate
    if code == _FENCED:
        return Fenced(str(error))
    if isinstance(error, psycopg.DataError):
        return BadData(f"{code}: {error}")
    if isinstance(error, psycopg.OperationalError) and (code is None or code[:2] in _GONE):
        return Unreachable(f"{code}: {error}")
    return Aborted(f"{code}: {error}")


def _unpublished(conn: Connection, topic: str, published_to: Mapping[int, int]) -> list[BatchFacts]:
    """In one snapshot: an account's version and its cells are of one state."""
    with conn.transaction():
        conn.execute(SNAPSHOT)
        return batch_reads.unpublished(conn, topic, published_to)


def _create_accounts(conn: Connection, accounts: Sequence[AccountState]) -> None:
    rows = sorted(accounts, key=lambda account: account.account_id)
    columns = (
        [row.account_id for row in rows],
        [row.payee_id for row in rows],
        [row.plan_year for row in rows],
        [row.currency for row in rows],
    )
    conn.execute(_CREATE_ACCOUNTS, columns)


class PostgresTransaction:
    """Implements streams.ports.Transaction on one connection."""

    def __init__(self, connection: Connection, topic: str, lock_timeout_ms: int) -> None:
        self._conn = connection
        self._topic = topic
        self._lock_timeout_ms = lock_timeout_ms

    def rollback(self) -> None:
        """Nothing of this transaction remains; harmless after a commit."""
        try:
            self._conn.rollback()
        except psycopg.OperationalError:
            self._conn.close()  # it is gone, and the transaction with it

    def enter(self, partitions: Sequence[int]) -> Entered:
        """The turnstile first; tokens and versions are read by statements begun after it."""
        with self._conn.pipeline():
            self._conn.execute(_SET_LOCK_TIMEOUT, [f"{self._lock_timeout_ms}ms"])
            self._conn.execute(turnstile.SHARED)
            tokens = self._conn.execute(_TOKENS, [self._topic, list(partitions)])
            versions = self._conn.execute(_VERSIONS)
        version, known_at, sealed_to = versions.fetchone() or (0, _LONG_AGO, _LONG_AGO)
        return Entered(dict(tokens.fetchall()), version, known_at, sealed_to)

    def claim(self, partitions: Sequence[int], owner: str) -> dict[int, Claim]:
        """Claim and commit."""
        claims = {}
        for partition in partitions:
            self._conn.execute(_ADD_PARTITION, [self._topic, partition])
            row = self._conn.execute(_CLAIM, [owner, self._topic, partition]).fetchone()
            if row is None:
                raise Fenced(f"partition {partition} is claimed with a newer token")
            claims[partition] = Claim(*row)
        self._conn.commit()
        return claims

    def lock_accounts(self, accounts: Sequence[AccountId]) -> list[AccountId]:
        """In sorted order, by a join on unnest (`= ANY` is four times the work: measured)."""
        rows = self._conn.execute(_LOCK_ACCOUNTS, [sorted(accounts)]).fetchall()
        return [account for (account,) in rows]

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        """Accounts with positions, by a statement begun after the lock."""
        return batch_reads.read_accounts(self._conn, accounts)

    def deal_versions(self, deals: Sequence[DealId]) -> dict[DealId, int]:
        """Versions of those that exist."""
        return dict(self._conn.execute(_DEAL_VERSIONS, [list(deals)]).fetchall())

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        """States of those that exist."""
        return batch_reads.read_deals(self._conn, deals)

    def credits_in_force(self, accounts: Sequence[AccountId]) -> dict[AccountId, list[Credit]]:
        """Neither reversals nor reversed; for the accounts that a Reaccrue names."""
        found: dict[AccountId, list[Credit]] = {}
        for credit in batch_reads.credits_in_force(self._conn, accounts):
            found.setdefault(credit.account_id, []).append(credit)
        return found

    def read_reference(self) -> ReferenceRows:
        """Stable behind the turnstile, so READ COMMITTED statements agree."""
        return reference.read_within(self._conn)

    def now(self) -> dt.datetime:
        """The database's clock."""
        now: dt.datetime = self._one("SELECT clock_timestamp()")
        return now

    def next_batch(self) -> int:
        """From the sequence."""
        return int(self._one("SELECT nextval('batch_numbers')"))

    def _one(self, statement: LiteralString) -> Any:
        row = self._conn.execute(statement).fetchone()
        assert row is not None
        return row[0]

    def write(self, facts: BatchFacts) -> None:
        """Everything but the partitions."""
        batch_writes.write(self._conn, facts, self._topic)

    def commit(self, advances: Sequence[Advance]) -> None:
        """Move the partitions, sorted; then COMMIT, whose outcome may stay unknown: fenced."""
        with self._conn.pipeline():
            for a in sorted(advances):
                self._conn.execute(
                    _ADVANCE,
                    [self._topic, a.partition, a.token, a.expected, a.next, a.published_to],
                )
        try:
            self._conn.commit()
        except psycopg.OperationalError as error:
            raise Fenced(f"the outcome of a commit is unknown: {error}") from error
