"""Which database this is, and what is off because of it."""

from typing import Final, NamedTuple

from db.connect import Connection

EDITION: Final = """
    SELECT current_setting('server_version'),
           (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
           current_setting('timescaledb.license', true)
"""

WITHOUT_TIMESCALE: Final = (
    "hypertables: facts are ordinary tables, and old history is deleted row by row",
)


class Edition(NamedTuple):
    """What `/readyz` reports of the database."""

    postgresql: str
    timescaledb: str | None
    license: str | None  # apache or timescale; the product needs no more than apache
    off: tuple[str, ...]

    @property
    def words(self) -> str:
        """In words: 'TimescaleDB 2.19.3 (apache) on PostgreSQL 17.6'."""
        if self.timescaledb is None:
            return f"PostgreSQL {self.postgresql}"
        return f"TimescaleDB {self.timescaledb} ({self.license}) on PostgreSQL {self.postgresql}"


def edition(conn: Connection) -> Edition:
    """Of the database that `conn` is connected to."""
    row = conn.execute(EDITION).fetchone()
    assert row is not None
    postgresql, timescaledb, license_ = row
    if timescaledb is None:
        return Edition(postgresql.split()[0], None, None, WITHOUT_TIMESCALE)
    return Edition(postgresql.split()[0], timescaledb, license_, ())
