"""The generators reach what they must, and each law fails where its rule is broken on purpose."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain import accounts, crediting, pay, revisions, splitting, statements
from domain.reference import Reference
from domain.revisions import Outcome
from schemas.messages import Cause, EntryKind, Role
from schemas.money import ZERO
from schemas.state import Credit, Facet, HoldReason, Position
from tests.domain.builders import Books
from tests.laws import test_laws as laws
from tests.laws.test_laws import booked, law, references
from tests.laws.world import LATER, LOCKED, USUAL, histories, history


def reached(books: Books) -> set[str]:
    """Names of what has happened in these books."""
    states = list(books.deals.values())
    found = {one.reason.value for state in states for one in state.held}
    found |= {one.value for one in books.outcomes} | {one.cause.value for one in books.credits}
    found |= {one.kind.value for one in books.entries} | {one.role.value for one in books.credits}
    found |= {f"facets={len(state.facets)}" for state in states}
    found |= {"not eligible" for state in states if state.not_eligible}
    found |= {f"in {state.facets[0].content.currency}" for state in states if state.credits}
    cells = [one for account in books.accounts.values() for one in account.positions]
    found |= {_of_cell(one, books.reference) for one in cells}
    found |= {"a cell of several credits" for one in cells if one.credits > 2}
    found |= {"partly held" for state in states if state.held and state.credits}
    found |= {"one roll-up of two shares" for state in states if _is_shared(state.credits)}
    found |= {"split by line" for state in states if _is_split_by_line(state.facets, state.credits)}
    return found


def _of_cell(cell: Position, reference: Reference) -> str:
    if cell.segment == "unassigned":
        return "unassigned"
    if cell.credited < 0:
        return "below zero"
    quota = reference.quota_of(_payee(cell), cell.period_id)
    return "above quota" if quota and cell.credited > quota else "below quota"


def _payee(cell: Position) -> Any:
    return cell.segment.partition("-")[0]


def _is_shared(credits: tuple[Credit, ...]) -> bool:
    shares = [one.amount for one in credits if one.role is Role.SPLIT]
    return any(one.role is Role.ROLLUP and one.amount not in (*shares, ZERO) for one in credits)


def _is_split_by_line(facets: tuple[Facet, ...], credits: tuple[Credit, ...]) -> bool:
    has_lines = any(len(facet.content.lines) > 1 for facet in facets)
    return has_lines and sum(one.role is Role.SPLIT for one in credits) > 1


def test_the_generators_reach_every_trap() -> None:
    seen: set[str] = set()
    for seed in range(120):
        found = history(seed, 25)
        books = booked(found, (USUAL, LOCKED, LATER)[seed % 3])
        books.batch(found[0])
        seen |= reached(books)
        books.refer((LATER, USUAL)[seed % 2])
        seen |= reached(books)
    wanted = {one.value for one in (*HoldReason, *Outcome, *Role)}
    wanted |= {one.value for one in Cause} - {Cause.COMMAND.value}
    wanted |= {EntryKind.EARNED.value, EntryKind.ADJUSTMENT.value}
    wanted |= {"facets=2", "not eligible", "in USD", "in EUR", "in JPY", "in GBP", "unassigned"}
    wanted |= {"below zero", "above quota", "below quota", "partly held"}
    wanted |= {"a cell of several credits"}
    wanted |= {"one roll-up of two shares", "split by line"}
    assert wanted <= seen, wanted - seen


# ---- planted bugs ----

Bug = Callable[[pytest.MonkeyPatch], None]


def the_last_to_arrive_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(revisions, "_rank", lambda facet: (0, facet.seen.digest))


def the_first_of_equal_revisions_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(revisions, "_rank", lambda facet: (facet.seen.revision, ""))


def other_sources_are_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(revisions, "_filled", lambda owner, others: owner)


def names_are_looked_up_in_the_wrong_book(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(crediting, "people_source", lambda state: "crm")


def what_left_is_not_reversed(patch: pytest.MonkeyPatch) -> None:
    right = crediting._difference

    def wrong(*args: Any) -> Any:
        kept, _, missing = right(*args)
        return kept, [], missing

    patch.setattr(crediting, "_difference", wrong)


def a_lone_manager_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reference, "_climb", lambda self, payee_id, day: ())


def pay_is_per_batch(patch: pytest.MonkeyPatch) -> None:
    right = accounts._moved

    def wrong(before: Position, change: Any, by: Any) -> Position:
        alone = right(msgspec.structs.replace(before, credited=ZERO), change, by)
        earned = before.earned + alone.earned
        return msgspec.structs.replace(right(before, change, by), earned=earned)

    patch.setattr(accounts, "_moved", wrong)


def lines_are_rounded_alone(patch: pytest.MonkeyPatch) -> None:
    def wrong(credits: Any, terms: Any) -> Any:
        return tuple(
            statements._line(1, place, pay.payout(place.credit.amount, place.part.ladder))
            for place in statements._places(credits, terms)
        )

    patch.setattr(statements, "lines", wrong)


def the_remainder_is_lost(patch: pytest.MonkeyPatch) -> None:
    def wrong(splits: Any, lines: Any) -> Any:
        return [
            splitting.Share(one.payee_key, Role.SPLIT, splitting._worth(one, lines))
            for one in splits
        ]

    patch.setattr(splitting, "_splits", wrong)


def locked_periods_take_money(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reference, "first_open_period", lambda self, period: period)


def reversals_are_rounded(patch: pytest.MonkeyPatch) -> None:
    right = crediting._reversal

    def wrong(*args: Any) -> Credit:
        credit = right(*args)
        return msgspec.structs.replace(credit, amount=Decimal(format(credit.amount, ".2f")))

    patch.setattr(crediting, "_reversal", wrong)


def accounts_are_not_evaluated_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Books, "_reaccrue", lambda self, account_id: ())


LAW_1 = laws.test_law_1_any_order_batching_and_duplication_give_the_oracles_numbers
LAW_2 = laws.test_law_2_a_statement_is_the_sum_of_its_lines_and_of_its_entries
LAW_3 = laws.test_law_3_what_is_earned_is_payout_from_scratch
LAW_4 = laws.test_law_4_direct_shares_credited_and_held_sum_to_what_the_deal_is_worth
LAW_5 = laws.test_law_5_earned_money_by_origin_does_not_depend_on_a_lock
LAW_8 = laws.test_law_8_cancelling_every_deal_brings_every_balance_back_to_zero
LAW_9 = laws.test_law_9_a_change_of_reference_data_ends_where_it_would_have_from_the_start
STATES = st.permutations((USUAL, LOCKED, LATER))


@pytest.mark.parametrize(
    ("plant", "broken", "given_by"),
    [
        (the_last_to_arrive_wins, LAW_1, (histories, references, st.data())),
        (the_first_of_equal_revisions_wins, LAW_1, (histories, references, st.data())),
        (other_sources_are_ignored, LAW_1, (histories, references, st.data())),
        (names_are_looked_up_in_the_wrong_book, LAW_1, (histories, references, st.data())),
        (what_left_is_not_reversed, LAW_1, (histories, references, st.data())),
        (a_lone_manager_is_forgotten, LAW_1, (histories, references, st.data())),
        (lines_are_rounded_alone, LAW_2, (histories, references)),
        (pay_is_per_batch, LAW_3, (histories, references)),
        (the_remainder_is_lost, LAW_4, (histories, references)),
        (locked_periods_take_money, LAW_5, (histories,)),
        (reversals_are_rounded, LAW_8, (histories, references)),
        (accounts_are_not_evaluated_again, LAW_9, (histories, STATES)),
    ],
)
def test_a_planted_bug_breaks_the_law(
    plant: Bug, broken: Any, given_by: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for reference in (USUAL, LOCKED, LATER):
        reference.memo.clear()
        monkeypatch.setattr(reference, "_managers", {})
    plant(monkeypatch)
    only_generate = settings(law, phases=(Phase.generate,))
    try:
        with pytest.raises((AssertionError, KeyError, BaseExceptionGroup)):
            only_generate(given(*given_by)(broken.hypothesis.inner_test))()  # type: ignore[no-untyped-call]
    finally:
        for reference in (USUAL, LOCKED, LATER):
            reference.memo.clear()
