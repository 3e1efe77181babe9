"""Rate tables, as the field guide and vendors print them."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from domain import pay
from domain.exact import exact_arithmetic
from schemas.money import RoundingMode
from schemas.plan import Bounds, MarginalTable, Rounding, Tier
from tests.domain.builders import component, table

GUIDE = table(("0", "0.10"), ("10000", "0.20"))  # 0-10,000 at 10 %, above at 20 %
ABOVE_QUOTA = table(("0", "0.05"), ("1", "0.08"), by="attainment")  # 3 points more above quota
QUARTER = table(("0", "0.05"), ("1", "0.06"), ("1.25", "0.07"), by="attainment")
OWN = table(("0", "1"), ("1", "1.5"), by="attainment", of="assignment")


@pytest.fixture(autouse=True)
def exactly() -> Iterator[None]:
    with exact_arithmetic():
        yield


def ladder(
    pays: MarginalTable, quota: str = "", own_rate: str = "", rounding: Rounding | None = None
) -> pay.Ladder:
    return pay.ladder(
        component("c", "owner", pays, rounding=rounding),
        quota=Decimal(quota) if quota else None,
        own_rate=Decimal(own_rate) if own_rate else None,
    )


@pytest.mark.parametrize(
    ("pays", "quota", "own_rate", "credited", "earned"),
    [
        (GUIDE, "", "", "15000", "2000.00"),  # 1,000 + 1,000: the field guide's example
        (GUIDE, "", "", "10000", "1000.00"),  # a bound pays the same from both sides
        (GUIDE, "", "", "0", "0.00"),
        (GUIDE, "", "", "-500", "-50.00"),  # a credit note takes back at the first rate
        (ABOVE_QUOTA, "120000", "", "150000", "8400.00"),  # 6,000 + 30,000 x 8 %
        (QUARTER, "100000", "", "150000", "8250.00"),  # 5,000 + 1,500 + 1,750
        (QUARTER, "", "", "150000", "0.00"),  # no quota: no ratio, no tier, no pay
        (OWN, "1000", "0.0125", "2000", "31.25"),  # 12.50 + 1,000 x 1.875 %
        (OWN, "1000", "", "2000", "0.00"),  # multiples of no rate
        (table(("0", "0.012"), by="attainment"), "", "", "250.00", "3.00"),  # one tier: no quota
    ],
)
def test_pays_each_slice_at_its_own_rate(
    pays: MarginalTable, quota: str, own_rate: str, credited: str, earned: str
) -> None:
    paid = pay.payout(Decimal(credited), ladder(pays, quota, own_rate))
    assert str(paid) == earned


@pytest.mark.parametrize(
    ("credited", "half_even", "half_up", "down"),
    [
        ("0.10", "0.00", "0.01", "0.00"),  # 0.005
        ("0.30", "0.02", "0.02", "0.01"),  # 0.015
        ("-0.10", "0.00", "-0.01", "0.00"),  # what was rounded up is taken back in full
        ("-0.30", "-0.02", "-0.02", "-0.01"),
    ],
)
def test_rounds_once_as_the_plan_says(
    credited: str, half_even: str, half_up: str, down: str
) -> None:
    for mode, earned in zip(RoundingMode, (half_even, half_up, down), strict=True):
        by = ladder(table(("0", "0.05")), rounding=Rounding(mode=mode, places=2))
        assert pay.payout(Decimal(credited), by) == Decimal(earned)


def test_a_component_without_a_table_pays_nothing() -> None:
    by = pay.ladder(component("c", "owner"), quota=None, own_rate=None)
    assert pay.payout(Decimal(1000), by) == 0
    assert pay.slices(Decimal(0), Decimal(1000), by) == ()
    assert pay.tier_of(Decimal(1000), by) is None


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        # 145,000 -> 165,000 of a 150,000 tier: 5,000 at 4 %, 15,000 at 6 %, in all 1,100
        ("145000", "165000", [("5000", "0.04", "200"), ("15000", "0.06", "900")]),
        ("165000", "145000", [("-5000", "0.04", "-200"), ("-15000", "0.06", "-900")]),
        ("-100", "100", [("200", "0.04", "8")]),
        ("1000", "1000", []),
        ("0", "300000", [("150000", "0.04", "6000"), ("100000", "0.06", "6000"),
                         ("50000", "0.08", "4000")]),
    ],
)  # fmt: skip
def test_a_receipt_shows_the_slices_of_a_way(
    before: str, after: str, parts: list[tuple[str, str, str]]
) -> None:
    by = ladder(table(("0", "0.04"), ("150000", "0.06"), ("250000", "0.08")))
    found = pay.slices(Decimal(before), Decimal(after), by)
    assert [(one.credited, one.rate, one.pay) for one in found] == [
        (Decimal(credited), Decimal(rate), Decimal(paid)) for credited, rate, paid in parts
    ]
    way = pay.unrounded(Decimal(after), by) - pay.unrounded(Decimal(before), by)
    assert sum(one.pay for one in found) == way


@pytest.mark.parametrize(
    ("bounds", "tier"), [(Bounds.LOWER_INCLUSIVE, 1), (Bounds.UPPER_INCLUSIVE, 0)]
)
def test_the_plan_says_to_which_tier_a_bound_belongs(bounds: Bounds, tier: int) -> None:
    tiers = (Tier(start="0", rate="0.10"), Tier(start="10000", rate="0.20"))
    by = ladder(MarginalTable(tiers=tiers, bounds=bounds))
    assert pay.tier_of(Decimal(10000), by) == tier
    assert pay.tier_of(Decimal("9999.99"), by) == 0
    assert pay.tier_of(Decimal("10000.01"), by) == 1
    assert pay.tier_of(Decimal(-1), by) == 0
