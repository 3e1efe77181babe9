"""What `paceboard doctor` looks at: one finding a look, with the command that mends it.

Looks come in the order in which one would mend: what a later one needs is looked at before. Where
Kafka or the database does not answer, what rests on it is not looked at.
"""

import datetime as dt
import enum
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
from alembic.script import ScriptDirectory
from kafka import KafkaConsumer, TopicPartition
from psycopg import errors

from api import config
from cli import topic_admin
from cli.failures import Failure
from db import clock, health, installation, migrate, periods, queues, reference
from db.connect import Connection, connect
from db.edition import edition
from domain.calendar import business_date
from domain.clock import business_at
from domain.reference import Reference
from schemas.messages import PeriodState
from schemas.money import ZERO
from schemas.settings import DatabaseRole, SettingInvalid, SettingMissing, Settings
from schemas.topics import DEALS

POSTGRESQL_MIN: Final = 15
SKEW_SECONDS_MAX: Final = 2
LAG_RECORDS_MAX: Final = 10_000
DISK_FREE_SHARE_MIN: Final = 0.05
DISK_FREE_BYTES_MIN: Final = 1_000_000_000
_ROLES: Final = (DatabaseRole.WORKER, DatabaseRole.API, DatabaseRole.READER)


class State(enum.StrEnum):
    """How a look ended."""

    OK = "ok"
    LOOK = "look at it"  # it runs, and somebody should know
    FAULT = "fault"


class Finding(NamedTuple):
    """What a look found, and what mends it."""

    what: str
    state: State
    words: str
    remedy: str = ""


class Place(NamedTuple):
    """Where to look, beside what the settings say; tests look elsewhere."""

    disks: tuple[Path, ...]
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage


def examine(settings: Settings, place: Place) -> Iterator[Finding]:
    """All findings, in the order of mending."""
    yield from _settings(settings)
    yield from _disks(place)
    yield _web(settings)
    kafka = _kafka(settings)
    yield kafka
    logins = list(_logins(settings))
    yield from logins
    if any(one.state is State.FAULT for one in logins):
        return
    try:
        with connect(
            settings, DatabaseRole.API, application_name="paceboard doctor", autocommit=True
        ) as connection:
            yield from _database(connection, settings, place, kafka_answers=_is_well(kafka))
    except psycopg.Error as error:
        yield Finding("database", State.FAULT, _line(error), "look at the server's log")


def _is_well(finding: Finding) -> bool:
    return finding.state is not State.FAULT


# ---- this machine --------------------------------------------------------------------------------


def _settings(settings: Settings) -> Iterator[Finding]:
    """Each variable that a process would ask for."""
    wanted: list[tuple[str, Callable[[], object]]] = [
        ("Kafka's address", lambda: settings.kafka),
        ("session key", lambda: settings.session_key),
        *(
            (f"address of {role.login}", lambda role=role: settings.database_url(role))
            for role in (DatabaseRole.OWNER, *_ROLES)
        ),
    ]
    for what, ask in wanted:
        try:
            ask()
        except (SettingMissing, SettingInvalid) as error:
            problem, _, remedy = str(error).partition(": ")
            yield Finding(what, State.FAULT, problem, f"export {error.variable}=...; {remedy}")
        else:
            yield Finding(what, State.OK, "set")


def _disks(place: Place) -> Iterator[Finding]:
    for path in place.disks:
        total, _, free = place.usage(path)
        words = f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} at {path}"
        is_low = free < DISK_FREE_BYTES_MIN or free < total * DISK_FREE_SHARE_MIN
        remedy = "free some space: make clean removes local data; see docs/operating.md"
        yield Finding("disk", State.FAULT if is_low else State.OK, words, remedy if is_low else "")


def _web(settings: Settings) -> Finding:
    folder = config.web_folder(settings)
    if (folder / "index.html").is_file():
        return Finding("pages", State.OK, str(folder))
    return Finding("pages", State.FAULT, f"no built pages in {folder}", "make setup")


# ---- Kafka ---------------------------------------------------------------------------------------


def _kafka(settings: Settings) -> Finding:
    try:
        with topic_admin.admin(settings) as client:
            brokers = len(client.describe_cluster()["brokers"])
    except (Failure, SettingMissing) as error:
        return Finding("Kafka", State.FAULT, _line(error), "make up; or mend PACEBOARD_KAFKA")
    return Finding("Kafka", State.OK, f"{brokers} broker{'s' if brokers > 1 else ''} answer")


def _topics(settings: Settings, installed: int | None) -> Iterator[Finding]:
    mismatches = topic_admin.check(settings, installed_partitions=installed)
    if not mismatches:
        yield Finding("topics", State.OK, "all there, as they should be")
    for one in mismatches:
        words = f"{one.topic}: {one.what} is {one.found}, not {one.expected}"
        if one.what == "topic":
            remedy = "paceboard topics create"
        elif "partitions" in one.what:
            remedy = "see docs/operating.md, 'A topic with other partitions'"
        else:
            remedy = (
                f"kafka-configs.sh --alter --entity-type topics --entity-name {one.topic} "
                f"--add-config {one.what}={one.expected}"
            )
        yield Finding("topics", State.FAULT, words, remedy)


def _lag(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """How far the workers are behind, and whether what they stand at is still there."""
    topic = DEALS.full_name(settings.topic_prefix)
    known = health.partitions(connection, topic)
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka.split(","))
    try:
        there = consumer.partitions_for_topic(topic) or set()
        places = [TopicPartition(topic, number) for number in sorted(there)]
        ends = consumer.end_offsets(places) if places else {}
        begins = consumer.beginning_offsets(places) if places else {}
    finally:
        consumer.close()
    of = {place.partition: (begins[place], end) for place, end in ends.items()}
    beyond = [one.partition for one in known if one.next_offset > of.get(one.partition, (0, 0))[1]]
    lost = [
        one.partition
        for one in known
        if one.partition in of and 0 < one.next_offset < of[one.partition][0]
    ]
    lag = sum(
        max(of[one.partition][1] - one.next_offset, 0) for one in known if one.partition in of
    )
    if not known:
        lag = sum(end - begin for begin, end in of.values())
    if beyond:
        yield Finding(
            "deals topic",
            State.FAULT,
            f"it ends before what was booked, in partitions {beyond}: it was made anew",
            "see docs/operating.md, 'The deals topic was lost'",
        )
    if lost:
        yield Finding(
            "deals topic",
            State.FAULT,
            f"records were deleted before they were read, in partitions {lost}",
            "send those deals again: what is known changes nothing; raise retention.ms",
        )
    is_much = lag > LAG_RECORDS_MAX
    words = f"{lag:,} records not booked yet"
    remedy = "start more workers: paceboard worker" if is_much else ""
    yield Finding("lag", State.LOOK if is_much else State.OK, words, remedy)
    behind = sum(max(one.next_offset - one.published_to, 0) for one in known)
    if behind > LAG_RECORDS_MAX:
        yield Finding(
            "published", State.LOOK, f"{behind:,} booked records not published", "paceboard worker"
        )


# ---- the database --------------------------------------------------------------------------------


def _logins(settings: Settings) -> Iterator[Finding]:
    for role in _ROLES:
        try:
            connect(settings, role, application_name="paceboard doctor", autocommit=True).close()
        except (SettingMissing, SettingInvalid) as error:
            yield Finding(f"login {role.login}", State.FAULT, _line(error), "set it, as above")
        except psycopg.OperationalError as error:
            yield Finding(f"login {role.login}", State.FAULT, _line(error), _login_remedy(error))
        else:
            yield Finding(f"login {role.login}", State.OK, "may")


def _login_remedy(error: psycopg.Error) -> str:
    text = str(error)
    if "does not exist" in text:
        return "paceboard migrate"
    if "password" in text or "authentication" in text:
        return "paceboard migrate (it sets the passwords of the settings); or mend the variable"
    return "start it: make up; or mend PACEBOARD_DATABASE_URL"


def _database(
    connection: Connection, settings: Settings, place: Place, *, kafka_answers: bool
) -> Iterator[Finding]:
    yield from _edition(connection)
    yield _server_clock(connection, place)
    migrated = list(_migrations(connection))
    yield from migrated
    if any(one.state is State.FAULT for one in migrated):
        return
    rights = health.missing_rights(connection)
    if rights:
        shown = "; ".join(rights[:3]) + (" ..." if len(rights) > 3 else "")
        yield Finding("rights", State.FAULT, f"missing: {shown}", "paceboard migrate")
    else:
        yield Finding("rights", State.OK, "each role has its own")
    found = installation.find(connection)
    if kafka_answers:
        yield from _topics(settings, found.deals_partitions if found else None)
    if found is None:
        yield Finding(
            "company",
            State.FAULT,
            "nobody has said which company it is for",
            "paceboard setup; or paceboard load --sample adventureworks",
        )
        return
    yield Finding("company", State.OK, found.company)
    yield from _business(connection)
    yield from _work(connection)
    if kafka_answers:
        yield from _lag(connection, settings)


def _edition(connection: Connection) -> Iterator[Finding]:
    found = edition(connection)
    major = int(found.postgresql.partition(".")[0])
    if major < POSTGRESQL_MIN:
        yield Finding(
            "edition",
            State.FAULT,
            f"{found.words}: older than {POSTGRESQL_MIN}",
            "see deploy/README.md for an edition that is tested",
        )
    elif found.timescaledb is None:
        yield Finding("edition", State.LOOK, f"{found.words}; without {found.off[0]}", "")
    else:
        yield Finding("edition", State.OK, found.words)


def _server_clock(connection: Connection, place: Place) -> Finding:
    skew = abs((health.now(connection) - place.now()).total_seconds())
    words = f"the database's and this machine's differ by {skew:.1f} s"
    if skew > SKEW_SECONDS_MAX:
        return Finding("clock", State.FAULT, words, "set both by NTP: timedatectl set-ntp true")
    return Finding("clock", State.OK, words)


def _migrations(connection: Connection) -> Iterator[Finding]:
    try:
        at = health.revision(connection)
    except errors.InsufficientPrivilege:
        words = "they cannot be read: an older version migrated it"
        yield Finding("migrations", State.FAULT, words, "paceboard migrate")
        return
    script = ScriptDirectory(str(migrate.HERE / "migrations"))
    head = script.get_current_head()
    if at == head:
        yield Finding("migrations", State.OK, f"at {at}")
    elif at is None:
        yield Finding("migrations", State.FAULT, "the database is empty", "paceboard migrate")
    elif at in {one.revision for one in script.walk_revisions()}:
        yield Finding("migrations", State.FAULT, f"at {at}, not {head}", "paceboard migrate")
    else:
        yield Finding(
            "migrations",
            State.FAULT,
            f"at {at}, which this version does not know: the database is newer",
            "install the newer version of Paceboard",
        )


def _business(connection: Connection) -> Iterator[Finding]:
    known = Reference(reference.read(connection))
    rows = clock.rows(connection)
    now = business_at(rows, dt.datetime.now(dt.UTC))
    today = business_date(now, known.zone)
    if rows and rows[-1].rate == ZERO:
        yield Finding(
            "business clock", State.LOOK, f"stands still at {today}", "paceboard clock resume"
        )
    else:
        yield Finding("business clock", State.OK, f"{today}")
    if known.period_on(today) is None:
        yield Finding(
            "periods",
            State.FAULT,
            f"no period contains {today}: deals of it are held",
            "add it to the reference data; paceboard period list shows those that are there",
        )
    elif all(one.state is PeriodState.LOCKED for one in known.rows.periods):
        yield Finding(
            "periods", State.FAULT, "none is open: nothing can be booked", "add the next period"
        )
    else:
        count = len(known.rows.periods)
        locked = len(periods.locks(connection))
        yield Finding("periods", State.OK, f"{count}, {locked} of them locked")
    if health.admins(connection) == 0:
        yield Finding(
            "administrators",
            State.FAULT,
            "nobody may administer it",
            'paceboard user add "Dana Whitfield" --role admin',
        )
    else:
        yield Finding("administrators", State.OK, f"{health.admins(connection)}")


def _work(connection: Connection) -> Iterator[Finding]:
    held, known = health.leases(connection)
    if held:
        yield Finding("workers", State.OK, "one holds the lease")
    else:
        words = "none runs" if known else "none has ever run"
        yield Finding("workers", State.FAULT, words, "paceboard worker")
    for source in queues.sources(connection):
        if source.complete_through is None:
            yield Finding(
                "sources",
                State.LOOK,
                f"{source.source} has not said how far it is complete",
                "let it send SourceCompleteThrough (docs/topics.md)",
            )
    letters = sum(group.total for group in queues.letter_groups(connection))
    if letters:
        yield Finding(
            "dead letters", State.LOOK, f"{letters:,} records were refused", "open /admin"
        )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
