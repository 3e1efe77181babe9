"""Who may write what: every table has one writer, and a fact or an audit line cannot be edited.

Applied anew at each migration. Every role may read every table, but for the reader, who sees no
names and nothing as it was received.
"""

from typing import Final, NamedTuple

from db.connect import Connection
from db.tables import metadata
from schemas.settings import DatabaseRole

WORKER: Final = DatabaseRole.WORKER
API: Final = DatabaseRole.API
READER: Final = DatabaseRole.READER
GRANTEES: Final = (WORKER, API, READER)

APPEND: Final = ("INSERT",)
KEEP: Final = ("INSERT", "UPDATE")
CHURN: Final = ("INSERT", "UPDATE", "DELETE")
# A known reference row is closed and never edited; a person's name can be erased.
BITEMPORAL: Final = ("INSERT", "UPDATE (known_to)")


class Right(NamedTuple):
    """What a role may do to a table, beside reading it."""

    role: DatabaseRole
    privileges: tuple[str, ...]


WRITERS: Final[dict[str, tuple[Right, ...]]] = {
    **dict.fromkeys(
        (
            "deal_revisions",
            "credits",
            "ledger",
            "payments",
            "progress_history",
            "alert_events",
            "statements",
        ),
        (Right(WORKER, APPEND),),
    ),
    **dict.fromkeys(
        (
            "deals",
            "accounts",
            "positions",
            "partitions",
            "source_states",
            "board_states",
            "alerts",
            "leases",
            "recredits",
        ),
        (Right(WORKER, KEEP),),
    ),
    **dict.fromkeys(
        (
            "holds",
            "ineligible",
            "dead_letters",
            "batches",
            "batch_offsets",
            "fact_outbox",
            "alert_outbox",
            "relay_sent",
        ),
        (Right(WORKER, CHURN),),
    ),
    **dict.fromkeys(
        (name for name, table in metadata.tables.items() if "known_to" in table.c),
        (Right(API, BITEMPORAL),),
    ),
    "people": (Right(API, ("INSERT", "UPDATE (known_to, name, title)")),),
    "installation": (
        Right(
            API,
            (
                "INSERT",
                "UPDATE (company, time_zone, reference_version, reference_known_at, timeline, "
                "deals_partitions)",
            ),
        ),
    ),
    **dict.fromkeys(
        (
            "users",
            "source_records",
            "postings",
            "idempotency_keys",
            "imports",
            "import_files",
        ),
        (Right(API, CHURN),),
    ),
    **dict.fromkeys(
        ("reference_outbox", "clock", "notes", "alert_acknowledgements"),
        (Right(API, APPEND),),
    ),
    "audit": (Right(API, APPEND), Right(WORKER, APPEND)),
}
SEQUENCES_OF: Final = {WORKER: ("tokens", "batch_numbers", "lease_tokens")}


# What the reader sees of the tables that hold names or raw data: these columns, or nothing.
def _but(table: str, *hidden: str) -> tuple[str, ...]:
    return tuple(c.name for c in metadata.tables[table].c if c.name not in hidden)


READER_SEES: Final[dict[str, tuple[str, ...]]] = {
    "people": _but("people", "name", "title"),
    "users": (),
    "source_records": (),
    "dead_letters": _but("dead_letters", "value"),
    "deal_revisions": _but("deal_revisions", "content"),
    "deals": _but("deals", "name", "customer", "named", "state"),
    "notes": _but("notes", "text"),
    "alert_acknowledgements": _but("alert_acknowledgements", "text"),
    "idempotency_keys": (),
    "imports": _but("imports", "file_name", "result"),
    "import_files": (),
}


def statements() -> list[str]:
    """The grants of every table, from nothing."""
    logins = ", ".join(role.login for role in GRANTEES)
    found = [
        f"GRANT USAGE ON SCHEMA public TO {logins}",
        f"GRANT SELECT ON alembic_version TO {logins}",  # so that anybody can say how old it is
    ]
    for name, table in metadata.tables.items():
        found += _statements_of(name, tuple(column.name for column in table.c))
    for role, sequences in SEQUENCES_OF.items():
        found += [f"GRANT USAGE, SELECT ON SEQUENCE {name} TO {role.login}" for name in sequences]
    return found


def _statements_of(table: str, columns: tuple[str, ...]) -> list[str]:
    logins = ", ".join(role.login for role in GRANTEES)
    found = [
        f"REVOKE ALL ON {table} FROM PUBLIC, {logins}",
        f"REVOKE ALL ({', '.join(map(_quoted, columns))}) ON {table} FROM {logins}",
        f"GRANT SELECT ON {table} TO {WORKER.login}, {API.login}",
    ]
    assert table in WRITERS, f"db/grants.py does not say who writes {table}"
    for right in WRITERS[table]:
        found.append(f"GRANT {', '.join(right.privileges)} ON {table} TO {right.role.login}")
    seen = READER_SEES.get(table)
    if seen is None:
        found.append(f"GRANT SELECT ON {table} TO {READER.login}")
    elif seen:
        shown = ", ".join(map(_quoted, seen))
        found.append(f"GRANT SELECT ({shown}) ON {table} TO {READER.login}")
    return found


def _quoted(column: str) -> str:
    return f'"{column}"'


def apply(conn: Connection) -> None:
    """Grant all that, in one transaction, as the owner."""
    with conn.transaction():
        conn.execute(";\n".join(statements()).encode())
