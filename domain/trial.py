"""What would happen if deals came now: the processor's own steps, and nothing written.

What is tried is what the deals processor decides: the same merge, the same crediting, the same
evaluation of accounts. A revision that contradicts one of the same number is left out, as a file's
dry run refuses it.
"""

import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from domain import accounts
from domain.contract import content_digest
from domain.crediting import credit
from domain.reference import Reference
from domain.revisions import Outcome, is_full, merge
from schemas.ids import AccountId, PayeeId, PeriodId
from schemas.messages import Cause, DealChanged
from schemas.money import ZERO
from schemas.state import AccountState, Credit, DealState


class Verdict(enum.StrEnum):
    """What a revision would be to its deal."""

    NEW = "new"  # the first that is known of the deal
    CHANGED = "changed"
    UNCHANGED = "unchanged"  # known already
    SUPERSEDED = "superseded"  # a higher revision is known
    CONFLICT = "conflict"  # another content is known under its number
    TOO_MANY = "too_many"  # the deal has as many revisions as a deal may have


_VERDICTS = {
    Outcome.NEW: Verdict.CHANGED,
    Outcome.SUPERSEDED: Verdict.SUPERSEDED,
    Outcome.DUPLICATE: Verdict.UNCHANGED,
    Outcome.CONFLICT: Verdict.CONFLICT,
}


class Tried(NamedTuple):
    """A deal with some revisions more: a verdict for each, and what would be booked."""

    verdicts: tuple[Verdict, ...]
    state: DealState
    booked: tuple[Credit, ...]
    is_moved: bool


class Where(NamedTuple):
    """What money is summed by: the payee, the period it is of, the period it is booked into."""

    payee_id: PayeeId
    origin: PeriodId
    booked_into: PeriodId | None  # None: no period is open
    currency: str


class Money(NamedTuple):
    """A change: of credit, and of earned money."""

    credited: Decimal
    earned: Decimal

    def plus(self, credited: Decimal, earned: Decimal) -> "Money":
        """Both sums."""
        return Money(self.credited + credited, self.earned + earned)


NOTHING = Money(ZERO, ZERO)


class Evaluated(NamedTuple):
    """The accounts after credits, and the changes of money."""

    accounts: dict[AccountId, AccountState]
    changes: dict[Where, Money]


def try_deal(before: DealState, changes: Iterable[DealChanged], reference: Reference) -> Tried:
    """One deal: merge what has come, then credit once. Must run within `exact_arithmetic`."""
    state = before
    verdicts = []
    for change in changes:
        verdict, state = _merged(state, change)
        verdicts.append(verdict)
    if state is before:
        return Tried(tuple(verdicts), before, (), False)
    step = credit(state, reference, Cause.DEAL_CHANGED)
    return Tried(tuple(verdicts), step.state, step.booked, True)


def _merged(state: DealState, change: DealChanged) -> tuple[Verdict, DealState]:
    found = merge(state, change, content_digest(change))
    if found.outcome is not Outcome.DUPLICATE and is_full(state):
        return Verdict.TOO_MANY, state
    if found.outcome is Outcome.CONFLICT:
        return Verdict.CONFLICT, state
    if not state.seen:
        return Verdict.NEW, found.state
    return _VERDICTS[found.outcome], found.state


def by_account(booked: Iterable[Credit]) -> dict[AccountId, list[Credit]]:
    """Credits and reversals by the account they touch."""
    found: dict[AccountId, list[Credit]] = defaultdict(list)
    for one in booked:
        found[one.account_id].append(one)
    return found


def evaluate(
    states: Mapping[AccountId, AccountState],
    booked: Mapping[AccountId, Sequence[Credit]],
    reference: Reference,
) -> Evaluated:
    """What credits do to accounts; one without a state is opened. Within `exact_arithmetic`."""
    after: dict[AccountId, AccountState] = {}
    changes: dict[Where, Money] = defaultdict(lambda: NOTHING)
    for account_id, credits in booked.items():
        state = states.get(account_id) or accounts.opened(credits[0], reference)
        terms = accounts.terms_of(state, reference)
        step = accounts.evaluate(state, credits, terms, Cause.DEAL_CHANGED)
        after[account_id] = step.account
        for where, credited, earned in _changes(step, credits, reference):
            changes[where] = changes[where].plus(credited, earned)
    return Evaluated(after, dict(changes))


def _changes(
    step: accounts.AccountStep, credits: Sequence[Credit], reference: Reference
) -> Iterator[tuple[Where, Decimal, Decimal]]:
    """Credit as it is booked, once each; earned money as the entries have it."""
    for one in credits:
        period = reference.period(one.origin_period)
        assert period is not None
        into = reference.first_open_period(period)
        where = Where(
            one.payee_id, one.origin_period, into.period_id if into else None, one.currency
        )
        yield where, one.amount, ZERO
    for entry in step.entries:
        assert entry.payee_id is not None
        where = Where(entry.payee_id, entry.origin_period, entry.booking_period, entry.currency)
        yield where, ZERO, entry.earned
