"""An empty server becomes the declared tables, on TimescaleDB and on plain PostgreSQL."""

import concurrent.futures

import psycopg
import pytest

from db import migrate, server
from db.edition import edition
from db.hypertables import HAS_TIMESCALE
from db.tables import HYPERTABLES
from db.turnstile import TURNSTILE
from deploy.local.stack import Stack
from schemas.limits import CHUNK_DAYS
from schemas.settings import Settings
from tests.database import connected, settings_for

DUMP = """
    SELECT relname::text, relowner::regrole::text, relacl::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT proname, proowner::regrole::text, proacl::text FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proowner = 'paceboard_owner'::regrole
    ORDER BY 1, 2
"""
DIMENSIONS = """
    SELECT hypertable_name::text, column_name::text, extract(day FROM time_interval)::int
    FROM timescaledb_information.dimensions
"""
INDEXES = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE %s"


def test_a_migrated_database_is_as_declared(database: Settings) -> None:
    """Alembic sees no difference between tables.py and the database."""
    migrate.check(database)


def test_the_owner_owns_it_all_and_repeating_changes_nothing(
    stack: Stack, empty_database: str
) -> None:
    """Objects, owners and grants are the same after the second migration."""
    settings = settings_for(stack, empty_database)
    migrate.migrate(settings)
    with psycopg.connect(empty_database) as admin:
        before = admin.execute(DUMP).fetchall()
        migrate.migrate(settings)
        assert admin.execute(DUMP).fetchall() == before
    assert {name for name, _, _ in before} >= {"credits", "pk_deals", "seal", "tokens"}
    assert {owner for _, owner, _ in before} == {"paceboard_owner"}


def test_several_migrate_at_once(stack: Stack, empty_database: str) -> None:
    """Replicas that start together wait for each other."""
    settings = settings_for(stack, empty_database)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(migrate.migrate, [settings] * 3))
    migrate.check(settings)


def test_without_an_administrator_the_owner_migrates(stack: Stack, empty_database: str) -> None:
    """Where roles and database were prepared, production needs no superuser."""
    settings = settings_for(stack, empty_database)
    server.prepare(settings)
    alone = Settings(values={"PACEBOARD_OWNER_DATABASE_URL": settings.database_url("owner")})
    migrate.migrate(alone)
    migrate.check(alone)


def test_facts_are_hypertables_with_long_chunks_and_declared_indexes_only(
    database: Settings,
) -> None:
    """Many short chunks are slow, and TimescaleDB's own index would be drift."""
    with connected(database, "owner") as conn:
        if conn.execute(HAS_TIMESCALE).fetchone() != (True,):
            pytest.skip("the server has no TimescaleDB")
        expected = {(name, "booked_at", CHUNK_DAYS) for name in HYPERTABLES}
        assert set(conn.execute(DIMENSIONS)) == expected
        assert conn.execute(INDEXES, ("%booked_at_idx",)).fetchone() == (0,)
        assert edition(conn).off == ()
        assert edition(conn).words.startswith("TimescaleDB 2.")


def test_plain_postgresql_will_do(plain_server: str) -> None:
    """The same tables, and the edition says what is off."""
    settings = Settings.from_environment(
        {
            "PACEBOARD_DATABASE_URL": plain_server,
            "PACEBOARD_DATABASE": "sales and pay",
            **{f"PACEBOARD_{r}_PASSWORD": r for r in ("OWNER", "WORKER", "API", "READER")},
        }
    )
    migrate.migrate(settings)
    migrate.migrate(settings)
    migrate.check(settings)
    with connected(settings, "reader") as conn:
        found = edition(conn)
        assert found.timescaledb is None and "hypertables" in found.off[0]
    with connected(settings, "worker") as conn:
        conn.execute(
            "INSERT INTO alert_events SELECT now() - make_interval(days => d), 'a', 'raised', "
            "'s', 'k', 'p', NULL, now(), '{}' FROM generate_series(1, 10) d"
        )
        conn.execute("SELECT drop_old_chunks('alert_events', now() - interval '5 days 1 hour')")
        assert conn.execute("SELECT count(*) FROM alert_events").fetchone() == (5,)


def test_the_sql_functions_know_the_same_turnstile() -> None:
    """Its key stands in Python and in SQL."""
    assert f"pg_advisory_xact_lock({TURNSTILE})" in (migrate.HERE / "sql/admin.sql").read_text()
