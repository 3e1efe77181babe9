"""Writers are disjoint by table, facts and audit only grow, and the reader sees no names."""

import psycopg
import pytest

from db import grants
from db.tables import metadata
from schemas.settings import Settings
from tests.database import company, connected

ROLES = ("worker", "api", "reader")
FACTS = ("deal_revisions", "credits", "ledger", "payments", "progress_history", "alert_events")

CAN = """
    SELECT r, p, has_any_column_privilege('paceboard_' || r, %(table)s, p)
    FROM unnest(%(roles)s::text[]) r, unnest('{INSERT,UPDATE}'::text[]) p
    UNION ALL
    SELECT r, p, has_table_privilege('paceboard_' || r, %(table)s, p)
    FROM unnest(%(roles)s::text[]) r, unnest('{DELETE,TRUNCATE,TRIGGER}'::text[]) p
"""


def test_every_table_says_who_writes_it() -> None:
    """A new table without a line in grants.py stops the migration."""
    assert grants.WRITERS.keys() == metadata.tables.keys()


def test_each_table_has_one_writer(database: Settings) -> None:
    """As the server sees it; only the audit has two, who may do no more than append."""
    with connected(database, "owner") as conn:
        for table in metadata.tables:
            rows = conn.execute(CAN, {"table": table, "roles": list(ROLES)}).fetchall()
            may = {(role, privilege) for role, privilege, can in rows if can}
            writers = {role for role, _ in may}
            if table == "audit":
                assert may == {("worker", "INSERT"), ("api", "INSERT")}
                continue
            assert len(writers) == 1 and "reader" not in writers, table
            assert "TRUNCATE" not in {privilege for _, privilege in may}
            if table in FACTS:
                assert may == {("worker", "INSERT")}


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("worker", "UPDATE quotas SET amount = 1"),
        ("worker", "UPDATE installation SET reference_version = 9"),
        ("worker", "DELETE FROM credits"),
        ("worker", "UPDATE ledger SET earned = 0"),
        ("worker", "DELETE FROM reference_outbox"),
        ("api", "INSERT INTO credits (booked_at) VALUES (now())"),
        ("api", "UPDATE positions SET earned = 0"),
        ("api", "DELETE FROM fact_outbox"),
        ("api", "UPDATE quotas SET amount = 1"),  # closed and superseded, never edited
        ("api", "UPDATE installation SET sealed_to = now()"),  # only by seal()
        ("api", "SELECT seal()"),
        ("reader", "SELECT name FROM people"),
        ("reader", "SELECT * FROM users"),
        ("reader", "SELECT value FROM dead_letters"),
        ("reader", "SELECT content FROM source_records"),
        ("reader", "SELECT drop_old_chunks('alert_events', now())"),
        ("reader", "SELECT end_stuck_sessions(60)"),
        *((role, "UPDATE audit SET actor = 'x'") for role in ROLES),
        *((role, "DELETE FROM audit") for role in ROLES),
        *((role, "TRUNCATE audit") for role in ROLES),
        *((role, "CREATE TABLE mine (a int)") for role in ROLES),
    ],
)
def test_the_server_refuses(module_migrated: Settings, role: str, statement: str) -> None:
    """Whatever the code of a process does by mistake."""
    with connected(module_migrated, role) as conn:
        conn.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


def test_the_reader_reads_what_has_no_names(module_migrated: Settings) -> None:
    """People by their opaque ids; and it cannot write by its session's default either."""
    with connected(module_migrated, "reader") as conn:
        assert conn.execute("SELECT count(payee_id) FROM people").fetchone() == (3,)
        assert conn.execute("SELECT count(*) FROM audit").fetchone() == (2,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("CREATE TEMPORARY TABLE t (a int)")


def test_a_name_can_be_erased(module_migrated: Settings) -> None:
    """Of all versions of a person; what he was paid stays, by his id."""
    with connected(module_migrated, "api") as conn:
        conn.execute("UPDATE people SET name = '', title = NULL WHERE payee_id = 'p-ben'")
        assert conn.execute("SELECT name FROM people WHERE payee_id = 'p-ben'").fetchone() == ("",)


@pytest.fixture(scope="module")
def module_migrated(module_database_settings: Settings) -> Settings:
    """One database with a company for all refusals."""
    company(module_database_settings)
    return module_database_settings
