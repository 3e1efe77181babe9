"""Accounts worked by hand: what is credited, what each entry adds, where it is booked."""

from decimal import Decimal
from typing import Any

import pytest

from domain import accounts
from domain.exact import exact_arithmetic
from domain.progress import attainment, position_states
from domain.terms import NoOpenPeriod
from schemas.ids import AccountId, PeriodId
from schemas.messages import Cause, DealStatus, EntryKind
from schemas.state import AccountState, Entry
from tests.domain.builders import (
    SALES,
    Books,
    assigned,
    company,
    component,
    day,
    deal,
    periods,
    plan,
    published,
    quota,
    split,
    table,
)

SAMPLE = company()


def of(books: Books, payee: str) -> AccountState:
    return books.accounts[f"{payee}.FY24"]


def cells(books: Books, payee: str) -> list[tuple[str, str, str, str, int]]:
    """(component, period, credited, earned, credits) of each cell, in order."""
    return [
        (one.component, one.period_id, str(one.credited), str(one.earned), one.credits)
        for one in of(books, payee).positions
    ]


def earned(entries: tuple[Entry, ...], payee: str) -> list[tuple[str, str, str]]:
    """(component, credited, earned) of each entry of a payee."""
    own = [one for one in entries if one.payee_id == payee]
    return [(one.component, str(one.credited), str(one.earned)) for one in own]


# Ann's quota is 10,000: 1 % up to it, 2 % up to 150 %, 3 % above; her overlays earn a flat 0.5 %.
@pytest.mark.parametrize(
    ("amounts", "entries"),
    [
        (["8000.00"], ["80.00"]),
        (["8000.00", "4000.00"], ["80.00", "60.00"]),  # 2,000 at 1 % and 2,000 at 2 %
        (["8000.00", "4000.00", "6000.00"], ["80.00", "60.00", "150.00"]),  # ... 3,000 at 3 %
        (["8000.00", "-3000.00"], ["80.00", "-30.00"]),
        (["-3000.00", "8000.00"], ["-30.00", "80.00"]),
        (["33.335", "33.335"], ["0.33", "0.34"]),  # the cell is rounded, not the deal: 66.67
    ],
)
def test_each_deal_adds_what_the_cell_earns_more(amounts: list[str], entries: list[str]) -> None:
    books = Books(SAMPLE)
    found: list[str] = []
    for key, amount in enumerate(amounts):
        (one,) = earned(books.batch(deal(key=str(key), amount=amount)), "ann")
        found.append(one[2])
    assert found == entries
    (cell,) = cells(books, "ann")
    assert Decimal(cell[3]) == sum(Decimal(entry) for entry in entries)


def test_a_two_component_account_by_hand() -> None:
    books = Books(SAMPLE)
    books.batch(
        deal(key="1", amount="8000.00"),
        deal(key="2", amount="10000.00"),
        deal(key="3", amount="3000.00", owner_key="BOB", splits=(split("ANN", "0.5", "overlay"),)),
        deal(key="4", amount="400.00", closed_on=day("2024-04-01")),
    )
    assert cells(books, "ann") == [
        ("direct", "Q1", "18000.00", "290.00", 2),  # 100 + 5,000 x 2 % + 3,000 x 3 %
        ("specialist", "Q1", "1500.00", "7.50", 1),
        ("direct", "Q2", "400.00", "4.00", 1),  # a new interval starts at nothing
    ]
    assert cells(books, "mia") == [
        ("team", "Q1", "21000.00", "21.00", 3),
        ("team", "Q2", "400.00", "0.40", 1),
    ]
    assert cells(books, "vic")[0] == ("team", "Q1", "21000.00", "0.00", 3)  # counted, not paid


def test_a_batch_has_one_entry_per_component_and_period_also_of_nothing() -> None:
    books = Books(SAMPLE)
    entries = books.batch(deal(key="1"), deal(key="2", amount="-4000.00"))
    (entry,) = [one for one in entries if one.payee_id == "ann"]
    assert not entry.credited and not entry.earned and entry.credits == 2
    assert (entry.account_version, of(books, "ann").version) == (1, 1)


def test_a_reversal_can_take_more_than_the_deals_own_entry_gave() -> None:
    books = Books(SAMPLE)
    books.batch(deal(key="1", amount="10000.00"))  # at 1 %
    books.batch(deal(key="2", amount="5000.00"))  # at 2 %
    (taken,) = earned(books.batch(deal(2, key="1", status=DealStatus.LOST)), "ann")
    assert taken == ("direct", "-10000.00", "-150.00")  # 5,000 of it leave the upper tier
    assert cells(books, "ann") == [("direct", "Q1", "5000.00", "50.00", 1)]


def test_a_cancelled_deal_leaves_a_cell_of_nothing() -> None:
    books = Books(SAMPLE)
    books.batch(deal())
    books.batch(deal(2, status=DealStatus.CANCELLED))
    assert cells(books, "ann") == [("direct", "Q1", "0.00", "0.00", 0)]
    assert of(books, "ann").version == 2


# ---- where it is booked ----


@pytest.mark.parametrize(
    ("locked", "booking_period", "kind"),
    [
        ((), "Q1", EntryKind.EARNED),
        (("Q1",), "Q2", EntryKind.ADJUSTMENT),
        (("Q1", "Q2"), "Q3", EntryKind.ADJUSTMENT),
        (("Q2",), "Q1", EntryKind.EARNED),
    ],
)
def test_money_of_a_locked_period_is_booked_into_the_first_open_one_after_it(
    locked: tuple[str, ...], booking_period: str, kind: EntryKind
) -> None:
    entries = Books(company(periods=periods(*locked))).batch(deal())
    assert {(one.origin_period, one.booking_period, one.kind) for one in entries} == {
        ("Q1", booking_period, kind)
    }


def test_where_no_period_is_open_nothing_is_booked() -> None:
    books = Books(company(periods=periods("Q1", "Q2", "Q3", "Q4")))
    with pytest.raises(NoOpenPeriod, match="no period is open from Q1 on"):
        books.batch(deal())


# ---- reference data change ----


def test_a_new_quota_is_an_entry_of_pay_alone() -> None:
    books = Books(SAMPLE)
    books.batch(deal(amount="8000.00"))
    entries = books.refer(company(quotas=(*quota("ann", "5000"), *quota("mia", "30000"))))
    assert earned(entries, "ann") == [("direct", "0.00", "35.00")]  # 50 + 2,500 x 2 % + 500 x 3 %
    assert cells(books, "ann") == [("direct", "Q1", "8000.00", "115.00", 1)]
    assert not [one for one in entries if one.payee_id == "mia"]  # nothing changed for her


def test_evaluating_again_without_a_change_books_nothing() -> None:
    books = Books(SAMPLE)
    books.batch(deal())
    with exact_arithmetic():
        account = of(books, "ann")
        step = accounts.evaluate(account, (), accounts.terms_of(account, SAMPLE), Cause.COMMAND)
    assert step.entries == () and step.account is account


def test_a_plan_that_counts_other_credits_is_rebuilt_from_the_credits_in_force() -> None:
    other = plan(
        "sales",
        component("split_only", "split", table(("0", "0.05")), headline=True),
        component("direct", "owner", table(("0", "0.10"))),
        version=2,
    )
    books = Books(SAMPLE)
    books.batch(deal(key="1"), deal(key="2", splits=(split("ANN", "1"),)))
    assert cells(books, "ann") == [("direct", "Q1", "8000.00", "80.00", 2)]
    entries = books.refer(company(plans=(published(other), *SAMPLE.rows.plans[1:])))
    assert earned(entries, "ann") == [
        ("direct", "-4000.00", "320.00"),
        ("split_only", "4000.00", "200.00"),
    ]
    assert {one.plan_version for one in entries if one.payee_id == "ann"} == {2}
    assert cells(books, "ann") == [
        ("direct", "Q1", "4000.00", "400.00", 1),
        ("split_only", "Q1", "4000.00", "200.00", 1),
    ]


def test_a_component_that_is_new_unsettles_an_account_whose_cells_earn_the_same() -> None:
    bonus = component("bonus", "owner", table(("0", "0.01")))
    more = plan("sales", *SALES.components, bonus, version=2)
    books = Books(SAMPLE)
    books.batch(deal())
    account, credits = of(books, "ann"), books.in_force("ann.FY24")
    now = company(plans=(published(more), *SAMPLE.rows.plans[1:]))
    with exact_arithmetic():
        terms = accounts.terms_of(account, now)
        (cell,) = account.positions
        assert set(accounts.payout_of(account.positions, terms).values()) == {cell.earned}
        assert not accounts.is_settled(account, credits, terms)
        assert accounts.is_settled(account, credits, accounts.terms_of(account, SAMPLE))


def test_a_new_assignment_inside_a_period_is_a_segment_with_tiers_of_its_own() -> None:
    flat = plan("flat", component("direct", "owner", table(("0", "0.10")), headline=True))
    world = company(
        plans=(*SAMPLE.rows.plans, published(flat)),
        assignments=(
            assigned("ann", "sales", until="2024-02-15"),
            assigned("ann", "flat", since="2024-02-15"),
        ),
    )
    books = Books(world)
    entries = books.batch(
        deal(key="1", closed_on=day("2024-02-14")), deal(key="2", closed_on=day("2024-02-15"))
    )
    assert [one.segment for one in of(books, "ann").positions] == [
        "ann-flat-2024-02-15",
        "ann-sales-2024-01-01",
    ]
    ids = [one.entry_id for one in entries]
    assert len(set(ids)) == len(ids)  # both components are called "direct"
    with exact_arithmetic():
        terms = accounts.terms_of(of(books, "ann"), world)
        shown = attainment(of(books, "ann"), PeriodId("Q1"), terms)
    assert shown.credited == 8000  # both count for attainment
    assert shown.ratio == Decimal("0.8")


@pytest.mark.parametrize(
    ("starts_on", "rate"),
    [
        ("2024-01-01", "0.07"),  # in force on the first day
        ("2024-01-02", "0.05"),  # starts inside the period: acts from the next one on
        ("2024-04-01", "0.05"),
    ],
)
def test_a_period_is_paid_by_one_version_of_the_plan(starts_on: str, rate: str) -> None:
    def version(number: int, pays: str) -> Any:
        counted = component("direct", "owner", table(("0", pays)), headline=True)
        return plan("sales", counted, version=number)

    plans = [published(version(2, "0.07"), since=starts_on)]
    if starts_on > "2024-01-01":
        plans.append(published(version(1, "0.05"), until=starts_on))
    books = Books(company(plans=tuple(plans)))
    books.batch(deal(amount="100.00", closed_on=day("2024-03-31")))
    assert of(books, "ann").positions[0].earned == 100 * Decimal(rate)


# ---- what is shown ----


def test_attainment_and_positions_as_published() -> None:
    books = Books(SAMPLE)
    books.batch(deal(key="1", amount="9999.99"), deal(key="2", splits=(split("BOB", "1"),)))
    with exact_arithmetic():
        ann = accounts.terms_of(of(books, "ann"), SAMPLE)
        shown = attainment(of(books, "ann"), PeriodId("Q1"), ann)
        (state,) = position_states(of(books, "ann"), ann)
        vic = accounts.terms_of(of(books, "vic"), SAMPLE)
        nothing = attainment(of(books, "vic"), PeriodId("Q1"), vic)
    assert (shown.credited, shown.ratio) == (Decimal("9999.99"), Decimal("0.999999"))
    assert (state.credited, state.quota, state.attainment_ratio) == ("9999.99", "10000", "0.999999")
    assert state.counts_for_attainment
    assert (nothing.quota, nothing.ratio) == (None, None)  # no quota: no ratio
    assert nothing.credited == Decimal("13999.99")


def test_terms_can_be_read_where_nothing_can_be_booked() -> None:
    """A page of a year whose periods are all locked needs no open one."""
    books = Books(SAMPLE)
    books.batch(deal())
    shut = company(periods=periods("Q1", "Q2", "Q3", "Q4"))
    with exact_arithmetic():
        assert position_states(of(books, "ann"), accounts.terms_of(of(books, "ann"), shut))


def test_an_account_opens_empty() -> None:
    books = Books(SAMPLE)
    books.batch(deal())
    account = accounts.opened(books.credits[0], SAMPLE)
    assert account == AccountState(
        account_id=AccountId("ann.FY24"), payee_id=account.payee_id, plan_year=account.plan_year,
        currency="USD",
    )  # fmt: skip
    assert SALES.components[0].counts_for_attainment
