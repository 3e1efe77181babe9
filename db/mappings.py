"""Saved mappings: how to read a source's files (ingest/mapping.py). Reference data, versioned."""

from typing import Final, LiteralString, NamedTuple

from db.connect import Connection

MAPPINGS: Final[LiteralString] = """
SELECT mapping_id, name, source, document::text, reference_version FROM mappings
 WHERE known_to IS NULL ORDER BY mapping_id
"""
ONE: Final[LiteralString] = """
SELECT mapping_id, name, source, document::text, reference_version FROM mappings
 WHERE known_to IS NULL AND mapping_id = %(mapping_id)s
"""


class Saved(NamedTuple):
    """A mapping as it is known now; `version` rises with every change of it."""

    mapping_id: str
    name: str
    source: str
    document: str  # JSON
    version: int


def mappings(connection: Connection) -> list[Saved]:
    """All of them, by id."""
    return [Saved(*row) for row in connection.execute(MAPPINGS)]


def mapping(connection: Connection, mapping_id: str) -> Saved | None:
    """One of them."""
    row = connection.execute(ONE, {"mapping_id": mapping_id}).fetchone()
    return None if row is None else Saved(*row)
