"""A plain PostgreSQL beside the stack's database, for what must run without TimescaleDB too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local import database
from deploy.local.places import Places
from deploy.local.process import stop
from deploy.local.stack import Stack
from schemas.settings import Settings
from tests.database import copied


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The superuser's address of PostgreSQL's wheel, run in a folder of its own."""
    places = Places.here(tmp_path_factory.mktemp("plain"))
    if database.wheel_programs(places) is None:
        pytest.skip("PostgreSQL's wheel is not installed")
    service = database.start(places, "postgres")
    yield database.url(places, service)
    stop(service, by=database.STOP_SIGNAL)


@pytest.fixture(scope="module")
def module_database_settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    """One migrated database for the tests of a module."""
    with copied(stack, migrated_template) as settings:
        yield settings
