"""The set of revisions: whatever arrives first, and however often."""

from itertools import permutations
from typing import Any

import pytest

from domain.contract import content_digest
from domain.revisions import Outcome, merge, merged, people_source
from schemas.ids import DealId
from schemas.messages import DealChanged, DealStatus
from schemas.state import DealState
from tests.domain.builders import deal, split

NOTHING = DealState(deal_id=DealId("crm:1"))


def arrived(*changes: DealChanged) -> tuple[DealState, list[str]]:
    state, outcomes = NOTHING, []
    for change in changes:
        state, outcome = merge(state, change, content_digest(change))
        outcomes.append(outcome.value)
    return state, outcomes


OLD, NEW, NEWEST = deal(1), deal(2, amount="5000.00"), deal(10, amount="6000.00")
RIVAL = deal(2, amount="5000.01")
BILLING = deal(7, source="billing", key="i9", deal_id="crm:1", amount="1.00", owner_key="X")


@pytest.mark.parametrize(
    ("changes", "outcomes"),
    [
        ((OLD, NEW, NEWEST), ["new", "new", "new"]),
        ((NEWEST, OLD, NEW), ["new", "superseded", "superseded"]),
        ((OLD, OLD), ["new", "duplicate"]),
        ((NEW, OLD, OLD), ["new", "superseded", "duplicate"]),
        ((NEW, RIVAL), ["new", "conflict"]),
        ((RIVAL, NEW), ["new", "conflict"]),  # whichever wins
        ((NEW, RIVAL, NEW), ["new", "conflict", "duplicate"]),
        ((NEWEST, NEW, RIVAL), ["new", "superseded", "conflict"]),  # also among the old ones
        ((NEWEST, BILLING), ["new", "new"]),  # another source has an order of its own
    ],
)
def test_each_revision_has_its_outcome(
    changes: tuple[DealChanged, ...], outcomes: list[str]
) -> None:
    assert arrived(*changes)[1] == outcomes


def test_the_order_of_arrival_does_not_matter() -> None:
    states = [arrived(*order)[0] for order in permutations((OLD, NEW, RIVAL, BILLING))]
    assert all(state == states[0] for state in states)
    winner = max((NEW, RIVAL), key=content_digest)
    assert merged(states[0]).amount == winner.amount  # type: ignore[union-attr]


def test_a_duplicate_leaves_the_very_same_state() -> None:
    state, _ = arrived(OLD, NEW)
    assert merge(state, OLD, content_digest(OLD)).state is state
    assert merge(state, OLD, content_digest(OLD)).outcome is Outcome.DUPLICATE


def test_nothing_is_known_before_the_first() -> None:
    assert merged(NOTHING) is None


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        # the source that opened the deal owns what it says
        ({}, {"amount": "1.00", "owner_key": "X"}, {"amount": "4000.00", "owner_key": "ANN"}),
        # the other fills what it leaves out
        ({"owner_key": None}, {"owner_key": "X"}, {"owner_key": "X"}),
        ({}, {"channel": "online"}, {"channel": "online"}),
        # amount and lines, owner and splits go together: no half of each
        ({}, {"splits": (split("X", "1"),)}, {"splits": ()}),
        # status and revision are never the other's
        ({}, {"status": DealStatus.CANCELLED}, {"status": DealStatus.WON, "revision": 1}),
    ],
)
def test_other_sources_fill_what_the_opener_leaves_out(
    own: dict[str, Any], other: dict[str, Any], expected: dict[str, Any]
) -> None:
    billing = deal(7, source="billing", key="i9", deal_id="crm:1", **other)
    for order in permutations((deal(**own), billing)):
        state, _ = arrived(*order)
        content = merged(state)
        assert {name: getattr(content, name) for name in expected} == expected


def test_names_are_those_of_the_source_that_gave_them() -> None:
    billing = deal(7, source="billing", key="i9", deal_id="crm:1", owner_key="X")
    assert people_source(arrived(deal(), billing)[0]) == "crm"
    assert people_source(arrived(deal(owner_key=None), billing)[0]) == "billing"


def test_until_the_opener_speaks_another_stands_in() -> None:
    state, _ = arrived(BILLING)
    assert merged(state) is BILLING
