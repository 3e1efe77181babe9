"""An account moves by one step: (positions, credits) -> (positions, entries).

A cell is one component over one interval in one assignment segment. What it has earned is
`payout()` of what it has credited; an entry is the change of both.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from domain.exact import is_exact
from domain.pay import payout
from domain.reference import Reference
from domain.terms import AccountTerms, SegmentTerms, terms_of
from schemas.ids import ComponentId, PeriodId, entry_id
from schemas.messages import Cause
from schemas.money import ZERO
from schemas.state import AccountState, Credit, Entry, Position

__all__ = [
    "AccountStep",
    "AccountTerms",
    "Cell",
    "evaluate",
    "is_settled",
    "opened",
    "payout_of",
    "terms_of",
]

Cell = tuple[str, ComponentId, PeriodId]  # segment, component, interval


class AccountStep(NamedTuple):
    """The account after the step, and what must be booked for it."""

    account: AccountState
    entries: tuple[Entry, ...]


class _Change(NamedTuple):
    """What a step adds to a cell: amount, net count of credits, how many rows of credits."""

    amount: Decimal
    net: int
    rows: int


_NO_CHANGE = _Change(ZERO, 0, 0)


def opened(credit: Credit, reference: Reference) -> AccountState:
    """The account that a credit belongs to, as it is before its first entry."""
    period = reference.period(credit.origin_period)
    assert period is not None
    return AccountState(
        account_id=credit.account_id,
        payee_id=credit.payee_id,
        plan_year=period.plan_year,
        currency=credit.currency,
    )


def payout_of(positions: Iterable[Position], terms: AccountTerms) -> Mapping[Cell, Decimal]:
    """What each cell has earned, from scratch: a function of what it has credited."""
    return {_cell(position): _earned(position, terms) for position in positions}


def evaluate(
    account: AccountState,
    credits: Sequence[Credit],
    terms: AccountTerms,
    cause: Cause,
    *,
    in_force: Sequence[Credit] | None = None,
) -> AccountStep:
    """Folds credits and reversals into the account's cells.

    Each touched cell has one entry, also of 0. With no credits (Reaccrue) all cells are evaluated
    and only those that changed have entries. `in_force`, all credits of the account that stand
    before this step, rebuilds the cells from them: needed where a plan counts other credits than
    before. The version rises by 1 if there are entries. Must run within `exact_arithmetic`.
    """
    assert is_exact(), "enter domain.exact.exact_arithmetic() once per batch"
    known = {_cell(position): position for position in account.positions}
    changes = _fold(credits, terms)
    if in_force is not None:
        changes = _rebuilt(known, changes, _fold(in_force, terms))
    touched = changes if credits else {**dict.fromkeys(known, _NO_CHANGE), **changes}
    version = account.version + 1
    after: dict[Cell, Position] = {}
    entries: list[Entry] = []
    for cell, change in touched.items():
        by = terms.of(cell[0], cell[2])
        before = known.get(cell) or _empty(cell)
        position = _moved(before, change, by)
        if change.rows or position != before:
            after[cell] = position
            entries.append(_entry(account, version, before, position, change.rows, by, cause))
    if not entries:
        return AccountStep(account, ())
    return AccountStep(_with(account, version, known, after, terms), tuple(entries))


def is_settled(account: AccountState, in_force: Sequence[Credit], terms: AccountTerms) -> bool:
    """Whether evaluating the account again would book nothing.

    Unlike a comparison with `payout_of` it also sees that a plan counts other credits than before:
    a component that is new has no cell yet. Must run within `exact_arithmetic`.
    """
    return not evaluate(account, (), terms, Cause.COMMAND, in_force=in_force).entries


def _cell(position: Position) -> Cell:
    return position.segment, position.component, position.period_id


def _fold(credits: Iterable[Credit], terms: AccountTerms) -> dict[Cell, _Change]:
    """What credits add to each cell: each counts in every component whose measure takes it."""
    changes: dict[Cell, _Change] = {}
    for credit in credits:
        segment, period_id = credit.segment, credit.origin_period
        counted = terms.of(segment, period_id).by_credit.get((credit.role, credit.credit_type), ())
        net = 1 if credit.reverses is None else -1
        for part in counted:
            cell = (segment, part.component, period_id)
            before = changes.get(cell)
            changes[cell] = (
                _Change(credit.amount, net, 1)
                if before is None
                else _Change(before.amount + credit.amount, before.net + net, before.rows + 1)
            )
    return changes


def _rebuilt(
    known: Mapping[Cell, Position],
    changes: Mapping[Cell, _Change],
    in_force: Mapping[Cell, _Change],
) -> dict[Cell, _Change]:
    """The changes that bring every cell to the sum of the credits in force and the new ones."""
    rebuilt: dict[Cell, _Change] = {}
    for cell in {**dict.fromkeys(known), **in_force, **changes}:
        position, base = known.get(cell), in_force.get(cell, _NO_CHANGE)
        new = changes.get(cell, _NO_CHANGE)
        credited, count = (position.credited, position.credits) if position else (ZERO, 0)
        rebuilt[cell] = _Change(
            base.amount + new.amount - credited, base.net + new.net - count, new.rows
        )
    return rebuilt


def _empty(cell: Cell) -> Position:
    segment, component, period_id = cell
    return Position(
        segment=segment,
        component=component,
        period_id=period_id,
        credited=ZERO,
        credits=0,
        earned=ZERO,
    )


def _moved(before: Position, change: _Change, by: SegmentTerms) -> Position:
    credited = before.credited + change.amount
    part = by.by_name.get(before.component)  # None: the plan no longer has it
    return Position(
        segment=before.segment,
        component=before.component,
        period_id=before.period_id,
        credited=credited,
        credits=before.credits + change.net,
        earned=payout(credited, part.ladder) if part else ZERO,
    )


def _earned(position: Position, terms: AccountTerms) -> Decimal:
    part = terms.of(position.segment, position.period_id).by_name.get(position.component)
    return payout(position.credited, part.ladder) if part else ZERO


def _entry(
    account: AccountState,
    version: int,
    before: Position,
    after: Position,
    rows: int,
    by: SegmentTerms,
    cause: Cause,
) -> Entry:
    account_id, component, segment = account.account_id, after.component, after.segment
    return Entry(
        entry_id=entry_id(account_id, version, component, segment, after.period_id),
        account_id=account_id,
        account_version=version,
        payee_id=account.payee_id,
        component=component,
        segment=segment,
        origin_period=after.period_id,
        booking_period=by.books_into(),
        kind=by.kind,
        credited=after.credited - before.credited,
        earned=after.earned - before.earned,
        currency=account.currency,
        credits=rows,
        credited_after=after.credited,
        earned_after=after.earned,
        plan_id=by.plan_id,
        plan_version=by.plan_version,
        cause=cause,
    )


def _with(
    account: AccountState,
    version: int,
    known: dict[Cell, Position],
    after: dict[Cell, Position],
    terms: AccountTerms,
) -> AccountState:
    positions = {**known, **after}
    has_new = len(positions) > len(known)
    return AccountState(
        account_id=account.account_id,
        payee_id=account.payee_id,
        plan_year=account.plan_year,
        currency=account.currency,
        version=version,
        booked_at=account.booked_at,
        positions=tuple(_in_order(positions.values(), terms) if has_new else positions.values()),
    )


def _in_order(positions: Iterable[Position], terms: AccountTerms) -> list[Position]:
    """By start of the period, then segment, then component."""

    def order(position: Position) -> tuple[dt.date, str, str]:
        starts_on = terms.of(position.segment, position.period_id).period.starts_on
        return starts_on, position.segment, position.component

    return sorted(positions, key=order)
