"""Reference data as one committed version: read here, changed through `reference_change`."""

import datetime as dt
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from psycopg.rows import dict_row

from db.connect import Connection
from db.installation import Installation, NotInstalled
from db.installation import read as read_installation
from db.reference_change import Change, Counts, reference_change
from schemas.reference import (
    Assignment,
    Board,
    Calendar,
    Company,
    CreditingRule,
    FxRate,
    PayeeKey,
    Period,
    Person,
    Plan,
    Quota,
    ReferenceRows,
    ReportingLine,
)

__all__ = ["Change", "Counts", "read", "read_within", "reference_change", "version"]

S = TypeVar("S", bound=msgspec.Struct)

VERSION: Final = "SELECT reference_version FROM installation"
KNOWN: Final = """
    SELECT {columns} FROM {table}
    WHERE known_from <= %(at)s AND (known_to > %(at)s OR known_to IS NULL)
    ORDER BY {order}
"""
KNOWN_NOW: Final = "SELECT {columns} FROM {table} WHERE known_to IS NULL ORDER BY {order}"
VERSION_AT: Final = "SELECT coalesce(max(reference_version), 0) FROM {table} WHERE known_from <= %s"


class _Source(NamedTuple):
    """From where a field of ReferenceRows is read."""

    struct: type[msgspec.Struct]
    table: str
    columns: str
    order: str


_SOURCES: Final = {
    "people": _Source(
        Person, "people", "payee_id, role, starts_on, ends_on", "payee_id, starts_on"
    ),
    "payee_keys": _Source(PayeeKey, "payee_keys", "source, key, payee_id", "source, key"),
    "reporting_lines": _Source(
        ReportingLine,
        "reporting_lines",
        "payee_id, manager_id, starts_on, ends_on",
        "payee_id, starts_on",
    ),
    "periods": _Source(
        Period,
        "periods",
        "period_id, plan_year, starts_on, ends_on, state",
        "starts_on, period_id",
    ),
    "quotas": _Source(Quota, "quotas", "payee_id, period_id, amount", "payee_id, period_id"),
    "assignments": _Source(
        Assignment,
        "assignments",
        "assignment_id, payee_id, plan_id, starts_on, ends_on, rate",
        "payee_id, starts_on",
    ),
    "plans": _Source(Plan, "plans", "plan_id, starts_on, ends_on, document", "plan_id, starts_on"),
    "crediting_rules": _Source(
        CreditingRule,
        "crediting_rules",
        'rule_id, condition AS "when", reason, priority',
        "rule_id",
    ),
    "fx_rates": _Source(FxRate, "fx_rates", "currency, starts_on, rate", "currency, starts_on"),
    "boards": _Source(Board, "boards", "board_id, name, measure, roles, visibility", "board_id"),
}
_CALENDARS: Final = _Source(
    Calendar, "calendars", "weekend, holidays, day_starts, day_ends, curve", "calendar_id"
)


def version(conn: Connection) -> int:
    """The version committed now. Raises NotInstalled."""
    row = conn.execute(VERSION).fetchone()
    if row is None:
        raise NotInstalled
    return int(row[0])


def read(conn: Connection, *, known_at: dt.datetime | None = None) -> ReferenceRows:
    """All that is known now, or was at `known_at`; one committed version. Raises NotInstalled.

    Read again when the version has moved meanwhile: statement by statement the snapshots differ.
    """
    while True:
        rows = read_within(conn, known_at=known_at)
        if known_at is not None or rows.version == version(conn):
            return rows


def read_within(conn: Connection, *, known_at: dt.datetime | None = None) -> ReferenceRows:
    """The same where nothing can move: behind the turnstile, or in one snapshot."""
    installation = read_installation(conn)
    found: dict[str, Any] = {
        name: _known(conn, source, known_at) for name, source in _SOURCES.items()
    }
    calendars = _known(conn, _CALENDARS, known_at)
    if not calendars:
        raise NotInstalled("the company has no calendar")
    return ReferenceRows(
        version=_version_at(conn, installation, known_at),
        known_at=known_at or installation.reference_known_at,
        company=Company(
            name=installation.company,
            currency=installation.currency,
            time_zone=installation.time_zone,
        ),
        calendar=calendars[0],
        **found,
    )


def _known(conn: Connection, source: _Source, at: dt.datetime | None) -> tuple[Any, ...]:
    text = KNOWN_NOW if at is None else KNOWN
    statement = text.format(columns=source.columns, table=source.table, order=source.order)
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement.encode(), None if at is None else {"at": at})
        return tuple(msgspec.convert(row, source.struct) for row in cursor)


def _version_at(conn: Connection, installation: Installation, at: dt.datetime | None) -> int:
    """Of a past instant, the newest version of the rows known then (a retirement adds no row)."""
    if at is None:
        return installation.reference_version
    versions = [
        conn.execute(VERSION_AT.format(table=source.table).encode(), (at,)).fetchone()
        for source in (*_SOURCES.values(), _CALENDARS)
    ]
    return max(int(row[0]) for row in versions if row)
