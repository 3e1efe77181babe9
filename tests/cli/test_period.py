"""`paceboard period lock --check` on a real database: it says what a lock would freeze."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing

import pytest

from db.reference import reference_change
from schemas.settings import Settings
from tests.books import Books, set_day, won
from tests.cli.conftest import Command
from tests.database import BEN, FIRST, SECOND, company, connected

WATCHED = ("ledger", "statements", "audit", "reference_outbox", "periods")


@pytest.fixture
def office(installation: Settings) -> Iterator[Settings]:
    """Ada and Ben with a sale each, and one of a seller that nobody knows."""
    company(installation)
    set_day(installation, dt.date(2024, 3, 15))
    with closing(Books(installation)) as books:
        books.book(
            won("1", "80000.00", dt.date(2024, 2, 1)),
            won("2", "500.50", dt.date(2024, 3, 1), owner=BEN),
            won("3", "7.25", dt.date(2024, 3, 1), owner="nobody"),
        )
    yield installation


def counts(settings: Settings) -> list[int]:
    with connected(settings, "owner") as conn:
        found = [conn.execute(f"SELECT count(*) FROM {name}".encode()) for name in WATCHED]
        return [int(row[0]) for cursor in found for row in cursor]


def shown(text: str) -> dict[str, str]:
    """What stands in the table: name and value."""
    rows = (line.split("  ", maxsplit=1) for line in text.splitlines() if "  " in line)
    return {name.strip(): value.strip() for name, value in rows}


def test_check_says_what_would_be_frozen_and_changes_nothing(
    office: Settings, command: Command
) -> None:
    before = counts(office)
    said = command("period", "lock", FIRST, "--check")
    assert said.code == 0, said.err
    assert counts(office) == before
    assert {**shown(said.out), "a lock would freeze": ""} == {
        "a lock would freeze": "",
        "period": f"{FIRST}, 2024-01-01 to 2024-03-31",
        "has ended": "no",
        "complete through": "not known",
        "accounts": "3",
        "entries": "3",  # one of each account, component and batch
        "earned": "1610.01 USD",  # 1,200.00 + 7.51 + 402.50
        "held": "1 deals, 7.25 USD",
        "dead letters": "0, of all periods",
        "can be locked": "yes",
    }
    set_day(office, dt.date(2024, 4, 1))
    assert shown(command("period", "lock", FIRST, "--check").out)["has ended"] == "yes"


def test_check_says_why_a_lock_would_be_refused(office: Settings, command: Command) -> None:
    """Exit code 3, as of `status`; the last open period needs another after it."""
    said = command("period", "lock", SECOND, "--check")
    assert said.code == 3
    assert f"no: {FIRST} is still open" in shown(said.out)["can be locked"]
    with (
        connected(office, "api") as conn,
        reference_change(conn, actor="test", action="retire", entity=FIRST) as change,
    ):
        change.retire("periods", [(SECOND,)])
    said = command("period", "lock", FIRST, "--check")
    assert said.code == 3
    assert "add the next period first" in shown(said.out)["can be locked"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("2031-Q1", "--check"), "there is no period 2031-Q1"),
        (("--before", "2024-04-01", "--check"), "--check looks at one period"),
        (("--check",), "name one period, or --before a date"),
    ],
)
def test_check_of_no_period(
    arguments: tuple[str, ...], says: str, office: Settings, command: Command
) -> None:
    said = command("period", "lock", *arguments)
    assert (said.code, says in said.err) == (1, True), said.err


def test_help_says_that_the_last_open_period_is_refused(command: Command) -> None:
    said = " ".join(command("period", "lock", "--help").out.split())
    assert "The last open period is refused" in said
