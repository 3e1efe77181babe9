"""Facts as hypertables, where TimescaleDB is there; ordinary tables otherwise.

Chunks are long (many short ones make a look-up by account several times slower), and TimescaleDB's
own index is left out: tables.py declares every index. Only what the Apache edition has is used.
"""

from typing import Final

from sqlalchemy import Connection, text

from db.tables import HYPERTABLES
from schemas.limits import CHUNK_DAYS

HAS_TIMESCALE: Final = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
CREATE_HYPERTABLE: Final = f"""
    SELECT create_hypertable(
        CAST(:name AS regclass),
        by_range('booked_at', INTERVAL '{CHUNK_DAYS} days'),
        create_default_indexes => false
    )
"""


def create(connection: Connection, names: tuple[str, ...] = HYPERTABLES) -> bool:
    """Make hypertables of these empty tables; whether TimescaleDB is there to do it."""
    if not connection.scalar(text(HAS_TIMESCALE)):
        return False
    for name in names:
        connection.execute(text(CREATE_HYPERTABLE), {"name": name})
    return True
