"""Pace on dates as AdventureWorks has them: quota windows of uneven length, month-end orders."""

from decimal import Decimal

import pytest

from domain import pace
from schemas.ids import PeriodId, PlanYearId
from schemas.messages import PeriodState
from schemas.reference import Curve, Period
from tests.domain.builders import CALENDAR, day

# A quota window of AdventureWorks: 1 March is a Saturday, 64 working days to 29 May.
SPRING = Period(
    period_id=PeriodId("w"),
    plan_year=PlanYearId("FY14"),
    starts_on=day("2014-03-01"),
    ends_on=day("2014-05-30"),
    state=PeriodState.OPEN,
)
# last year's orders fell on days 0, 30 and 61 of its window: 25 %, 45 % and 30 %
LAST_YEAR = ((0, Decimal(250)), (30, Decimal(450)), (61, Decimal(300)))


@pytest.mark.parametrize(
    ("as_of", "share"),
    [
        ("2014-02-01", "0"),  # before it begins
        ("2014-03-01", "0"),  # no whole day gone
        ("2014-03-03", "0"),  # a weekend is no working day
        ("2014-03-04", "0.015625"),  # 1 of 64
        ("2014-03-31", "0.312500"),  # 20 of 64
        ("2014-05-30", "1"),
        ("2014-07-01", "1"),  # after its end
    ],
)
def test_working_days_gone_of_all(as_of: str, share: str) -> None:
    found = pace.expected_share(Curve.WORKING_DAYS, SPRING, day(as_of), CALENDAR)
    assert found == pace.Expected(Decimal(share), "working_days")


@pytest.mark.parametrize(
    ("as_of", "share"),
    [
        ("2014-03-01", "0"),  # by the start of the day on which orders come
        ("2014-03-02", "0.25"),
        ("2014-03-31", "0.25"),
        ("2014-04-01", "0.7"),
        ("2014-05-02", "1"),
    ],
)
def test_last_years_shape_knows_the_month_ends(as_of: str, share: str) -> None:
    found = pace.expected_share(Curve.LAST_YEAR, SPRING, day(as_of), CALENDAR, LAST_YEAR)
    assert found == pace.Expected(Decimal(share), "last_year")


def test_a_longer_last_year_ends_with_this_one() -> None:
    """Day 89 is the last of this window; what came on day 95 then is expected on it."""
    last_year = ((0, Decimal(1)), (95, Decimal(3)))
    for as_of, share in (("2014-05-29", "0.25"), ("2014-05-30", "1")):
        found = pace.expected_share(Curve.LAST_YEAR, SPRING, day(as_of), CALENDAR, last_year)
        assert found is not None and found.share == Decimal(share)


@pytest.mark.parametrize("last_year", [(), ((0, Decimal(0)),), ((3, Decimal(-5)),)])
def test_without_a_last_year_working_days_stand_in_and_say_so(
    last_year: tuple[tuple[int, Decimal], ...],
) -> None:
    found = pace.expected_share(Curve.LAST_YEAR, SPRING, day("2014-03-31"), CALENDAR, last_year)
    assert found == pace.Expected(Decimal("0.3125"), "working_days (no last year)")


def test_credit_notes_never_lead_outside_nothing_and_all() -> None:
    last_year = ((0, Decimal(-50)), (10, Decimal(300)), (20, Decimal(-150)))
    shares = [
        pace.expected_share(Curve.LAST_YEAR, SPRING, day(as_of), CALENDAR, last_year)
        for as_of in ("2014-03-05", "2014-03-15", "2014-04-01")
    ]
    assert [one.share for one in shares if one] == [0, 1, 1]


def test_a_period_without_a_working_day_expects_nothing() -> None:
    weekend = Period(
        period_id=PeriodId("w"), plan_year=PlanYearId("y"), starts_on=day("2014-03-01"),
        ends_on=day("2014-03-03"), state=PeriodState.OPEN,
    )  # fmt: skip
    assert pace.expected_share(Curve.WORKING_DAYS, weekend, day("2014-03-02"), CALENDAR) is None


@pytest.mark.parametrize(
    ("attained", "expected", "ratio"),
    [
        ("0.6", "0.5", "1.2"),
        ("0.424999", "0.5", "0.849998"),
        ("0.2", "0", None),  # nothing is expected yet
    ],
)
def test_pace_is_attainment_against_what_is_expected(
    attained: str, expected: str, ratio: str | None
) -> None:
    found = pace.pace_ratio(Decimal(attained), pace.Expected(Decimal(expected), "working_days"))
    assert found == (None if ratio is None else Decimal(ratio))


@pytest.mark.parametrize(
    ("credited", "as_of", "gap", "left", "per_day"),
    [
        ("78700", "2014-03-03", "21300", 64, "332.82"),  # 332.8125, rounded up to reach it
        ("78700", "2014-05-29", "21300", 1, "21300.00"),
        ("78700", "2014-05-30", "21300", 0, None),
        ("100000", "2014-04-01", "0", 43, "0.00"),
        ("120000", "2014-04-01", "0", 43, "0.00"),  # beyond quota there is no gap
    ],
)
def test_what_is_left_to_do(
    credited: str, as_of: str, gap: str, left: int, per_day: str | None
) -> None:
    found = pace.to_go(Decimal(credited), Decimal(100000), SPRING, day(as_of), CALENDAR)
    assert found == pace.ToGo(Decimal(gap), left, None if per_day is None else Decimal(per_day))
