"""What is expected by a day, on last year's shape, read from the books."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from db.connect import Connection
from db.reference import read, reference_change
from domain.pace import WITHOUT_LAST_YEAR
from domain.reference import Reference
from domain.shape import period_last_year
from schemas.ids import PeriodId
from schemas.reference import Curve
from schemas.settings import Settings
from streams.pacing import Pacing
from tests.books import Books, won
from tests.database import ADA, BEN, FIRST, MEG, SECOND, company, company_rows, connected

BEFORE = "2023-Q1"
START, END = dt.date(2023, 1, 1), dt.date(2024, 1, 1)
JANUARY, MARCH = dt.date(2023, 1, 10), dt.date(2023, 3, 31)


def year_before() -> dict[str, list[dict[str, Any]]]:
    """One period of 2023, in which all worked already; the pace follows last year's shape."""
    rows = company_rows()
    found: dict[str, list[dict[str, Any]]] = {
        table: [{**row, "starts_on": START, "ends_on": END} for row in rows[table]]
        for table in ("people", "reporting_lines", "plans", "assignments")
    }
    for row in found["assignments"]:
        row["assignment_id"] += "-before"
    period = {"period_id": BEFORE, "plan_year": "FY2023", "state": "open", "starts_on": START}
    found["periods"] = [{**period, "ends_on": dt.date(2023, 4, 1)}]
    found["quotas"] = [
        {"payee_id": payee, "period_id": BEFORE, "amount": Decimal(1_000)}
        for payee in (ADA, BEN, MEG)
    ]
    found["calendars"] = [{**rows["calendars"][0], "curve": Curve.LAST_YEAR}]
    return found


def put(settings: Settings, rows: dict[str, list[dict[str, Any]]]) -> Reference:
    with connected(settings, "api") as conn:
        with reference_change(conn, actor="test", action="put", entity="test") as change:
            for table, given in rows.items():
                change.put(table, given)
        return Reference(read(conn))


@pytest.fixture
def conn(database: Settings) -> Iterator[Connection]:
    company(database)
    with connected(database, "worker") as conn:
        yield conn


def test_last_years_shape_is_kept_until_it_may_have_moved(
    database: Settings, conn: Connection
) -> None:
    known = put(database, year_before())
    first = known.period(PeriodId(FIRST))
    assert first is not None
    now = [0.0]
    pacing = Pacing(conn, now=lambda: now[0])

    def share(reference: Reference, day: dt.date) -> tuple[str, str]:
        expected = pacing.expected(reference, first, day)
        assert expected is not None
        return str(expected.share), expected.curve

    assert share(known, dt.date(2024, 2, 1))[1] == WITHOUT_LAST_YEAR
    with closing(Books(database)) as books:
        # Meg's roll-up of both is no deal of its own.
        books.book(won("1", "100.00", JANUARY), won("2", "300.00", MARCH, owner=BEN))
        assert share(known, dt.date(2024, 2, 1))[1] == WITHOUT_LAST_YEAR  # kept for a minute
        now[0] += 61
        assert share(known, dt.date(2024, 1, 10)) == ("0.000000", "last_year")
        assert share(known, dt.date(2024, 1, 11)) == ("0.250000", "last_year")
        assert share(known, dt.date(2024, 4, 1)) == ("1.000000", "last_year")
        # A locked year is read once per reference version.
        locked = {**year_before()["periods"][0], "state": "locked"}
        known = put(database, {"periods": [locked]})
        share(known, dt.date(2024, 2, 1))
        books.book(won("3", "400.00", MARCH))
        now[0] += 3_600
        assert share(known, dt.date(2024, 1, 11)) == ("0.250000", "last_year")


def test_the_same_period_of_the_year_before_is_that_of_the_same_ordinal(
    database: Settings, conn: Connection
) -> None:
    known = put(database, year_before())
    first, second = known.period(PeriodId(FIRST)), known.period(PeriodId(SECOND))
    before = known.period(PeriodId(BEFORE))
    assert first is not None
    assert second is not None
    assert before is not None
    assert period_last_year(known, first) == before
    assert period_last_year(known, second) is None  # 2023 had one period only
    assert period_last_year(known, before) is None
