"""An installation on plain PostgreSQL is ready, and says what is off because of it."""

from __future__ import annotations

import pytest

from db import migrate
from deploy.local.stack import Stack
from schemas.settings import Settings
from tests.api.support import installed, served, with_topics
from tests.database import settings_for
from tests.services import unique_name


@pytest.fixture
def plain(plain_server: str, stack: Stack) -> Settings:
    """The company on PostgreSQL's wheel, on the stack's Kafka."""
    given = settings_for(stack, f"postgresql:///{unique_name('plain')}").but(
        PACEBOARD_DATABASE_URL=plain_server
    )
    migrate.migrate(given)
    return with_topics(installed(given), unique_name("plain"))


async def test_readyz_lists_what_is_off(plain: Settings) -> None:
    """Everything works; hypertables are what plain PostgreSQL has not."""
    async with served(plain) as api:
        answer = await api.get("/readyz")
        found = answer.json()
        assert answer.status_code == 200, found
        assert (found["ready"], found["reasons"]) == (True, [])
        assert found["database"].startswith("PostgreSQL ")
        assert "Timescale" not in found["database"]
        assert found["off"] == [
            "hypertables: facts are ordinary tables, and old history is deleted row by row"
        ]
