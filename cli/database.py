"""A command's connection to the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from db.connect import Connection, connect
from schemas.settings import DatabaseRole, Settings


@contextmanager
def connected(
    settings: Settings, command: str, *, role: DatabaseRole = DatabaseRole.API
) -> Iterator[Connection]:
    """Autocommit, closed at the end; the server knows it as `paceboard COMMAND`."""
    with connect(settings, role, application_name=f"paceboard {command}", autocommit=True) as conn:
        yield conn
