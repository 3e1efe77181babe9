"""Who may sign in, and the names of people: the only place that reads them for showing."""

import datetime as dt
from typing import Final, LiteralString, NamedTuple

from db.connect import Connection


class UserRow(NamedTuple):
    """A person who may sign in, or could once."""

    user_id: str
    payee_id: str | None
    role: str
    name: str
    demo: bool
    disabled_at: dt.datetime | None


class NameRow(NamedTuple):
    """A person's name and title over an effective range."""

    payee_id: str
    name: str
    title: str | None
    starts_on: dt.date
    ends_on: dt.date | None


class TerritoryRow(NamedTuple):
    """Who holds which territory over an effective range."""

    payee_id: str
    territory: str
    starts_on: dt.date
    ends_on: dt.date | None


USERS: Final[LiteralString] = """
SELECT user_id, payee_id, role, name, demo, disabled_at FROM users ORDER BY user_id
"""


def users(connection: Connection) -> tuple[UserRow, ...]:
    """All users, also those who may no longer sign in."""
    return tuple(UserRow(*row) for row in connection.execute(USERS))


USERS_CHANGED: Final[LiteralString] = """
SELECT md5(coalesce(string_agg(concat_ws('/', user_id, payee_id, role, disabled_at), ','
           ORDER BY user_id), '')) FROM users
"""


def users_mark(connection: Connection) -> str:
    """Differs when a user was added or disabled, or has another role or payee."""
    row = connection.execute(USERS_CHANGED).fetchone()
    assert row is not None
    found: str = row[0]
    return found


NAMES: Final[LiteralString] = """
SELECT payee_id, name, title, starts_on, ends_on
  FROM people WHERE known_to IS NULL ORDER BY payee_id, starts_on
"""


def names(connection: Connection) -> tuple[NameRow, ...]:
    """What people are called, as known now."""
    return tuple(NameRow(*row) for row in connection.execute(NAMES))


TERRITORIES: Final[LiteralString] = """
SELECT r.payee_id, t.name, r.starts_on, r.ends_on
  FROM territory_rules r JOIN territories t USING (territory_id)
 WHERE r.known_to IS NULL AND t.known_to IS NULL
 ORDER BY r.payee_id, r.starts_on, t.territory_id
"""


def territories(connection: Connection) -> tuple[TerritoryRow, ...]:
    """Who holds which territory, as known now."""
    return tuple(TerritoryRow(*row) for row in connection.execute(TERRITORIES))
