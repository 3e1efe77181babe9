"""`paceboard topics` on a real broker: what is missing is made, what differs is told."""

from collections.abc import Iterator

import pytest

from cli import topic_admin
from deploy.local.stack import Stack
from schemas.settings import Settings
from schemas.topics import TOPICS
from tests.cli.conftest import Command
from tests.services import unique_name


@pytest.fixture
def settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Topics of this test's own; no database."""
    monkeypatch.setenv("PACEBOARD_KAFKA", stack.kafka)
    monkeypatch.setenv("PACEBOARD_TOPIC_PREFIX", unique_name("test"))
    monkeypatch.delenv("PACEBOARD_DATABASE_URL", raising=False)
    found = Settings.from_environment()
    yield found
    topic_admin.delete(found)


def test_create_and_check(settings: Settings, command: Command) -> None:
    """Made as declared, and a second time nothing is to do."""
    said = command("topics", "create")
    assert said.code == 0
    assert said.out.count("created") == len(TOPICS)
    assert "all topics are there" in command("topics", "create").out
    said = command("topics", "check")
    assert (said.code, "as declared" in said.out) == (0, True)


def test_a_mismatch_is_a_table_and_exit_code_1(settings: Settings, command: Command) -> None:
    """Partitions, clean-up, retention, and what is missing, with expected and found."""
    prefix = settings.topic_prefix
    with topic_admin.admin(settings) as client:
        client.create_topics(
            {
                f"{prefix}.deals": {
                    "num_partitions": 2,
                    "replication_factor": 1,
                    "configs": {"cleanup.policy": "compact", "retention.ms": "1000"},
                }
            }
        )
        client.wait_for_topics([f"{prefix}.deals"])
    said = command("topics", "check")
    assert said.code == 1
    rows = {tuple(line.split()) for line in said.out.splitlines()}
    assert (f"{prefix}.deals", "partitions", "12", "2") in rows
    assert (f"{prefix}.deals", "cleanup.policy", "delete", "compact") in rows
    assert (f"{prefix}.deals", "retention.ms", "2592000000", "1000") in rows
    assert (f"{prefix}.credits", "topic", "there", "missing") in rows


def test_the_database_has_another_count(settings: Settings) -> None:
    """Workers would refuse to start: say it before."""
    topic_admin.create(settings, replication=1)
    (found,) = topic_admin.check(settings, installed_partitions=24)
    assert found.what == "partitions in the database"
    assert (found.expected, found.found) == ("24", "12")
