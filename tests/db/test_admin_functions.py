"""What the roles do by the owner's rights: ending stuck sessions, sealing, dropping old chunks."""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from db import migrate, retries, turnstile
from db.connect import connect
from db.retries import Patience
from deploy.local.stack import Stack
from schemas import limits
from schemas.settings import Settings
from tests.database import company, connected, copied

A_SECOND = 1.1
IMPATIENT = Patience(first_ms=100, last_ms=400, stuck_s=1)


FLOOR = "stuck_seconds_min CONSTANT integer := 10;"


@pytest.fixture
def hasty(database: Settings) -> Iterator[Settings]:
    """A database where a second makes a session stuck, so that a test need not wait for ten."""
    text = (migrate.HERE / "sql/admin.sql").read_text()
    assert text.count(FLOOR) == 1
    with connected(database, "owner") as conn:
        conn.execute(text.replace(FLOOR, FLOOR.replace("10", "1")).encode())
        try:
            yield database
        finally:
            migrate.apply_functions(conn)


@pytest.mark.parametrize("seconds", [None, -1, 0, 9])
def test_a_young_session_is_never_stuck(database: Settings, seconds: int | None) -> None:
    """Whoever asks for less than STUCK_SECONDS_MIN is refused; the product asks for more."""
    assert limits.TRANSACTION_MAX_SECONDS >= 10
    for role in ("worker", "api"):
        with connected(database, role) as conn:
            with pytest.raises(psycopg.errors.RaiseException, match="it must be 10 or more"):
                conn.execute("SELECT end_stuck_sessions(%s::integer)", (seconds,))
            assert retries.end_stuck_sessions_by(conn, 10) == 0


def test_a_stuck_session_of_ours_is_ended_and_nobody_elses(
    hasty: Settings, stack: Stack, migrated_template: str
) -> None:
    """Not the administrator's, not a young one, not one of another database, not the caller's."""
    admin_url = hasty.admin_url(hasty.database)
    with (
        copied(stack, migrated_template) as elsewhere,
        connected(hasty, "api") as caller,
        psycopg.connect(admin_url) as administrator,
        connect(hasty, "worker", application_name="stuck", autocommit=False) as stuck,
        connect(hasty, "owner", application_name="migrating", autocommit=False) as migrating,
        connect(hasty, "worker", application_name="young", autocommit=False) as young,
        connect(elsewhere, "worker", application_name="other", autocommit=False) as other,
        connected(hasty, "worker") as idle,
    ):
        for old in (administrator, stuck, migrating, other):
            old.execute("SELECT 1")
        time.sleep(A_SECOND)
        young.execute("SELECT 1")
        with caller.transaction():
            assert retries.end_stuck_sessions_by(caller, 1) == 1
        for alive in (administrator, migrating, young, other, idle):
            assert alive.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            stuck.execute("SELECT 1")


def test_a_lock_held_in_the_middle_of_a_copy_comes_free(hasty: Settings) -> None:
    """A process stopped while it copies keeps its locks for ever; who waits has it ended."""
    company(hasty)
    with (
        connect(hasty, "worker", application_name="stopped", autocommit=False) as stopped,
        connected(hasty, "api") as conn,
    ):
        stopped.execute(turnstile.SHARED)
        copy = "COPY alert_events FROM STDIN"
        with pytest.raises(psycopg.OperationalError), stopped.cursor().copy(copy.encode()):
            time.sleep(A_SECOND)
            with retries.begun(conn, turnstile.EXCLUSIVE, IMPATIENT):
                assert conn.execute("SELECT 1").fetchone() == (1,)


def test_who_is_not_stuck_is_waited_for(database: Settings) -> None:
    """Until the longest time-out; then the lock's error is raised and nothing is open."""
    with (
        connect(database, "worker", application_name="busy", autocommit=False) as busy,
        connected(database, "api") as conn,
    ):
        busy.execute(turnstile.SHARED)
        begun = time.monotonic()
        patient = IMPATIENT._replace(stuck_s=60)
        with (
            pytest.raises(psycopg.errors.LockNotAvailable),
            retries.begun(conn, turnstile.EXCLUSIVE, patient),
        ):
            raise AssertionError("passed a turnstile that is held")
        assert time.monotonic() - begun >= 0.1 + 0.2 + 0.4
        with pytest.raises(psycopg.errors.LockNotAvailable):
            retries.run(conn, lambda: conn.execute(turnstile.EXCLUSIVE), patient)
        assert conn.execute("SELECT 1").fetchone() == (1,)
        assert busy.execute("SELECT 1").fetchone() == (1,)


def test_the_body_is_not_repeated(database: Settings) -> None:
    """Only the wait is; a lock that fails inside leaves as it is and rolls back."""
    company(database)
    with connected(database, "api") as conn:
        with pytest.raises(psycopg.errors.LockNotAvailable), turnstile.exclusively(conn):
            conn.execute("INSERT INTO notes (subject, author, text) VALUES ('a', 'b', 'c')")
            raise psycopg.errors.LockNotAvailable
        assert conn.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_a_seal_is_not_before_what_was_known_and_never_goes_back(database: Settings) -> None:
    """It gives the instant before which nothing will be booked any more."""
    known_at = company(database).known_at
    with connected(database, "worker") as conn:
        sealed = [_scalar(conn.execute("SELECT seal()")) for _ in range(3)]
        assert known_at < sealed[0] < sealed[1] < sealed[2]
        assert _scalar(conn.execute("SELECT sealed_to FROM installation")) == sealed[2]


def test_a_seal_waits_for_the_batches_in_flight(database: Settings) -> None:
    """They may book at an instant before it, so they must have committed."""
    company(database)
    with (
        connect(database, "worker", application_name="batch", autocommit=False) as batch,
        connected(database, "worker") as conn,
    ):
        batch.execute(turnstile.SHARED)
        conn.execute("SET lock_timeout = 100")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute("SELECT seal()")
        batch.commit()
        assert _scalar(conn.execute("SELECT seal()")) is not None


def test_old_history_goes_and_money_stays(database: Settings) -> None:
    """Only the two histories that are not money have a retention."""
    old = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    insert = (
        "INSERT INTO alert_events (booked_at, alert_id, event, subject, kind, period_id, "
        "business_date, content) VALUES (%s, 'a', 'raised', 's', 'off_pace', 'p', now(), '{}')"
    )
    with connected(database, "worker") as conn:
        for booked_at in (old, dt.datetime.now(dt.UTC)):
            conn.execute(insert, (booked_at,))
        conn.execute("SELECT drop_old_chunks('alert_events', now() - interval '2 years')")
        assert _scalar(conn.execute("SELECT count(*) FROM alert_events")) == 1
        for kept in ("credits", "ledger", "deals", "nothing"):
            with pytest.raises(psycopg.errors.RaiseException, match="kept for ever"):
                conn.execute("SELECT drop_old_chunks(%s, now())", (kept,))


def _scalar(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]
