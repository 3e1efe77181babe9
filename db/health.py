"""What doctor and the live pages ask the database: is it ours, is it whole, does somebody work."""

import datetime as dt
from typing import Final, LiteralString, NamedTuple

from db import grants
from db.connect import Connection

REVISION: Final[LiteralString] = "SELECT version_num FROM alembic_version"
HAS_REVISION: Final[LiteralString] = "SELECT to_regclass('alembic_version') IS NOT NULL"
HAS_RIGHT: Final[LiteralString] = """
SELECT %(table)s || ': ' || %(privilege)s
 WHERE to_regclass(%(table)s) IS NULL
    OR NOT has_table_privilege(%(login)s, %(table)s, %(privilege)s)
"""
LEASES: Final[LiteralString] = """
SELECT count(*) FILTER (WHERE held_until > clock_timestamp()), count(*) FROM leases
"""
PARTITIONS: Final[LiteralString] = """
SELECT partition, next_offset, published_to FROM partitions
 WHERE topic = %(topic)s ORDER BY partition
"""
ADMINS: Final[LiteralString] = """
SELECT count(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL
"""
NOW: Final[LiteralString] = "SELECT clock_timestamp()"


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None: it was never migrated."""
    has = connection.execute(HAS_REVISION).fetchone()
    if has is None or not has[0]:
        return None
    row = connection.execute(REVISION).fetchone()
    return None if row is None else row[0]


def missing_rights(connection: Connection) -> list[str]:
    """What the roles may not do and should, as "table: privilege"."""
    found = []
    for table, rights in grants.WRITERS.items():
        for right in rights:
            for privilege in right.privileges:
                if "(" in privilege:  # of columns: has_table_privilege does not know them
                    continue
                given = {"table": table, "privilege": privilege, "login": right.role.login}
                row = connection.execute(HAS_RIGHT, given).fetchone()
                if row is not None:
                    found.append(f"{right.role.login} on {row[0]}")
    return found


class Leases(NamedTuple):
    """Who works."""

    held: int
    known: int


def leases(connection: Connection) -> Leases:
    """How many leases are held now, and how many there ever were."""
    row = connection.execute(LEASES).fetchone()
    assert row is not None
    return Leases(*row)


IS_BOOKING: Final[LiteralString] = """
SELECT coalesce(max(held_until) > clock_timestamp() - make_interval(secs => %s), false) FROM leases
"""


def is_booking(connection: Connection, *, silent_seconds_max: int) -> bool:
    """Whether a worker holds a lease, or held one that ran out so recently."""
    row = connection.execute(IS_BOOKING, (silent_seconds_max,)).fetchone()
    return row is not None and bool(row[0])


class Partition(NamedTuple):
    """How far a partition of the deals topic is."""

    partition: int
    next_offset: int
    published_to: int


def partitions(connection: Connection, topic: str) -> list[Partition]:
    """How far each partition of a topic is."""
    return [Partition(*row) for row in connection.execute(PARTITIONS, {"topic": topic})]


def admins(connection: Connection) -> int:
    """How many administrators may sign in."""
    row = connection.execute(ADMINS).fetchone()
    assert row is not None
    return int(row[0])


def now(connection: Connection) -> dt.datetime:
    """The server's clock."""
    row = connection.execute(NOW).fetchone()
    assert row is not None
    at: dt.datetime = row[0]
    return at
