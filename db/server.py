"""Preparing a server, as its administrator: the roles, the database, its owner, TimescaleDB.

All of it can be repeated and run by several at once. The roles belong to the server; databases on
it share them.
"""

from contextlib import suppress
from typing import Final

import psycopg
from psycopg import errors, sql

from db.connect import Connection
from schemas.settings import DatabaseRole, Settings

MAINTENANCE_DATABASE: Final = "postgres"
PREPARATION: Final = 8097862892318254448  # an advisory lock's key

LOCK: Final = f"SELECT pg_advisory_xact_lock({PREPARATION})"
ROLE_EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
CREATE_ROLE: Final = "CREATE ROLE {} LOGIN"
SET_PASSWORD: Final = "ALTER ROLE {} LOGIN PASSWORD {}"
GRANT_MEMBERSHIP: Final = "GRANT {} TO {}"
DATABASE_OWNER: Final = """
    SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s
"""
CREATE_DATABASE: Final = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'"
SET_OWNER: Final = "ALTER DATABASE {} OWNER TO {}"
CLOSE_TO_OTHERS: Final = "REVOKE ALL ON DATABASE {} FROM PUBLIC"
OPEN_TO: Final = "GRANT CONNECT ON DATABASE {} TO {}"
IS_SUPERUSER: Final = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
TIMESCALE_OFFERED: Final = """
    SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
"""
CREATE_TIMESCALE: Final = "CREATE EXTENSION IF NOT EXISTS timescaledb"


def prepare(settings: Settings) -> None:
    """Make what is missing of the roles and the database; set the passwords of the settings."""
    url = settings.admin_url(MAINTENANCE_DATABASE)
    # CREATE DATABASE refuses to run in a transaction, so the lock is another connection's.
    with psycopg.connect(url) as guard, psycopg.connect(url, autocommit=True) as admin:
        guard.execute(LOCK)
        make_roles(admin, settings)
        make_database(admin, settings.database)
    with psycopg.connect(settings.admin_url(settings.database), autocommit=True) as admin:
        make_timescale(admin)


def make_roles(admin: Connection, settings: Settings) -> None:
    """The four roles; the owner is a member of the others, so that it may end their sessions."""
    for role in DatabaseRole:
        if not _scalar(admin, ROLE_EXISTS, role.login):
            _do(admin, CREATE_ROLE, sql.Identifier(role.login))
        _do(admin, SET_PASSWORD, sql.Identifier(role.login), _verifier(admin, settings, role))
    owner = sql.Identifier(DatabaseRole.OWNER.login)
    for role in DatabaseRole:
        if role is not DatabaseRole.OWNER:
            _do(admin, GRANT_MEMBERSHIP, sql.Identifier(role.login), owner)
    if not _scalar(admin, IS_SUPERUSER):  # to give a database away one must be of its owner
        _do(admin, GRANT_MEMBERSHIP, owner, sql.SQL("CURRENT_USER"))


def make_database(admin: Connection, name: str) -> None:
    """The database, owned by the owner, open to our roles only."""
    database, owner = sql.Identifier(name), sql.Identifier(DatabaseRole.OWNER.login)
    owned_by = _scalar(admin, DATABASE_OWNER, name)
    if owned_by is None:
        _do(admin, CREATE_DATABASE, database, owner)
    elif owned_by != DatabaseRole.OWNER.login:
        _do(admin, SET_OWNER, database, owner)
    _do(admin, CLOSE_TO_OTHERS, database)
    for role in DatabaseRole:
        _do(admin, OPEN_TO, database, sql.Identifier(role.login))


def make_timescale(admin: Connection) -> None:
    """The extension, where the server offers it and lets us have it."""
    if not _scalar(admin, TIMESCALE_OFFERED):
        return
    # Not ours to make (db/edition.py says what is off then), or made at the same moment.
    with suppress(errors.InsufficientPrivilege, errors.UniqueViolation):
        admin.execute(CREATE_TIMESCALE)


def _verifier(admin: Connection, settings: Settings, role: DatabaseRole) -> sql.Literal:
    """What the server keeps instead of the password: so no log of statements ever has it."""
    encrypted = admin.pgconn.encrypt_password(
        settings.password(role).encode(), role.login.encode(), b"scram-sha-256"
    )
    return sql.Literal(encrypted.decode())


def _do(admin: Connection, statement: str, *parts: sql.Composable) -> None:
    admin.execute(sql.SQL(statement).format(*parts))


def _scalar(admin: Connection, statement: str, *arguments: str) -> object:
    row = admin.execute(statement, arguments).fetchone()
    return row[0] if row else None
