"""A migrated database for a test, and a small company to put into it.

`database` is the Settings of a database of the test's own while it runs: empty, as migrated. A
test that changes tables takes `empty_database`. The company: two sellers and their manager, one
plan year of two periods, one plan, quotas.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from db import installation, reference
from db.connect import Connection, connect
from db.migrate import migrate
from db.reference_change import reference_change
from deploy.local.credentials import product_secrets
from deploy.local.places import Places
from deploy.local.stack import Stack
from schemas.ids import ComponentId, PlanId
from schemas.messages import PeriodState, Role
from schemas.plan import Component, MarginalTable, Measure, PlanDocument, Tier, TierInput
from schemas.reference import BoardMeasure, Curve, PersonRole, ReferenceRows
from schemas.settings import Settings
from schemas.topics import DEALS
from tests.services import new_database, unique_name

ADMINISTRATOR = "administrator"
SOURCE = "crm"
YEAR = "FY2024"
FIRST, SECOND = "2024-Q1", "2024-Q2"
ADA, BEN, MEG = "p-ada", "p-ben", "p-meg"  # their keys at the source: ada, ben, meg
PLAN = PlanId("sellers")
START = dt.date(2024, 1, 1)
QUOTA = Decimal(100_000)

SPARE: dict[str, list[str]] = {}  # emptied copies by their template
END_SESSIONS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'
"""
EMPTY = """
    DO $$
    DECLARE
        name text;
        is_used boolean;
    BEGIN
        FOR name IN
            SELECT tablename FROM pg_tables
            WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO is_used;
            IF is_used THEN
                EXECUTE format('TRUNCATE %I RESTART IDENTITY', name);
            END IF;
        END LOOP;
        PERFORM setval(number, 1, false)
        FROM unnest('{tokens,batch_numbers,lease_tokens}'::regclass[]) number;
    END
    $$
"""


def settings_for(stack: Stack, database_url: str) -> Settings:
    """The settings of that database on the stack."""
    given = Settings.from_environment({**product_secrets(Places.here()), **os.environ})
    return given.but(
        PACEBOARD_KAFKA=stack.kafka,
        PACEBOARD_DATABASE_URL=stack.database_url,
        PACEBOARD_DATABASE=urlsplit(database_url).path[1:],
    )


@pytest.fixture(scope="session")
def migrated_template(stack: Stack) -> Iterator[str]:
    """The name of a migrated database that nobody connects to, so that it can be copied."""
    with new_database(stack.database_url, "template") as url:
        migrate(settings_for(stack, url))
        name = urlsplit(url).path[1:]
        with psycopg.connect(stack.database_url, autocommit=True) as admin:
            # TimescaleDB's scheduler is connected to it; one that is closed to all it leaves alone.
            admin.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name))
            )
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (name,),
            )
        try:
            yield name
        finally:
            with psycopg.connect(stack.database_url, autocommit=True) as admin:
                for copy in SPARE.pop(name, []):
                    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                    admin.execute(drop.format(sql.Identifier(copy)))


@contextmanager
def copied(stack: Stack, template: str) -> Iterator[Settings]:
    """A copy of that database; at the end it is emptied and kept for the next who asks.

    To make or drop a database forces a checkpoint, which on a busy machine takes seconds.
    """
    spare = SPARE.setdefault(template, [])
    name = spare.pop() if spare else _copy(stack, template)
    settings = settings_for(stack, f"postgresql:///{name}")
    try:
        yield settings
    finally:
        with psycopg.connect(settings.admin_url(name), autocommit=True) as admin:
            admin.execute(END_SESSIONS)
            admin.execute(EMPTY)
        spare.append(name)


def _copy(stack: Stack, template: str) -> str:
    name = unique_name("test")
    with psycopg.connect(stack.database_url, autocommit=True) as admin:
        statement = "CREATE DATABASE {} TEMPLATE {} OWNER paceboard_owner"
        admin.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
    return name


@pytest.fixture
def database(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    """A migrated, empty database of this test's own: its settings."""
    with copied(stack, migrated_template) as settings:
        yield settings


@contextmanager
def connected(settings: Settings, role: str) -> Iterator[Connection]:
    """An autocommit connection of that role, closed at the end."""
    with connect(settings, role, application_name="test", autocommit=True) as conn:
        yield conn


def plan() -> PlanDocument:
    """1.5 % of what is sold, 3 % beyond quota; managers are paid 0.5 % of their sellers' sales."""
    own = Component(
        component=ComponentId("own"),
        measure=Measure(roles=(Role.OWNER, Role.SPLIT)),
        table=MarginalTable(
            input=TierInput.ATTAINMENT,
            tiers=(Tier(start="0", rate="0.015"), Tier(start="1", rate="0.03")),
        ),
        counts_for_attainment=True,
    )
    team = Component(
        component=ComponentId("team"),
        measure=Measure(roles=(Role.ROLLUP,)),
        table=MarginalTable(tiers=(Tier(start="0", rate="0.005"),)),
    )
    return PlanDocument(plan_id=PLAN, version=1, name="Sellers", components=(own, team))


def company(settings: Settings) -> ReferenceRows:
    """Install Ada and Ben, who report to Meg; two quarters, a plan, a quota each, a board."""
    with connected(settings, "api") as conn:
        installation.install(
            conn,
            company="Northwind",
            currency="USD",
            time_zone="America/New_York",
            deals_partitions=DEALS.partitions,
            actor=ADMINISTRATOR,
        )
        with reference_change(
            conn, actor=ADMINISTRATOR, action="load company", entity="company"
        ) as change:
            for table, rows in company_rows().items():
                change.put(table, rows)
        return reference.read(conn)


def company_rows() -> dict[str, list[dict[str, Any]]]:
    """The company's reference rows by table."""
    people = {ADA: PersonRole.REP, BEN: PersonRole.REP, MEG: PersonRole.MANAGER}
    return {
        "calendars": [
            {
                "calendar_id": "company",
                "weekend": (5, 6),
                "holidays": (),
                "day_starts": dt.time(9),
                "day_ends": dt.time(17),
                "curve": Curve.WORKING_DAYS,
            }
        ],
        "people": [
            {"payee_id": payee, "name": payee[2:].title(), "role": role, "starts_on": START}
            for payee, role in people.items()
        ],
        "payee_keys": [{"source": SOURCE, "key": payee[2:], "payee_id": payee} for payee in people],
        "reporting_lines": [
            {"payee_id": payee, "manager_id": MEG, "starts_on": START} for payee in (ADA, BEN)
        ],
        "periods": [
            _period(FIRST, START, dt.date(2024, 4, 1)),
            _period(SECOND, dt.date(2024, 4, 1), dt.date(2024, 7, 1)),
        ],
        "quotas": [
            {"payee_id": payee, "period_id": period, "amount": QUOTA}
            for payee in people
            for period in (FIRST, SECOND)
        ],
        "plans": [
            {"plan_id": PLAN, "plan_version": 1, "starts_on": START, "document": plan()},
        ],
        "assignments": [
            {
                "assignment_id": f"{payee}-1",
                "payee_id": payee,
                "plan_id": PLAN,
                "starts_on": START,
            }
            for payee in people
        ],
        "sources": [{"source": SOURCE, "fields": ["*"], "description": "The CRM"}],
        "boards": [
            {
                "board_id": "sellers",
                "name": "Sellers",
                "measure": BoardMeasure.ATTAINMENT,
                "roles": [PersonRole.REP],
                "visibility": "everyone",
            }
        ],
    }


def _period(period_id: str, starts_on: dt.date, ends_on: dt.date) -> dict[str, Any]:
    return {
        "period_id": period_id,
        "plan_year": YEAR,
        "starts_on": starts_on,
        "ends_on": ends_on,
        "state": PeriodState.OPEN,
    }
