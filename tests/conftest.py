"""Fixtures for every tier; who uses a service or the browser gets its mark without asking."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from deploy.local.stack import Stack, running
from tests.database import database, migrated_template  # noqa: F401 (fixtures, for every test)
from tests.services import new_database, unique_name

MARKS = {"stack": "services", "chromium": "browser"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, mark in MARKS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka and the database: those of the environment, those running, or started for us."""
    with running() as services:
        yield services


@pytest.fixture
def empty_database(stack: Stack) -> Iterator[str]:
    """A database of this test's own: its superuser URL."""
    with new_database(stack.database_url) as url:
        yield url


@pytest.fixture(scope="module")
def module_database(stack: Stack) -> Iterator[str]:
    """One database for the tests of a module, which must not mind each other's rows."""
    with new_database(stack.database_url) as url:
        yield url


@pytest.fixture
def topic_prefix(stack: Stack) -> str:
    """What this test's topics and consumer groups begin with; it ends with a dot."""
    return f"{unique_name('test')}."


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "missing: chromium; to get it: apt-get install chromium"
    return path
