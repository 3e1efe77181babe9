"""Whether the database has all that this program declares; any role may ask."""

from typing import Final

from db.connect import Connection
from db.tables import metadata

COLUMNS: Final = """
SELECT c.relname, a.attname
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
   AND a.attnum > 0 AND NOT a.attisdropped"""


def missing(conn: Connection) -> tuple[str, ...]:
    """The declared columns that the database does not have, as "table.column"; none: migrated."""
    declared = {
        (table.name, column.name) for table in metadata.tables.values() for column in table.columns
    }
    tables = sorted({table for table, _ in declared})
    found = {(table, column) for table, column in conn.execute(COLUMNS, (tables,))}
    return tuple(f"{table}.{column}" for table, column in sorted(declared - found))
