"""Who may sign in: rows of `users`, written by set-up and loaders."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from db import audit
from db.connect import Connection

ENROL: Final = """
    INSERT INTO users (user_id, payee_id, role, name, demo, disabled_at)
    VALUES (%(user_id)s, %(payee_id)s, %(role)s, %(name)s, %(demo)s, %(disabled_at)s)
    ON CONFLICT (user_id) DO NOTHING
"""


def enrol(conn: Connection, rows: Iterable[Mapping[str, Any]], *, actor: str) -> int:
    """Add the users who are not there yet, with an audit line each of ids only; how many."""
    added = 0
    with conn.transaction():
        for row in rows:
            if conn.execute(ENROL, row).rowcount:
                added += 1
                after = {name: row[name] for name in ("payee_id", "role", "demo")}
                audit.record(conn, actor=actor, action="enrol", entity=row["user_id"], after=after)
    return added
