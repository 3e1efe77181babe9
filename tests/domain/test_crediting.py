"""Who is credited for what: tables that read like a list of credits."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from domain import crediting
from domain.exact import exact_arithmetic
from domain.reference import Reference
from domain.splitting import shares as shares_of
from schemas.ids import DealId, PayeeId
from schemas.messages import Cause, DealLine, DealStatus
from schemas.reference import CreditingRule, FxRate, PayeeKey, PersonRole
from schemas.state import Credit, DealState
from tests.domain.builders import (
    Books,
    assigned,
    at,
    company,
    day,
    deal,
    line,
    periods,
    person,
    quota,
    split,
)

SAMPLE = company()


def shown(credits: Sequence[Credit]) -> list[str]:
    """'ann owner 4000.00 in Q1' for each credit, in the order booked."""
    return [
        f"{one.payee_id} {one.role.value} {one.amount} in {one.origin_period}" for one in credits
    ]


def credited(reference: Reference = SAMPLE, **changes: Any) -> list[str]:
    books = Books(reference)
    books.batch(deal(**changes))
    return shown(books.credits)


def held(reference: Reference = SAMPLE, **changes: Any) -> list[str]:
    books = Books(reference)
    books.batch(deal(**changes))
    (state,) = books.deals.values()
    return [
        f"{one.payee_key} {one.role.value} {one.amount}: {one.reason.value}" for one in state.held
    ]


# ---- owner, splits, overlays, roll-ups ----


def test_the_owner_has_all_of_it_and_each_manager_above_one_rollup() -> None:
    assert credited(amount="4000.1234") == [  # a sole credit keeps the source's precision
        "ann owner 4000.1234 in Q1",
        "mia rollup 4000.1234 in Q1",
        "vic rollup 4000.1234 in Q1",
    ]


def test_a_manager_above_two_shares_has_their_sum_as_one_credit() -> None:
    assert credited(splits=(split("ANN", "0.6"), split("BOB", "0.4"))) == [
        "ann split 2400.00 in Q1",
        "mia rollup 4000.00 in Q1",
        "vic rollup 4000.00 in Q1",
        "bob split 1600.00 in Q1",
    ]


def test_overlays_come_on_top_and_do_not_roll_up() -> None:
    assert credited(splits=(split("BOB", "0.25", "overlay"),)) == [
        "ann owner 4000.00 in Q1",
        "mia rollup 4000.00 in Q1",
        "vic rollup 4000.00 in Q1",
        "bob overlay 1000.00 in Q1",
    ]


def test_a_managers_own_deal_rolls_up_to_his_manager_only() -> None:
    assert credited(owner_key="MIA") == ["mia owner 4000.00 in Q1", "vic rollup 4000.00 in Q1"]


@pytest.mark.parametrize(
    ("amount", "currency", "shares", "amounts"),
    [
        ("100.00", "USD", [("0.3333", False), ("0.3333", False), ("0.3334", False)],
         ["33.33", "33.33", "33.34"]),
        ("0.01", "USD", [("0.5", False), ("0.5", False)], ["0.00", "0.01"]),  # the last takes it
        ("0.01", "USD", [("0.5", True), ("0.5", False)], ["0.01", "0.00"]),  # the stated one does
        ("10", "USD", [("0.335", False), ("0.665", False)], ["3.35", "6.65"]),  # cents at least
        ("10", "JPY", [("0.335", False), ("0.665", False)], ["3", "7"]),
        ("0.0003", "USD", [("0.5", False), ("0.5", False)], ["0.0002", "0.0001"]),  # its own places
        ("-100.01", "USD", [("0.5", False), ("0.5", False)], ["-50.00", "-50.01"]),
    ],
)  # fmt: skip
def test_splits_are_rounded_and_sum_to_the_deal(
    amount: str, currency: str, shares: list[tuple[str, bool]], amounts: list[str]
) -> None:
    keys = ("ANN", "BOB", "MIA")
    splits = tuple(
        split(key, share, remainder=takes)
        for key, (share, takes) in zip(keys, shares, strict=False)
    )
    with exact_arithmetic():
        found = shares_of(deal(amount=amount, currency=currency, splits=splits))
    assert [str(one.amount) for one in found] == amounts
    assert sum(one.amount for one in found) == Decimal(amount)


def test_splits_are_rounded_line_by_line() -> None:
    """Three lines of 0.01 halved: each 0.00 (half-even), so the last share takes 0.03."""
    lines = tuple(DealLine(amount="0.01") for _ in range(3))
    halves = (split("ANN", "0.5"), split("BOB", "0.5"))
    found = credited(amount="0.03", lines=lines, splits=halves)
    assert found[0] == "ann split 0.00 in Q1"
    assert "bob split 0.03 in Q1" in found


def test_two_keys_of_one_person_are_one_credit() -> None:
    keys = (*SAMPLE.rows.payee_keys, PayeeKey(source="crm", key="ANN2", payee_id=PayeeId("ann")))
    halves = (split("ANN", "0.5"), split("ANN2", "0.5"))
    assert credited(company(payee_keys=keys), splits=halves)[0] == "ann split 4000.00 in Q1"


def test_a_foreign_amount_is_converted_unrounded_at_the_rate_of_its_date() -> None:
    rates = (
        FxRate(currency="EUR", starts_on=day("2024-01-01"), rate=Decimal("1.08")),
        FxRate(currency="EUR", starts_on=day("2024-02-01"), rate=Decimal("1.0831")),
        FxRate(currency="EUR", starts_on=day("2024-02-02"), rate=Decimal("2")),
    )
    found = credited(company(fx_rates=rates), amount="100.01", currency="EUR")
    assert found[0] == "ann owner 108.320831 in Q1"


def test_a_ring_of_managers_ends() -> None:
    ring = (line("ann", "mia"), line("mia", "vic"), line("vic", "ann"))
    found = credited(company(reporting_lines=ring))
    assert [text.split()[0] for text in found] == ["ann", "mia", "vic"]


def test_a_manager_without_a_plan_is_counted_in_the_unassigned_segment() -> None:
    books = Books(SAMPLE)
    books.batch(deal())
    assert [one.segment for one in books.credits] == [
        "ann-sales-2024-01-01",
        "mia-manage-2024-01-01",
        "unassigned",
    ]


# ---- dates ----


@pytest.mark.parametrize(
    ("closed_on", "closed_at", "period", "closed_day"),
    [
        ("2024-03-31", None, "Q1", "2024-03-31"),
        ("2024-04-01", None, "Q2", "2024-04-01"),  # half-open: the first day is the next one's
        (None, "2024-04-01T03:59:59+00:00", "Q1", "2024-03-31"),  # still March in New York
        (None, "2024-04-01T04:00:00+00:00", "Q2", "2024-04-01"),
        ("2024-03-31", "2024-04-01T04:00:00+00:00", "Q1", "2024-03-31"),  # the source's date counts
    ],
)
def test_a_date_belongs_to_exactly_one_period(
    closed_on: str | None, closed_at: str | None, period: str, closed_day: str
) -> None:
    books = Books(SAMPLE)
    books.batch(
        deal(
            closed_on=day(closed_on) if closed_on else None,
            closed_at=at(closed_at) if closed_at else None,
        )
    )
    first = books.credits[0]
    assert (first.origin_period, str(first.closed_on)) == (period, closed_day)
    instant = at(closed_at) if closed_at else dt.datetime.fromisoformat(f"{closed_day}T04:00+00:00")
    assert first.closed_at == instant


# ---- held, not eligible, not counted ----

ONLINE = CreditingRule(rule_id="online", when={"channel": "online"}, reason="No seller.")


@pytest.mark.parametrize(
    ("world", "changes", "waiting"),
    [
        ({}, {"owner_key": None}, ["None owner 4000.00: no_owner"]),
        ({}, {"owner_key": "ZOE"}, ["ZOE owner 4000.00: unknown_payee"]),
        (
            {"people": (person("ann", ends_on="2024-02-01"), person("mia"), person("vic"))},
            {},
            ["ANN owner 4000.00: unknown_payee"],  # he left that day
        ),
        ({"assignments": ()}, {}, ["ANN owner 4000.00: no_plan"]),
        ({"plans": ()}, {}, ["ANN owner 4000.00: no_plan"]),
        (
            {"assignments": (assigned("ann", "sales", since="2024-02-02"),)},
            {},
            ["ANN owner 4000.00: no_plan"],
        ),
        ({"periods": periods()[1:]}, {}, ["ANN owner 4000.00: no_quota_period"]),
        ({"quotas": ()}, {}, ["ANN owner 4000.00: no_quota"]),
        ({"quotas": quota("ann", "0")}, {}, ["ANN owner 4000.00: no_quota"]),
        ({"quotas": ()}, {"owner_key": "MIA"}, []),  # his plan pays by amount
        ({}, {"currency": "XTS"}, ["ANN owner 4000.00: unknown_currency"]),
        ({}, {"currency": "EUR"}, ["ANN owner 4000.00: no_exchange_rate"]),
        (
            {},  # each share waits by itself
            {"splits": (split("ANN", "0.75"), split("ZOE", "0.25"), split("YAN", "1", "overlay"))},
            ["ZOE split 1000.00: unknown_payee", "YAN overlay 4000.00: unknown_payee"],
        ),
    ],
)
def test_what_nobody_can_be_credited_for_waits_with_its_reason(
    world: dict[str, Any], changes: dict[str, Any], waiting: list[str]
) -> None:
    assert held(company(**world), **changes) == waiting


def test_an_overlay_needs_no_quota_where_its_component_has_no_attainment_table() -> None:
    only_bob = company(quotas=quota("ann", "10000"))
    found = credited(only_bob, splits=(split("BOB", "0.25", "overlay"),))
    assert "bob overlay 1000.00 in Q1" in found
    assert held(only_bob, splits=(split("BOB", "1"),)) == ["BOB split 4000.00: no_quota"]


def test_a_share_that_waits_does_not_roll_up_and_the_others_are_credited() -> None:
    found = credited(splits=(split("ANN", "0.75"), split("ZOE", "0.25")))
    assert found == [
        "ann split 3000.00 in Q1",
        "mia rollup 3000.00 in Q1",
        "vic rollup 3000.00 in Q1",
    ]


def test_each_hold_says_what_is_missing() -> None:
    books = Books(SAMPLE)
    books.batch(deal(owner_key="ZOE"))
    assert books.deals["crm:1"].held[0].detail == "key 'ZOE' of source 'crm' belongs to no payee"


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "online"},
        {"channel": "online", "owner_key": None},  # excluded before anybody is missed
        {"channel": "online", "closed_on": day("1999-01-01")},  # whatever its date
        {"channel": "online", "currency": "XTS"},
    ],
)
def test_not_eligible_is_judged_first_and_is_not_held(changes: dict[str, Any]) -> None:
    books = Books(company(crediting_rules=(ONLINE,)))
    books.batch(deal(**changes))
    state = books.deals["crm:1"]
    assert not state.held and not state.credits
    assert state.not_eligible is not None and state.not_eligible.reason == "No seller."


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        ([({"channel": "online"}, 9), ({"channel": "online", "type": "new"}, 0)], "r1"),
        ([({"channel": "online"}, 1), ({"type": "new"}, 2)], "r1"),
        ([({"channel": "online"}, 1), ({"type": "new"}, 1)], "r0"),
        ([({"channel": "shop"}, 1), ({"category": "parts"}, 1)], "r1"),
        ([({"colour": "red"}, 1)], None),  # an unknown key matches nothing
    ],
)
def test_the_most_specific_rule_then_the_higher_priority_gives_the_reason(
    rules: list[tuple[dict[str, str], int]], winner: str | None
) -> None:
    rows = tuple(
        CreditingRule(rule_id=f"r{index}", when=when, reason="", priority=priority)
        for index, (when, priority) in enumerate(rules)
    )
    lines = (DealLine(amount="4000.00", category="parts"),)
    rule = company(crediting_rules=rows).rule_excluding(
        deal(channel="online", type="new", lines=lines)
    )
    assert (rule.rule_id if rule else None) == winner


@pytest.mark.parametrize("status", [DealStatus.OPEN, DealStatus.LOST, DealStatus.CANCELLED])
def test_only_won_deals_are_credited(status: DealStatus) -> None:
    assert credited(status=status) == []
    assert held(status=status, owner_key=None) == []


# ---- corrections ----


def test_a_correction_is_a_reversal_and_a_new_credit() -> None:
    books = Books(SAMPLE)
    books.batch(deal(1))
    books.batch(deal(2, amount="5000.00"))
    changed = books.credits[3:]
    assert shown(changed) == [
        "ann owner -4000.00 in Q1",
        "mia rollup -4000.00 in Q1",
        "vic rollup -4000.00 in Q1",
        "ann owner 5000.00 in Q1",
        "mia rollup 5000.00 in Q1",
        "vic rollup 5000.00 in Q1",
    ]
    assert [one.ordinal for one in changed] == [2, 2, 2, 3, 3, 3]
    assert changed[0].reverses == books.credits[0].credit_id
    assert {one.deal_revision for one in changed} == {2}
    assert {one.cause for one in changed} == {Cause.DEAL_CHANGED}


def test_credit_reversal_and_credit_again_have_ids_of_their_own() -> None:
    books = Books(SAMPLE)
    books.batch(deal(1))
    books.batch(deal(2, status=DealStatus.CANCELLED))
    books.batch(deal(3))
    ids = [one.credit_id for one in books.credits]
    assert len(set(ids)) == len(ids) == 9
    assert [one.cause for one in books.credits[::3]] == [
        Cause.DEAL_CREDITED,
        Cause.DEAL_CANCELLED,
        Cause.DEAL_CHANGED,
    ]


def test_a_revision_that_changes_nothing_that_counts_books_nothing() -> None:
    books = Books(SAMPLE)
    books.batch(deal(1))
    assert books.batch(deal(2, name="Renamed", amount="4000.0")) == ()
    assert len(books.credits) == 3
    assert {one.deal_revision for one in books.deals["crm:1"].credits} == {1}


def test_a_back_dated_change_of_owner_moves_credit_between_payees_and_periods() -> None:
    books = Books(SAMPLE)
    books.batch(deal(1, closed_on=day("2024-04-02")))
    books.batch(deal(2, closed_on=day("2024-03-28"), owner_key="BOB"))
    assert shown(books.credits[3:]) == [
        "ann owner -4000.00 in Q2",
        "mia rollup -4000.00 in Q2",
        "vic rollup -4000.00 in Q2",
        "bob owner 4000.00 in Q1",
        "mia rollup 4000.00 in Q1",
        "vic rollup 4000.00 in Q1",
    ]


def test_a_reversal_stays_in_the_period_and_segment_of_what_it_takes_back() -> None:
    books = Books(SAMPLE)
    books.batch(deal(1))
    then = company(assignments=(assigned("ann", "sales", since="2024-01-02"),))
    books.refer(then)
    (taken, given) = [one for one in books.credits[3:] if one.payee_id == "ann"]
    assert (taken.segment, given.segment) == ("ann-sales-2024-01-01", "ann-sales-2024-01-02")
    assert {one.cause for one in books.credits[3:]} == {Cause.REFERENCE_CHANGED}


def test_a_held_share_is_credited_by_itself_once_the_cause_is_gone() -> None:
    books = Books(company(quotas=()))
    books.batch(deal())
    assert books.credits == []
    books.refer(SAMPLE)
    assert shown(books.credits)[0] == "ann owner 4000.00 in Q1"
    assert books.deals["crm:1"].held == ()


def test_accounts_touched_are_sorted_and_each_once() -> None:
    with exact_arithmetic():
        books = Books(SAMPLE)
        books.batch(deal())
        step = crediting.credit(books.deals["crm:1"], SAMPLE, Cause.COMMAND)
        assert crediting.accounts_of(step) == ()
        again = crediting.CreditStep(step.state, tuple(books.credits))
        assert crediting.accounts_of(again) == ("ann.FY24", "mia.FY24", "vic.FY24")


def test_crediting_outside_exact_arithmetic_is_a_broken_promise() -> None:
    with pytest.raises(AssertionError, match="exact_arithmetic"):
        crediting.credit(DealState(deal_id=DealId("crm:1")), SAMPLE, Cause.COMMAND)


def test_a_person_of_any_role_can_be_credited() -> None:
    people = (person("ann", PersonRole.EXECUTIVE), *SAMPLE.rows.people[1:])
    assert credited(company(people=people))[0] == "ann owner 4000.00 in Q1"
