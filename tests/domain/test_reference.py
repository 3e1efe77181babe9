"""Look-ups of reference data on a day, at the edges of their ranges."""

from decimal import Decimal

import pytest

from schemas import limits
from schemas.ids import PayeeId, PeriodId, PlanId
from schemas.messages import PeriodState
from schemas.reference import FxRate
from tests.domain.builders import (
    SALES,
    YEAR,
    assigned,
    company,
    day,
    line,
    periods,
    person,
    published,
    quota,
)

ANN = PayeeId("ann")
SAMPLE = company(
    people=(person("ann", ends_on="2024-06-01"),),
    assignments=(
        assigned("ann", "sales", "2024-02-01", "2024-05-01"),
        assigned("ann", "x", "2024-06-01"),
    ),
    plans=(published(SALES, "2024-02-01", "2024-03-01"),),
    quotas=(*quota("ann", "10.5", "Q1"), *quota("ann", "-1", "Q2")),
    fx_rates=(
        FxRate(currency="EUR", starts_on=day("2024-03-01"), rate=Decimal("1.1")),
        FxRate(currency="EUR", starts_on=day("2024-02-01"), rate=Decimal("1.2")),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("on", "plan"),
    [
        ("2024-01-31", None),
        ("2024-02-01", "sales"),
        ("2024-04-30", "sales"),
        ("2024-05-01", None),  # half-open: the end is not in it
        ("2024-06-01", "x"),
        ("2099-01-01", "x"),  # open-ended
    ],
)
def test_an_assignment_is_in_force_from_its_start_to_before_its_end(
    on: str, plan: str | None
) -> None:
    found = SAMPLE.assignment_on(ANN, day(on))
    assert (found.plan_id if found else None) == plan


def test_people_plans_and_keys_by_day() -> None:
    assert SAMPLE.person_on(ANN, day("2024-05-31"))
    assert SAMPLE.person_on(ANN, day("2024-06-01")) is None
    assert SAMPLE.plan_on(PlanId("sales"), day("2024-02-29")) is SALES
    assert SAMPLE.plan_on(PlanId("sales"), day("2024-03-01")) is None
    assert SAMPLE.payee_of("crm", "ANN") == "ann"
    assert SAMPLE.payee_of("billing", "ANN") is None


@pytest.mark.parametrize(
    ("currency", "on", "rate"),
    [
        ("USD", "1999-01-01", "1"),  # the company's own
        ("EUR", "2024-01-31", None),
        ("EUR", "2024-02-29", "1.2"),
        ("EUR", "2024-03-01", "1.1"),
        ("GBP", "2024-03-01", None),
    ],
)
def test_the_rate_in_force(currency: str, on: str, rate: str | None) -> None:
    found = SAMPLE.fx_rate(currency, day(on))
    assert found == (None if rate is None else Decimal(rate))


def test_a_quota_of_nothing_is_no_quota() -> None:
    assert SAMPLE.quota_of(ANN, PeriodId("Q1")) == Decimal("10.5")
    assert SAMPLE.quota_of(ANN, PeriodId("Q2")) is None
    assert SAMPLE.quota_of(ANN, PeriodId("Q3")) is None


def test_periods_in_order_and_by_day() -> None:
    reference = company(periods=periods()[::-1])
    assert [one.period_id for one in reference.periods_of(YEAR)] == ["Q1", "Q2", "Q3", "Q4"]
    found = [reference.period_on(day(on)) for on in ("2023-12-31", "2024-03-31", "2025-01-01")]
    assert [one and one.period_id for one in found] == [None, "Q1", None]
    assert reference.period(PeriodId("Q9")) is None


@pytest.mark.parametrize(
    ("locked", "origin", "booking"),
    [
        ("", "Q2", "Q2"),
        ("Q1 Q2", "Q1", "Q3"),
        ("Q2 Q3", "Q1", "Q1"),
        ("Q3 Q4", "Q3", None),  # never before the origin
    ],
)
def test_the_first_open_period_from_the_origin_on(
    locked: str, origin: str, booking: str | None
) -> None:
    reference = company(periods=periods(*locked.split()))
    period = reference.period(PeriodId(origin))
    assert period is not None
    found = reference.first_open_period(period)
    assert (found.period_id if found else None) == booking
    assert found is None or found.state is PeriodState.OPEN


def test_a_reporting_line_is_followed_to_its_limit() -> None:
    chain = tuple(line(f"p{n}", f"p{n + 1}") for n in range(50))
    above = company(reporting_lines=chain).managers_above(PayeeId("p0"), day("2024-02-01"))
    assert above == tuple(f"p{n}" for n in range(1, limits.REPORTING_LINE_LENGTH_MAX + 1))


def test_who_reports_to_himself_has_nobody_above() -> None:
    reference = company(reporting_lines=(line("ann", "ann"),))
    assert reference.managers_above(ANN, day("2024-02-01")) == ()


def test_the_line_in_force_on_the_day_counts() -> None:
    reference = company(
        reporting_lines=(line("ann", "mia", until="2024-02-01"), line("ann", "vic", "2024-02-01"))
    )
    assert reference.managers_above(ANN, day("2024-01-31")) == ("mia",)
    assert reference.managers_above(ANN, day("2024-02-01")) == ("vic",)
