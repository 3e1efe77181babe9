"""`paceboard topics` on a real broker: what is missing is made, what differs is told."""

import json
from collections.abc import Iterator

import pytest

from cli import topic_admin
from deploy.local.stack import Stack
from schemas.settings import Settings
from schemas.topics import TOPICS
from tests.cli.conftest import Command
from tests.services import unique_name
from tests.workers import Sent, send


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


def test_tail_prints_records_as_lines_of_json(settings: Settings, command: Command) -> None:
    """With key, headers and value; what is no JSON is shown as text."""
    topic_admin.create(settings, replication=1)
    kind = ("ce_type", b"paceboard.deal.changed.v1")
    send(
        settings,
        [Sent(b'{"amount": "1.50"}', b"a", (kind,), 0), Sent(b"\xff{", b"b"), Sent(None, b"c")],
    )
    said = command("topics", "tail", "deals", "--from-beginning", "--until-end")
    assert said.code == 0
    found = {line["key"]: line for line in map(json.loads, said.out.splitlines())}
    assert (found["a"]["partition"], found["a"]["offset"]) == (0, 0)
    assert found["a"]["headers"] == {"ce_type": "paceboard.deal.changed.v1"}
    assert [found[key]["value"] for key in "abc"] == [{"amount": "1.50"}, "\ufffd{", None]


def test_tail_takes_one_key_and_so_many(settings: Settings, command: Command) -> None:
    """By key; it ends by itself after the count, or at the end of the topic."""
    topic_admin.create(settings, replication=1)
    send(settings, [Sent(b"1", b"a"), Sent(b"2", b"b"), Sent(b"3", b"a")])
    full = f"{settings.topic_prefix}.deals"
    said = command("topics", "tail", full, "--from-beginning", "--until-end", "--key", "a")
    assert [json.loads(line)["value"] for line in said.out.splitlines()] == [1, 3]
    said = command("topics", "tail", "deals", "--from-beginning", "--count", "1")
    assert len(said.out.splitlines()) == 1
    assert command("topics", "tail", "deals", "--until-end").out == ""


def test_tail_of_what_is_not_there_says_so(settings: Settings, command: Command) -> None:
    """An unknown name, and a topic that nobody has made."""
    said = command("topics", "tail", "payments")
    assert (said.code, "use deals, credits" in said.err) == (1, True)
    said = command("topics", "tail", "credits")
    assert (said.code, "paceboard topics create" in said.err) == (1, True)
