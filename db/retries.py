"""What happens when a lock does not come: end the sessions of ours that are stuck, try again.

A process stopped in the middle of a COPY keeps its locks for ever, and no time-out of its own
session frees them. So every wait has a lock_timeout; whoever hits it has such sessions ended, and
tries again with twice the time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, LiteralString, TypeVar

from psycopg import errors
from psycopg.pq import TransactionStatus

from db.connect import Connection, another, connect
from schemas import limits
from schemas.settings import DatabaseRole, Settings

T = TypeVar("T")

SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %s, true)"
END_STUCK_SESSIONS: Final = "SELECT end_stuck_sessions(%s)"


def lock_timeouts(first_ms: int = limits.LOCK_TIMEOUT_MS) -> Iterator[int]:
    """The time-outs of successive tries, in milliseconds: each twice the one before."""
    timeout = first_ms
    while timeout < limits.LOCK_TIMEOUT_MS_MAX:
        yield timeout
        timeout *= 2
    yield limits.LOCK_TIMEOUT_MS_MAX


def run(conn: Connection, work: Callable[[], T], *, first_ms: int = limits.LOCK_TIMEOUT_MS) -> T:
    """`work` in one transaction on `conn`, repeated when a lock does not come in time.

    Raises psycopg.errors.LockNotAvailable when it has not come within the longest time-out either.
    """
    for timeout in lock_timeouts(first_ms):
        try:
            with _transaction(conn, timeout):
                return work()
        except errors.LockNotAvailable as error:
            _after(conn, timeout, error)
    raise AssertionError("the last time-out raises")


@contextmanager
def begun(
    conn: Connection, first: LiteralString, *, first_ms: int = limits.LOCK_TIMEOUT_MS
) -> Iterator[None]:
    """A transaction on `conn` whose first statement waits for a lock; that is what is repeated."""
    with ExitStack() as held:
        for timeout in lock_timeouts(first_ms):
            try:
                with ExitStack() as tried:
                    tried.enter_context(_transaction(conn, timeout))
                    conn.execute(first)
                    held.push(tried.pop_all())
                    break
            except errors.LockNotAvailable as error:
                _after(conn, timeout, error)
        yield


def end_stuck_sessions(settings: Settings, role: DatabaseRole = DatabaseRole.WORKER) -> int:
    """End sessions of ours whose transaction is too old, by a new connection; how many."""
    with connect(settings, role, application_name="end stuck sessions", autocommit=True) as conn:
        return end_stuck_sessions_by(conn)


def end_stuck_sessions_by(
    conn: Connection, max_seconds: int = limits.TRANSACTION_MAX_SECONDS
) -> int:
    """The same by that connection."""
    row = conn.execute(END_STUCK_SESSIONS, (max_seconds,)).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _transaction(conn: Connection, timeout: int) -> Iterator[None]:
    assert conn.info.transaction_status == TransactionStatus.IDLE, "a transaction is open already"
    with conn.transaction():
        conn.execute(SET_LOCK_TIMEOUT, (str(timeout),))
        yield


def _after(conn: Connection, timeout: int, error: errors.LockNotAvailable) -> None:
    """Have stuck sessions ended, on a connection of its own; give up after the last time-out."""
    with another(conn) as other:
        end_stuck_sessions_by(other)
    if timeout >= limits.LOCK_TIMEOUT_MS_MAX:
        raise error
