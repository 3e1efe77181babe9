"""Fixtures of the API's tests: one company and one server a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from deploy.local.stack import Stack
from schemas.settings import Settings
from tests.api.support import Served, installed, served, with_topics
from tests.database import copied
from tests.services import unique_name


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    """A company with topics of its own, in demo mode; the tests of a module share it."""
    with copied(stack, migrated_template) as found:
        yield with_topics(installed(found), unique_name("api")).but(PACEBOARD_DEMO="1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings) -> AsyncIterator[Served]:
    """The real server."""
    async with served(settings) as running:
        yield running
