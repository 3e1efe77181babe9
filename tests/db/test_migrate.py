"""An empty server becomes the declared tables, on TimescaleDB and on plain PostgreSQL."""

import concurrent.futures
from contextlib import suppress

import psycopg
import pytest

from db import migrate, server
from db.edition import edition
from db.hypertables import HAS_TIMESCALE
from db.tables import HYPERTABLES
from db.turnstile import TURNSTILE
from deploy.local.stack import Stack
from schemas.limits import CHUNK_DAYS
from schemas.settings import DatabaseRole, Settings
from tests.database import connected, settings_for
from tests.services import with_login

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


def test_a_database_in_use_is_migrated_again(database: Settings) -> None:
    """Chunks are there, a function has other arguments now: readable, and no left-overs."""
    with connected(database, "owner") as conn:
        conn.execute("CREATE FUNCTION seal(since date) RETURNS date LANGUAGE sql RETURN since")
    with connected(database, "worker") as conn:
        conn.execute(
            "INSERT INTO payments (booked_at, payment_id, payee_id, kind, booking_period, amount, "
            "currency, cause) SELECT now() - d * interval '100 days', d, 'p', 'paid', 'q', d, "
            "'USD', 'test' FROM generate_series(1, 5) d"
        )
    migrate.migrate(database)
    with connected(database, "reader") as conn:
        assert conn.execute("SELECT sum(amount) FROM payments").fetchone() == (15,)
        seals = "SELECT array_agg(oid::regprocedure::text) FROM pg_proc WHERE proname = 'seal'"
        assert conn.execute(seals).fetchone() == (["seal()"],)


def test_an_administrator_need_not_be_superuser(plain_server: str) -> None:
    """As on managed servers: he may create roles and databases."""
    roles = ", ".join(role.login for role in DatabaseRole)
    with psycopg.connect(plain_server, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE boss LOGIN CREATEDB CREATEROLE PASSWORD 'boss'")
        # Where another test has made the roles before, they are his as if he had made them.
        with suppress(psycopg.errors.UndefinedObject):
            superuser.execute(f"GRANT {roles} TO boss WITH ADMIN OPTION".encode())
    settings = plain_settings(with_login(plain_server, "boss", "boss"), "managed")
    migrate.migrate(settings)
    migrate.migrate(settings)
    migrate.check(settings)


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
    settings = plain_settings(plain_server, "sales and pay")
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


def plain_settings(url: str, database: str) -> Settings:
    passwords = {f"PACEBOARD_{r}_PASSWORD": r for r in ("OWNER", "WORKER", "API", "READER")}
    return Settings(
        values={"PACEBOARD_DATABASE_URL": url, "PACEBOARD_DATABASE": database, **passwords}
    )
