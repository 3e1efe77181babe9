"""The turnstile: batches pass it together, whoever changes what they rely on passes it alone.

Reference commits, period locks and seals take it exclusively, briefly. It is the first statement
of a transaction at READ COMMITTED, so that what is read behind it is what others committed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from db import retries
from db.connect import Connection

TURNSTILE: Final = 8097862892385563246  # an advisory lock's key; db/sql/admin.sql has it too

SHARED: Final = f"SELECT pg_advisory_xact_lock_shared({TURNSTILE})"
EXCLUSIVE: Final = f"SELECT pg_advisory_xact_lock({TURNSTILE})"
SEAL: Final = "SELECT seal()"  # db/sql/admin.sql: it passes the turnstile by itself


@contextmanager
def exclusively(conn: Connection) -> Iterator[None]:
    """One transaction behind the exclusive turnstile; raising psycopg.Rollback inside undoes it."""
    with retries.begun(conn, EXCLUSIVE):
        yield


@contextmanager
def together(conn: Connection) -> Iterator[None]:
    """One transaction behind the shared turnstile."""
    with retries.begun(conn, SHARED):
        yield


def seal(conn: Connection) -> None:
    """Seal the past: whatever is booked from now on is booked later."""
    conn.execute(SEAL)
