"""Whether the database has had every migration that this program knows."""

from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.script import ScriptDirectory

from db.connect import Connection

APPLIED: Final = "SELECT version_num FROM alembic_version"
MIGRATIONS: Final = Path(__file__).parent / "migrations"


def applied(conn: Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    row = conn.execute(APPLIED).fetchone()
    return str(row[0]) if row else None


def newest() -> str | None:
    """The newest revision that this program brings."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head()
