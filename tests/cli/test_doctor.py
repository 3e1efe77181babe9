"""`paceboard doctor`: each planted fault is named, with the command that mends it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from cli import topic_admin
from cli.examining import Finding, Place, State, examine
from db import clock
from deploy.local.stack import Stack
from schemas.settings import Settings
from schemas.topics import BY_NAME, DEALS
from tests.api.support import installed
from tests.cli.conftest import Command
from tests.database import connected, copied
from tests.services import unique_name
from tests.workers import Sent, send, wait_until, with_topics

TODAY = dt.datetime(2024, 2, 15, 15, tzinfo=dt.UTC)
PLENTY = (1_000_000_000_000, 0, 900_000_000_000)


@pytest.fixture(scope="module")
def whole(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """An installation with nothing wrong: a worker's lease, a clock that runs, built pages."""
    pages = tmp_path_factory.mktemp("pages")
    (pages / "index.html").write_text("<!doctype html>")
    with copied(stack, migrated_template) as found:
        settings = installed(found).but(PACEBOARD_TOPIC_PREFIX=unique_name("doctor"))
        topic_admin.create(settings, replication=1)
        with connected(settings, "api") as conn:
            now = dt.datetime.now(dt.UTC)
            clock.append(conn, real=now, business=TODAY, rate=Decimal(1), set_by="test")
        with connected(settings, "worker") as conn:
            conn.execute(
                "INSERT INTO leases (lease, owner, token, held_until) "
                "VALUES ('jobs', 'test', 1, clock_timestamp() + interval '1 hour')"
            )
            conn.execute(
                "INSERT INTO source_states (source, partition, complete_through) "
                "SELECT 'crm', n, clock_timestamp() FROM generate_series(0, %s) n",
                (DEALS.partitions - 1,),
            )
        yield settings.but(PACEBOARD_WEB=str(pages))


def found(settings: Settings, **place: object) -> list[Finding]:
    given = Place(disks=(Path("/"),), usage=lambda _: PLENTY)
    return list(examine(settings, given._replace(**place)))  # type: ignore[arg-type]


def test_a_whole_installation_is_well(whole: Settings) -> None:
    """Every look is in order, or says what somebody should know."""
    assert [one for one in found(whole) if one.state is not State.OK] == []


Plant = Callable[[Settings], Settings]


def _sql(*statements: str) -> Plant:
    """Do that as the owner; the tests undo it by hand."""

    def plant(settings: Settings) -> Settings:
        with connected(settings, "owner") as conn:
            for statement in statements:
                conn.execute(statement.encode())
        return settings

    return plant


def _retention(settings: Settings) -> Settings:
    name = BY_NAME["accruals"].full_name(settings.topic_prefix)
    _configured(settings, name, "60000")
    return settings


def _configured(settings: Settings, name: str, retention: str) -> None:
    client = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        config = {"retention.ms": retention}
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
    finally:
        client.close()


def _without_a_topic(settings: Settings) -> Settings:
    """Names that only one topic of is not there: as if it had been deleted."""
    prefix = unique_name("doctor-less")
    client = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        other = settings.but(PACEBOARD_TOPIC_PREFIX=prefix)
        topic_admin.create(other, replication=1)
        gone = BY_NAME["alerts"].full_name(other.topic_prefix)
        client.delete_topics([gone])
        # Kafka answers first and deletes then.
        wait_until(lambda: gone not in client.list_topics(), "the topic is gone")
    finally:
        client.close()
    return other


def _booked_beyond_its_end(settings: Settings) -> Settings:
    with connected(settings, "owner") as conn:
        conn.execute(
            "INSERT INTO partitions (topic, partition, next_offset) VALUES (%s, 3, 99)",
            (DEALS.full_name(settings.topic_prefix),),
        )
    return settings


def _but(**values: str) -> Plant:
    return lambda settings: settings.but(**values)


def _without(name: str) -> Plant:
    return lambda settings: Settings(
        values={key: value for key, value in settings.values.items() if key != name}
    )


def _other_partitions(settings: Settings) -> Settings:
    return with_topics(settings, unique_name("doctor-parts"), partitions={"credits": 1})


FAULTS: dict[str, tuple[Plant, str, str, str]] = {
    # name: (plant, what is named, words of the finding, words of the remedy)
    "no Kafka": (_but(PACEBOARD_KAFKA="127.0.0.1:1"), "Kafka", "no Kafka at", "make up"),
    "no address of Kafka": (
        _without("PACEBOARD_KAFKA"),
        "Kafka's address",
        "is not set",
        "export PACEBOARD_KAFKA",
    ),
    "no session key": (
        _without("PACEBOARD_SESSION_KEY"),
        "session key",
        "is not set",
        "export PACEBOARD_SESSION_KEY",
    ),
    "a short session key": (
        _but(PACEBOARD_SESSION_KEY="short"),
        "session key",
        "cannot be used",
        "under 32",
    ),
    "no database": (
        _but(PACEBOARD_DATABASE_URL="postgresql://postgres:x@127.0.0.1:1/postgres"),
        "login paceboard_api",
        "refused",
        "make up",
    ),
    "another database": (
        _but(PACEBOARD_DATABASE="not_there"),
        "login paceboard_api",
        "does not exist",
        "paceboard migrate",
    ),
    "a wrong password": (
        _but(PACEBOARD_WORKER_PASSWORD="wrong"),
        "login paceboard_worker",
        "password",
        "paceboard migrate",
    ),
    "a missing topic": (_without_a_topic, "topics", "alerts: topic is missing", "topics create"),
    "other partitions": (
        _other_partitions,
        "topics",
        "credits: partitions is 1, not 12",
        "operating.md",
    ),
    "another retention": (_retention, "topics", "retention.ms is 60000", "kafka-configs"),
    "no pages": (_but(PACEBOARD_WEB="/nowhere"), "pages", "no built pages", "make setup"),
    "an older database": (
        _sql("UPDATE alembic_version SET version_num = '0001'"),
        "migrations",
        "at 0001, not",
        "paceboard migrate",
    ),
    "a newer database": (
        _sql("UPDATE alembic_version SET version_num = '9999'"),
        "migrations",
        "is newer",
        "newer version",
    ),
    "a missing right": (
        _sql("REVOKE INSERT ON notes FROM paceboard_api"),
        "rights",
        "paceboard_api on notes: INSERT",
        "paceboard migrate",
    ),
    "no worker": (
        _sql("UPDATE leases SET held_until = clock_timestamp() - interval '1 hour'"),
        "workers",
        "none runs",
        "paceboard worker",
    ),
    "no administrator": (
        _sql("UPDATE users SET disabled_at = clock_timestamp() WHERE role = 'admin'"),
        "administrators",
        "nobody",
        "user add",
    ),
    "a deals topic made anew": (
        _booked_beyond_its_end,
        "deals topic",
        "made anew",
        "operating.md",
    ),
    "no period for today": (
        _sql("UPDATE periods SET known_to = clock_timestamp() WHERE known_to IS NULL"),
        "periods",
        "no period contains",
        "reference data",
    ),
    "no company": (
        _sql("DELETE FROM installation"),
        "company",
        "nobody has said",
        "paceboard setup",
    ),
}
UNDO = (
    "UPDATE alembic_version SET version_num = '{head}'",
    "GRANT INSERT ON notes TO paceboard_api",
    "UPDATE leases SET held_until = clock_timestamp() + interval '1 hour'",
    "UPDATE users SET disabled_at = NULL",
    "DELETE FROM partitions",
    "UPDATE periods SET known_to = NULL",
)


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_named_with_what_mends_it(whole: Settings, name: str) -> None:
    """What, in words, and the command."""
    plant, what, words, remedy = FAULTS[name]
    with connected(whole, "owner") as conn:
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        kept = conn.execute("SELECT * FROM installation").fetchall()
    assert row is not None
    try:
        planted = plant(whole)
        faults = [one for one in found(planted) if one.state is State.FAULT]
        named = [one for one in faults if one.what == what and words in one.words + one.remedy]
        assert named, faults
        assert remedy in named[0].remedy + named[0].words
    finally:
        _retention_back(whole)
        with connected(whole, "owner") as conn:
            for statement in UNDO:
                conn.execute(statement.format(head=row[0]).encode())
            if not conn.execute("SELECT 1 FROM installation").fetchone():
                places = ", ".join(["%s"] * len(kept[0]))
                conn.execute(f"INSERT INTO installation VALUES ({places})".encode(), kept[0])
    assert [one for one in found(whole) if one.state is State.FAULT] == []


def _retention_back(settings: Settings) -> None:
    topic = BY_NAME["accruals"]
    _configured(settings, topic.full_name(settings.topic_prefix), str(topic.retention_ms))


def test_a_full_disk_and_a_clock_that_is_off_are_named(whole: Settings) -> None:
    """By what this machine says of itself."""
    low = found(whole, usage=lambda _: (1_000_000_000_000, 0, 10_000_000))
    assert [one.what for one in low if one.state is State.FAULT] == ["disk"]
    late = found(whole, now=lambda: dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5))
    faults = [one for one in late if one.state is State.FAULT]
    assert [one.what for one in faults] == ["clock"] and "NTP" in faults[0].remedy


def test_records_that_wait_are_counted(whole: Settings) -> None:
    """As lag, which is no fault while it is small."""
    sent = send(whole, [Sent(partition=0, key=b"k", value=b"{}", headers=())])
    assert sent
    lag = [one for one in found(whole) if one.what == "lag"]
    assert [one.words for one in lag] == ["1 records not booked yet"]


def test_the_command_says_so_and_ends_with_three(
    command: Command, whole: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table, what mends it, exit code 3."""
    for key, value in whole.but(PACEBOARD_WEB="/nowhere").values.items():
        monkeypatch.setenv(key, value)
    said = command("doctor")
    assert said.code == 3
    assert "pages: make setup" in said.out and "all is well" not in said.out


def test_without_services_it_says_what_to_start(command: Command, nowhere: None) -> None:
    """What does not answer is a finding, never a traceback."""
    said = command("doctor")
    assert said.code == 3
    assert "make up" in said.out
