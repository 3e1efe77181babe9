"""The installation's row, and the history of the business clock."""

import datetime as dt
from decimal import Decimal

import pytest

from db import clock, installation
from db.connect import pool
from db.edition import edition
from schemas.clock import ClockRow
from schemas.settings import Settings
from tests.database import company, connected

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
LAST_YEAR = dt.datetime(2025, 3, 3, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_installing_again_changes_nothing_and_otherwise_is_refused(database: Settings) -> None:
    """A database belongs to one company, its topic to one partition count."""
    company(database)
    with connected(database, "api") as conn:
        stands = installation.read(conn)
        same = {
            "company": stands.company,
            "currency": stands.currency,
            "time_zone": stands.time_zone,
            "deals_partitions": stands.deals_partitions,
            "actor": "again",
        }
        assert installation.install(conn, **same) == stands  # type: ignore[arg-type]
        with pytest.raises(installation.InstalledOtherwise, match="Northwind"):
            installation.install(conn, **{**same, "company": "Southwind"})  # type: ignore[arg-type]
        assert (stands.timeline, stands.reference_version) == (1, 1)


def test_the_timeline_only_rises(database: Settings) -> None:
    """With the reason in the audit."""
    company(database)
    with connected(database, "api") as conn:
        assert installation.raise_timeline(conn, actor="ops", why="restored") == 2
        assert installation.read(conn).timeline == 2
        line = conn.execute("SELECT action, after FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        assert line == ("raise timeline", {"timeline": 2, "why": "restored"})


def test_a_clock_never_set_has_no_rows(database: Settings) -> None:
    """Then the business runs by the system's time; nothing need be installed to ask."""
    with connected(database, "reader") as conn:
        assert clock.rows(conn) == ()
        assert installation.find(conn) is None


def test_setting_the_clock_appends_audits_and_tells(database: Settings) -> None:
    """The last row is in force; the ones before translate past instants."""
    with connected(database, "api") as conn, connected(database, "worker") as listener:
        listener.execute("LISTEN paceboard_clock")
        rows = [
            clock.append(conn, real=NOON, business=LAST_YEAR, rate=Decimal(60), set_by="meg"),
            clock.append(conn, real=NOON + HOUR, business=NOON, rate=Decimal(0), set_by="meg"),
        ]
        assert clock.rows(listener) == tuple(rows)
        assert rows[0] == ClockRow(NOON, LAST_YEAR, Decimal(60))
        assert len(list(listener.notifies(timeout=5, stop_after=2))) == 2
        lines = conn.execute("SELECT actor, before IS NULL, after FROM audit ORDER BY id")
        audited = lines.fetchall()
    assert [(actor, first) for actor, first, _ in audited] == [("meg", True), ("meg", False)]
    assert audited[1][2]["rate"] == "0"


@pytest.mark.parametrize(
    ("real", "rate", "problem"),
    [(NOON - HOUR, "1", "before the one in force"), (NOON, "-1", "backwards")],
)
def test_the_clock_does_not_run_back(
    database: Settings, real: dt.datetime, rate: str, problem: str
) -> None:
    """Neither by its rate nor by the instant from which a row holds."""
    with connected(database, "api") as conn:
        clock.append(conn, real=NOON, business=NOON, rate=Decimal(1), set_by="meg")
        with pytest.raises(ValueError, match=problem):
            clock.append(conn, real=real, business=NOON, rate=Decimal(rate), set_by="meg")
        assert len(clock.rows(conn)) == 1


def test_sessions_run_in_utc_with_time_outs(database: Settings) -> None:
    """Also those of a pool, which autocommits; a reader's are read only."""
    shown = "SELECT current_setting('timezone'), current_setting('lock_timeout')"
    with (
        pool(database, "reader", application_name="test pool") as readers,
        readers.connection() as conn,
    ):
        assert conn.execute(shown).fetchone() == ("UTC", "5s")
        assert conn.autocommit
        assert conn.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        assert edition(conn).postgresql
