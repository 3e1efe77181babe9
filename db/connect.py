"""Connections: psycopg, synchronous; who opens one says whether it commits each statement itself.

Every session runs in UTC and has time-outs, so that nothing waits or holds locks for ever
(db/retries.py says what happens when one strikes).
"""

from typing import Any, Final, TypeAlias

import psycopg
from psycopg import OperationalError, errors
from psycopg_pool import ConnectionPool, PoolTimeout

from schemas import limits
from schemas.settings import DatabaseRole, Settings

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Pool: TypeAlias = ConnectionPool[Connection]

# What is raised when the server does not answer, or not in time.
AWAY: Final = (OperationalError, PoolTimeout, errors.LockNotAvailable)
_TIMEOUTS: Final = {
    "timezone": "UTC",
    "lock_timeout": str(limits.LOCK_TIMEOUT_MS),
    "statement_timeout": f"{limits.STATEMENT_SECONDS_MAX}s",
    "idle_in_transaction_session_timeout": f"{limits.TRANSACTION_MAX_SECONDS}s",
}
_BY_ROLE: Final[dict[DatabaseRole, dict[str, str]]] = {
    DatabaseRole.OWNER: {"statement_timeout": "0"},  # a migration may take its time
    DatabaseRole.WORKER: {},
    DatabaseRole.API: {},
    DatabaseRole.READER: {"default_transaction_read_only": "on"},
}
_KEEPALIVE: Final = {  # a host that vanished is noticed within about half a minute
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
}


def options(role: DatabaseRole) -> str:
    """The session's settings, as libpq's `options`."""
    chosen = {**_TIMEOUTS, **_BY_ROLE[role]}
    return " ".join(f"-c {name}={value}" for name, value in chosen.items())


# The first statement of a transaction whose reads must be of one committed state.
SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def connect(
    settings: Settings, role: DatabaseRole | str, *, application_name: str, autocommit: bool
) -> Connection:
    """A connection of that role. With autocommit a transaction is `with conn.transaction():`."""
    role = DatabaseRole(role)
    return psycopg.connect(
        settings.database_url(role),
        autocommit=autocommit,
        **_parameters(role, application_name),
    )


def pool(
    settings: Settings,
    role: DatabaseRole | str,
    *,
    application_name: str,
    size_max: int = limits.POOL_CONNECTIONS_MAX,
) -> Pool:
    """A pool of autocommit connections, opened; close it, or use it as a context manager."""
    role = DatabaseRole(role)
    return ConnectionPool(
        settings.database_url(role),
        kwargs={"autocommit": True, **_parameters(role, application_name)},
        min_size=1,
        max_size=size_max,
        timeout=limits.POOL_WAIT_SECONDS_MAX,
        check=ConnectionPool.check_connection,
        name=application_name,
        open=True,
    )


def another(conn: Connection) -> Connection:
    """A further connection like this one, autocommit: same server, role and session settings."""
    parameters: dict[str, Any] = conn.info.get_parameters()  # without the password, on purpose
    return psycopg.connect(password=conn.info.password, autocommit=True, **parameters)


def _parameters(role: DatabaseRole, application_name: str) -> dict[str, Any]:
    return {
        "application_name": application_name,
        "options": options(role),
        "connect_timeout": limits.CONNECT_SECONDS_MAX,
        **_KEEPALIVE,
    }
