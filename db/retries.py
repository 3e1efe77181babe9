"""What happens when a lock does not come: end the sessions of ours that are stuck, try again.

A process stopped in the middle of a COPY keeps its locks for ever, and no time-out of its own
session frees them. So every wait has a lock_timeout; whoever hits it has such sessions ended, and
tries again with twice the time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, LiteralString, NamedTuple, TypeVar

from psycopg import errors
from psycopg.pq import TransactionStatus

from db.connect import Connection, another, connect
from schemas import limits
from schemas.settings import DatabaseRole, Settings

T = TypeVar("T")

SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %s, true)"
END_STUCK_SESSIONS: Final = "SELECT end_stuck_sessions(%s)"


class Patience(NamedTuple):
    """How long to wait for a lock at first and at last, and what counts as stuck."""

    first_ms: int = limits.LOCK_TIMEOUT_MS
    last_ms: int = limits.LOCK_TIMEOUT_MS_MAX
    stuck_s: int = limits.TRANSACTION_MAX_SECONDS

    def timeouts_ms(self) -> Iterator[int]:
        """The time-outs of successive tries: each twice the one before, up to the last."""
        timeout = self.first_ms
        while timeout < self.last_ms:
            yield timeout
            timeout *= 2
        yield self.last_ms


PATIENCE: Final = Patience()


def run(conn: Connection, work: Callable[[], T], patience: Patience = PATIENCE) -> T:
    """`work` in one transaction on `conn`, repeated when a lock does not come in time.

    Raises psycopg.errors.LockNotAvailable when it has not come within the longest time-out either.
    """
    for timeout in patience.timeouts_ms():
        try:
            with _transaction(conn, timeout):
                return work()
        except errors.LockNotAvailable:
            _end_stuck(conn, patience)
            if timeout == patience.last_ms:
                raise
    raise AssertionError("the last time-out raises")


@contextmanager
def begun(conn: Connection, first: LiteralString, patience: Patience = PATIENCE) -> Iterator[None]:
    """A transaction on `conn` whose first statement waits for a lock; that is what is repeated."""
    with ExitStack() as held:
        for timeout in patience.timeouts_ms():
            try:
                with ExitStack() as tried:
                    tried.enter_context(_transaction(conn, timeout))
                    conn.execute(first)
                    held.push(tried.pop_all())
                    break
            except errors.LockNotAvailable:
                _end_stuck(conn, patience)
                if timeout == patience.last_ms:
                    raise
        yield


def end_stuck_sessions(settings: Settings, role: DatabaseRole = DatabaseRole.WORKER) -> int:
    """End sessions of ours whose transaction is too old, by a new connection; how many."""
    with connect(settings, role, application_name="end stuck sessions", autocommit=True) as conn:
        return end_stuck_sessions_by(conn, limits.TRANSACTION_MAX_SECONDS)


def end_stuck_sessions_by(conn: Connection, max_seconds: int) -> int:
    """The same by that connection."""
    row = conn.execute(END_STUCK_SESSIONS, (max_seconds,)).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _transaction(conn: Connection, timeout_ms: int) -> Iterator[None]:
    assert conn.info.transaction_status == TransactionStatus.IDLE, "a transaction is open already"
    with conn.transaction():
        conn.execute(SET_LOCK_TIMEOUT, (str(timeout_ms),))
        yield


def _end_stuck(conn: Connection, patience: Patience) -> None:
    """By a connection of its own: ours is in the failed transaction, or just out of it."""
    with another(conn) as other:
        end_stuck_sessions_by(other, patience.stuck_s)
