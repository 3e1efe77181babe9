"""The business clock and the company's calendar."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain import calendar
from domain.clock import business_at, real_at
from schemas.clock import ClockRow
from tests.domain.builders import CALENDAR, at, day

SHOWN = "2014-05-01T09:00:00+00:00"
STILL = ClockRow(at("2026-01-01T00:00:00+00:00"), at(SHOWN), Decimal(0))
FAST = ClockRow(at("2026-01-01T01:00:00+00:00"), at(SHOWN), Decimal(60))
BACK = ClockRow(at("2026-01-01T02:00:00+00:00"), at("2014-05-02T09:00:00+00:00"), Decimal(1))
ROWS = (STILL, FAST, BACK)
NOW = at("2026-01-01T10:00:00+00:00")


@pytest.mark.parametrize(
    ("rows", "real", "business"),
    [
        ((), "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),  # the system's clock
        (ROWS, "2025-12-31T23:59:59+00:00", "2025-12-31T23:59:59+00:00"),  # before it was set
        (ROWS, "2026-01-01T00:30:00+00:00", SHOWN),  # stands still
        (ROWS, "2026-01-01T01:10:00+00:00", "2014-05-01T19:00:00+00:00"),  # 10 minutes: 10 hours
        (ROWS, "2026-01-01T02:00:00+00:00", "2014-05-02T09:00:00+00:00"),  # set back
    ],
)
def test_business_time_follows_the_last_row(
    rows: tuple[ClockRow, ...], real: str, business: str
) -> None:
    assert business_at(rows, at(real)) == at(business)


@pytest.mark.parametrize(
    ("rows", "business", "real"),
    [
        ((), "2025-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"),
        (ROWS, "2014-05-02T10:00:00+00:00", "2026-01-01T03:00:00+00:00"),  # shown twice: the last
        (ROWS, "2014-05-01T19:00:00+00:00", "2026-01-01T01:10:00+00:00"),
        (ROWS, SHOWN, "2026-01-01T01:00:00+00:00"),  # all that was known while it stood still
        (ROWS, "2024-01-01T00:00:00+00:00", "2026-01-01T10:00:00+00:00"),  # not shown yet: now
        ((STILL,), SHOWN, "2026-01-01T10:00:00+00:00"),
        (ROWS, "2014-01-01T00:00:00+00:00", "2014-01-01T00:00:00+00:00"),  # before it was set
    ],
)
def test_a_past_business_time_is_translated_by_the_clocks_history(
    rows: tuple[ClockRow, ...], business: str, real: str
) -> None:
    assert real_at(rows, at(business), until=NOW) == at(real)


def test_working_days_leave_out_weekends_and_holidays() -> None:
    assert calendar.working_days(CALENDAR, day("2024-05-24"), day("2024-05-29")) == 2
    assert calendar.working_days(CALENDAR, day("2024-05-29"), day("2024-05-24")) == 0
    assert calendar.next_working_day(CALENDAR, day("2024-05-24")) == day("2024-05-28")
    assert calendar.are_a_working_day_apart(CALENDAR, day("2024-05-24"), day("2024-05-28"))
    assert not calendar.are_a_working_day_apart(CALENDAR, day("2024-05-24"), day("2024-05-27"))


def test_the_business_date_is_that_of_the_companys_zone() -> None:
    zone = ZoneInfo("America/New_York")
    assert calendar.business_date(at("2024-03-10T04:59:59+00:00"), zone) == day("2024-03-09")
    assert calendar.start_of_day(day("2024-03-10"), zone) == at("2024-03-10T05:00:00+00:00")
    assert calendar.start_of_day(day("2024-03-11"), zone) == at("2024-03-11T04:00:00+00:00")
