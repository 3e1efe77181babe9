"""The one row of the installation: the company, the reference version, the seal, the timeline."""

import datetime as dt
from typing import Final, NamedTuple

from db import audit, turnstile
from db.connect import Connection

READ: Final = """
    SELECT company, currency, time_zone, reference_version, reference_known_at, sealed_to,
           timeline, deals_partitions
    FROM installation
"""
INSTALL: Final = """
    INSERT INTO installation (one, company, currency, time_zone, reference_version,
                              reference_known_at, sealed_to, timeline, deals_partitions)
    VALUES (1, %s, %s, %s, 0, now(), now(), 1, %s)
    ON CONFLICT (one) DO NOTHING
"""
RAISE_TIMELINE: Final = "UPDATE installation SET timeline = timeline + 1 RETURNING timeline"


class Installation(NamedTuple):
    """The installation as it stands."""

    company: str
    currency: str
    time_zone: str
    reference_version: int
    reference_known_at: dt.datetime
    sealed_to: dt.datetime
    timeline: int
    deals_partitions: int


class NotInstalled(Exception):
    """The database is migrated, but nobody has said which company it is for."""

    def __init__(self, what: str = "the company is not set up") -> None:
        super().__init__(f"{what}: run `paceboard setup`, or load a reference file")


class InstalledOtherwise(Exception):
    """The database belongs to another company, or its topics have other partition counts."""


def find(conn: Connection) -> Installation | None:
    """The row, or None before the set-up."""
    row = conn.execute(READ).fetchone()
    return Installation(*row) if row else None


def read(conn: Connection) -> Installation:
    """The row. Raises NotInstalled."""
    found = find(conn)
    if found is None:
        raise NotInstalled
    return found


def install(
    conn: Connection,
    *,
    company: str,
    currency: str,
    time_zone: str,
    deals_partitions: int,
    actor: str,
) -> Installation:
    """Make the row; doing it again with the same values changes nothing.

    Raises InstalledOtherwise when it is there with other values.
    """
    wanted = (company, currency, time_zone, deals_partitions)
    with conn.transaction():
        made = conn.execute(INSTALL, wanted).rowcount
        found = read(conn)
        stands = (found.company, found.currency, found.time_zone, found.deals_partitions)
        if stands != wanted:
            raise InstalledOtherwise(f"the database is set up for {stands}, not {wanted}")
        if made:
            after = dict(zip(Installation._fields, found, strict=True))
            audit.record(conn, actor=actor, action="install", entity="installation", after=after)
    return found


def raise_timeline(conn: Connection, *, actor: str, why: str) -> int:
    """The topics or the database were made anew or restored: clients must take snapshots."""
    with turnstile.exclusively(conn):
        row = conn.execute(RAISE_TIMELINE).fetchone()
        if row is None:
            raise NotInstalled
        after = {"timeline": row[0], "why": why}
        audit.record(conn, actor=actor, action="raise timeline", entity="installation", after=after)
    return int(row[0])
