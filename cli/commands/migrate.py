"""`paceboard migrate`."""

from typing import Final

from cli import where
from cli.console import step

NAME: Final = "migrate"


def command() -> None:
    """Bring the database to this version: roles, tables, functions, rights.

    **Needs** the database. With PACEBOARD_DATABASE_URL, an administrator's address, it makes
    the roles and the database as well; without, they must be there. Repeating it changes nothing.

    **Example**  `paceboard migrate`
    """
    from db.migrate import migrate

    settings = where.settings()
    with step(f"database {settings.database}"):
        migrate(settings)
