"""A migrated database for a test, and a small company to put into it.

`database` is the Settings of a database of the test's own, copied from one that is migrated once a
session (a copy costs a tenth of a migration). The company: two sellers and their manager, one plan
year of two periods, one plan, quotas.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from db import installation, reference
from db.connect import Connection, connect
from db.migrate import migrate
from deploy.local.credentials import product_secrets
from deploy.local.places import Places
from deploy.local.stack import Stack
from schemas.ids import ComponentId, PlanId
from schemas.messages import Role
from schemas.plan import Component, MarginalTable, Measure, PlanDocument, Tier
from schemas.settings import Settings
from tests.services import new_database, unique_name

ADMINISTRATOR = "administrator"
FOREVER = None
YEAR = "FY2024"
FIRST, SECOND = "2024-Q1", "2024-Q2"
ADA, BEN, MEG = "ada", "ben", "meg"
PLAN = PlanId("sellers")


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
        yield name


@contextmanager
def copied(stack: Stack, template: str) -> Iterator[Settings]:
    """A copy of that database, dropped at the end."""
    name = unique_name("test")
    with psycopg.connect(stack.database_url, autocommit=True) as admin:
        statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER paceboard_owner"
        admin.execute(
            sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template))
        )
        try:
            yield settings_for(stack, f"postgresql:///{name}")
        finally:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            admin.execute(drop.format(sql.Identifier(name)))


@pytest.fixture
def database(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    """A migrated, empty database of this test's own: its settings."""
    with copied(stack, migrated_template) as settings:
        yield settings
