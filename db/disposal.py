"""Removing a whole database, as its server's administrator: demos do that with their own."""

from typing import Final

import psycopg
from psycopg import sql

from db.server import MAINTENANCE_DATABASE
from schemas.settings import Settings

DROP: Final = "DROP DATABASE IF EXISTS {} WITH (FORCE)"


def drop(settings: Settings) -> None:
    """Drop the settings' database, whoever is in it. Needs the administrator's address."""
    url = settings.admin_url(MAINTENANCE_DATABASE)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL(DROP).format(sql.Identifier(settings.database)))
