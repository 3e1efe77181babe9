"""The laws of the design that the domain alone must keep, against the oracle."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import accounts, contract, statements
from domain.exact import exact_arithmetic
from domain.progress import attainment
from domain.reference import Reference
from schemas.messages import DealChanged, DealStatus, EntryKind
from schemas.state import Credit, DealState, Line
from tests.domain.builders import Books, deal
from tests.laws import oracle
from tests.laws.world import LATER, LOCKED, USUAL, histories

references = st.sampled_from((USUAL, LOCKED, LATER))
law = settings(
    max_examples=int(os.environ.get("LAW_EXAMPLES", "120")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def booked(history: Sequence[DealChanged], reference: Reference, *sizes: int) -> Books:
    """The books after the history in batches of these sizes, the rest one by one."""
    books, rest = Books(reference), list(history)
    for size in sizes:
        books.batch(*rest[:size])
        rest = rest[size:]
    for change in rest:
        books.batch(change)
    return books


def truth_of(history: Sequence[DealChanged], reference: Reference) -> oracle.Truth:
    records = [(change, contract.content_digest(change)) for change in history]
    return oracle.truth(records, reference.rows)


def net_credits(credits: Sequence[Credit]) -> dict[oracle.CreditKey, Fraction]:
    """The sum of all rows ever booked, reversals included."""
    sums: dict[oracle.CreditKey, Fraction] = defaultdict(Fraction)
    counts: Counter[oracle.CreditKey] = Counter()
    for one in credits:
        key = _key(one)
        sums[key] += Fraction(one.amount)
        counts[key] += 1 if one.reverses is None else -1
    assert all(count in (0, 1) for count in counts.values())
    return {key: amount for key, amount in sums.items() if counts[key]}


def _key(one: Credit) -> oracle.CreditKey:
    names = (one.deal_id, one.payee_id, one.role.value)
    return (*names, one.account_id, one.origin_period, one.segment)


def assert_true(books: Books, truth: oracle.Truth) -> None:
    """Everything the books say is what the oracle says."""
    assert net_credits(books.credits) == truth.credits
    in_force = {_key(one) for state in books.deals.values() for one in state.credits}
    assert in_force == set(truth.credits)
    assert cells(books) == truth.cells
    with exact_arithmetic():
        assert_attained(books, truth)
    assert held(books) == {deal_id: Counter(shares) for deal_id, shares in truth.held.items()}
    excluded = {name for name, state in books.deals.items() if state.not_eligible}
    assert excluded == truth.not_eligible


def cells(books: Books) -> dict[oracle.CellKey, tuple[Fraction, Fraction]]:
    """Credited and earned of every cell that has a credit in force."""
    return {
        (account.account_id, cell.segment, cell.component, cell.period_id): (
            Fraction(cell.credited),
            Fraction(cell.earned),
        )
        for account in books.accounts.values()
        for cell in account.positions
        if cell.credits or cell.credited or cell.earned
    }


def assert_attained(books: Books, truth: oracle.Truth) -> None:
    """The headline of every payee and period is the oracle's; where that has none, it is 0."""
    for account in books.accounts.values():
        terms = accounts.terms_of(account, books.reference)
        for period in {cell.period_id for cell in account.positions}:
            shown = attainment(account, period, terms)
            true = truth.attained.get((account.payee_id, period), Fraction(0))
            assert Fraction(shown.credited) == true
            quota = oracle.quota_of(books.reference.rows, account.payee_id, period)
            assert (None if shown.quota is None else Fraction(shown.quota)) == quota
            ratio = None if quota is None else Fraction(floor(true / quota * 10**6), 10**6)
            assert (None if shown.ratio is None else Fraction(shown.ratio)) == ratio


def held(books: Books) -> dict[str, Counter[tuple[str | None, str, str, Fraction]]]:
    return {
        name: Counter(
            (one.payee_key, one.role.value, one.reason.value, Fraction(one.amount))
            for one in state.held
        )
        for name, state in books.deals.items()
        if state.held
    }


# ---- law 1 ----


@law
@given(histories, references, st.data())
def test_law_1_any_order_batching_and_duplication_give_the_oracles_numbers(
    history: list[DealChanged], reference: Reference, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=4))
    again = data.draw(st.lists(st.sampled_from(history), max_size=5))
    shuffled = data.draw(st.permutations([*history, *again]))
    truth = truth_of(history, reference)
    assert_true(booked(history, reference, len(history)), truth)
    assert_true(booked(shuffled, reference, *sizes), truth)


# ---- law 2 ----


@law
@given(histories, references)
def test_law_2_a_statement_is_the_sum_of_its_lines_and_of_its_entries(
    history: list[DealChanged], reference: Reference
) -> None:
    books = booked(history, reference)
    for account in books.accounts.values():
        terms = accounts.terms_of(account, reference)
        for period in {cell.period_id for cell in account.positions}:
            own = [one for one in books.in_force(account.account_id) if one.origin_period == period]
            with exact_arithmetic():
                lines = statements.lines(own, terms)
            _assert_sums(books, account.account_id, period, lines)
            named = {(one.deal_id, one.deal_source, one.deal_revision) for one in own}
            for line in lines:
                assert (line.deal_id, line.deal_source, line.deal_revision) in named
                by = terms.of(line.segment, line.origin_period)
                assert (line.plan_id, line.plan_version) == (by.plan_id, by.plan_version)


def _assert_sums(books: Books, account_id: str, period: str, lines: Sequence[Line]) -> None:
    entries = [
        one for one in books.entries if one.account_id == account_id and one.origin_period == period
    ]
    account = books.accounts[account_id]
    for cell in (one for one in account.positions if one.period_id == period):
        name = (cell.segment, cell.component)
        by_line = [one for one in lines if (one.segment, one.component) == name]
        by_entry = [one for one in entries if (one.segment, one.component) == name]
        assert sum(one.earned for one in by_line) == cell.earned
        assert sum(one.earned for one in by_entry) == cell.earned
        assert sum(one.credited for one in by_line) == cell.credited
        assert sum(one.credited for one in by_entry) == cell.credited
        assert by_entry[-1].earned_after == cell.earned
    assert len({one.entry_id for one in books.entries}) == len(books.entries)
    assert len({one.credit_id for one in books.credits}) == len(books.credits)


# ---- law 3 ----


@law
@given(histories, references)
def test_law_3_what_is_earned_is_payout_from_scratch(
    history: list[DealChanged], reference: Reference
) -> None:
    books = booked(history, reference)
    for account in books.accounts.values():
        with exact_arithmetic():
            terms = accounts.terms_of(account, reference)
            scratch = accounts.payout_of(account.positions, terms)
        for cell in account.positions:
            assert scratch[cell.segment, cell.component, cell.period_id] == cell.earned
    assert cells(books) == truth_of(history, reference).cells  # and by who shares no code with it


# ---- law 4 ----


@law
@given(histories, references)
def test_law_4_direct_shares_credited_and_held_sum_to_what_the_deal_is_worth(
    history: list[DealChanged], reference: Reference
) -> None:
    books = booked(history, reference)
    worth = truth_of(history, reference).worth
    for state in books.deals.values():
        assert_worth(state, worth.get(state.deal_id))


def assert_worth(state: DealState, worth: tuple[Fraction, Fraction | None] | None) -> None:
    """Direct shares sum to the deal's amount, in the company's currency as far as credited."""
    if worth is None:  # not won, or not eligible
        assert not state.credits and not state.held
        return
    amount, rate = worth
    direct = ("owner", "split")
    credited = sum(Fraction(one.amount) for one in state.credits if one.role in direct)
    waiting = sum(Fraction(one.amount) for one in state.held if one.role in direct)
    if rate is None:
        assert (credited, waiting) == (0, amount)
    else:
        assert credited + waiting * rate == amount * rate


# ---- law 5 (the part that is the domain's) ----


@law
@given(histories)
def test_law_5_earned_money_by_origin_does_not_depend_on_a_lock(
    history: list[DealChanged],
) -> None:
    free, locked = booked(history, USUAL), booked(history, LOCKED)
    assert cells(free) == cells(locked)
    for entry in locked.entries:
        assert not oracle.is_locked(LOCKED.rows, entry.booking_period)
        is_late = oracle.is_locked(LOCKED.rows, entry.origin_period)
        assert entry.kind is (EntryKind.ADJUSTMENT if is_late else EntryKind.EARNED)


@law
@given(histories, histories)
def test_law_5_frozen_lines_and_corrections_sum_to_what_the_period_is_now(
    before: list[DealChanged], after: list[DealChanged]
) -> None:
    books = booked(before, USUAL)
    frozen = {name: list(lines_of(books, name)) for name in books.accounts}
    for change in after:
        books.batch(change)
        name = next(iter(books.accounts), None)
        if name is not None:  # a later statement freezes its corrections too
            known = frozen.setdefault(name, [])
            known.extend(statements.correction_lines(lines_of(books, name), known))
    for name in books.accounts:
        current, known = lines_of(books, name), frozen.get(name, [])
        all_lines = [*known, *statements.correction_lines(current, known)]
        assert sum_of(all_lines) == sum_of(current)
        assert not statements.correction_lines(current, all_lines)


def lines_of(books: Books, account_id: str, period: str = "24a") -> tuple[Line, ...]:
    own = [one for one in books.in_force(account_id) if one.origin_period == period]
    with exact_arithmetic():
        terms = accounts.terms_of(books.accounts[account_id], books.reference)
        return statements.lines(own, terms)


def sum_of(lines: Sequence[Line]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Credited and earned by component and segment, without those that come to nothing."""
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for one in lines:
        credited, earned = sums.get((one.component, one.segment), (Decimal(0), Decimal(0)))
        sums[one.component, one.segment] = (credited + one.credited, earned + one.earned)
    return {name: both for name, both in sums.items() if any(both)}


# ---- law 8 ----


@law
@given(histories, references)
def test_law_8_cancelling_every_deal_brings_every_balance_back_to_zero(
    history: list[DealChanged], reference: Reference
) -> None:
    books = booked(history, reference)
    endings = []
    for deal_id in books.deals:
        key = deal_id.partition(":")[2]
        endings.append(deal(99, key=key, deal_id=deal_id, status=DealStatus.CANCELLED))
    books.batch(*endings)
    for account in books.accounts.values():
        for cell in account.positions:
            assert not cell.credited and not cell.credits and not cell.earned
    assert not any(state.credits or state.held for state in books.deals.values())
    assert sum((one.earned for one in books.entries), Decimal(0)) == 0


# ---- law 9 ----


@law
@given(histories, st.permutations((USUAL, LOCKED, LATER)))
def test_law_9_a_change_of_reference_data_ends_where_it_would_have_from_the_start(
    history: list[DealChanged], states: list[Reference]
) -> None:
    books = booked(history, states[0])
    for reference in states[1:]:
        books.refer(reference)
    assert_true(books, truth_of(history, states[-1]))
