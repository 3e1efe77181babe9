"""Crediting a deal: what is booked is the difference between what should stand and what stands.

What should stand follows from the deal's revisions and the reference data (domain/judgement.py), so
duplicates and reordering change nothing. A correction is an opposite and a new row.
"""

import datetime as dt
from decimal import Decimal
from typing import Final, NamedTuple

from domain.exact import is_exact
from domain.judgement import Judgement, Wanted, judge
from domain.placement import Seat
from domain.reference import Reference
from domain.revisions import merged, people_source
from schemas.ids import AccountId, PayeeId, credit_id
from schemas.messages import Cause, DealChanged, DealStatus, Role
from schemas.money import ZERO
from schemas.state import BOOKINGS, Credit, DealState

_BY_REFERENCE: Final = (Cause.COMMAND, Cause.REFERENCE_CHANGED)


class CreditStep(NamedTuple):
    """The deal as credited now, and what must be booked for it: reversals, then credits."""

    state: DealState
    booked: tuple[Credit, ...]


def credit(state: DealState, reference: Reference, cause: Cause) -> CreditStep:
    """Books the difference between what should be credited and what is in force.

    `cause` is that of the step: COMMAND or REFERENCE_CHANGED mark all that is booked as caused by
    reference data; any other lets the deal's own history name it. `state.version` stays. Must run
    within `exact_arithmetic`.
    """
    assert is_exact(), "enter domain.exact.exact_arithmetic() once per batch"
    deal = merged(state)
    if deal is None:
        return CreditStep(state, ())
    day = reference.closed_day(deal) if deal.status is DealStatus.WON else None
    if day is None:
        return _book(state, deal, Judgement({}), _When(None, None, reference.currency), cause)
    when = _When(day, reference.closed_instant(deal), reference.currency)
    return _book(state, deal, judge(deal, people_source(state), reference, day), when, cause)


def accounts_of(step: CreditStep) -> tuple[AccountId, ...]:
    """The accounts that the step touches, sorted."""
    return tuple(sorted({booked.account_id for booked in step.booked}))


class _When(NamedTuple):
    """When the deal was won, and the currency it is credited in; all None: it is not won."""

    day: dt.date | None
    instant: dt.datetime | None
    currency: str


class _Booking(NamedTuple):
    """What rows of one step have in common; `ordinals` counts on as rows are made."""

    deal: DealChanged
    state: DealState
    when: _When
    ordinals: dict[str, int]
    cause: Cause


def _book(
    state: DealState, deal: DealChanged, judgement: Judgement, when: _When, cause: Cause
) -> CreditStep:
    kept, gone, missing = _difference(state.credits, judgement.wanted, when)
    if not gone and not missing:
        return CreditStep(_credited(state, judgement, state.credits, state.ordinals), ())
    ordinals = dict(state.ordinals)
    undoing = _Booking(deal, state, when, ordinals, _cause_of_reversal(deal, cause))
    reversals = [_reversal(undoing, credit) for credit in gone]
    booking = _Booking(deal, state, when, ordinals, _cause_of_credit(state, cause))
    fresh = [_credit(booking, role, seat, amount) for role, seat, amount in missing]
    after = _credited(state, judgement, (*kept, *fresh), ordinals)
    return CreditStep(after, (*reversals, *fresh))


def _difference(
    in_force: tuple[Credit, ...], wanted: Wanted, when: _When
) -> tuple[list[Credit], list[Credit], list[tuple[Role, Seat, Decimal]]]:
    """(credits that stay, credits to reverse, what is to be credited anew)."""
    if not in_force:
        return [], [], [(role, seat, amount) for (_, role), (seat, amount) in wanted.items()]
    kept = [credit for credit in in_force if _is_still_right(credit, wanted, when)]
    settled = {(credit.payee_id, credit.role) for credit in kept}
    gone = [credit for credit in in_force if (credit.payee_id, credit.role) not in settled]
    missing = [
        (key[1], seat, amount) for key, (seat, amount) in wanted.items() if key not in settled
    ]
    return kept, gone, missing


def _is_still_right(credit: Credit, wanted: Wanted, when: _When) -> bool:
    if (credit.payee_id, credit.role) not in wanted:
        return False
    seat, amount = wanted[credit.payee_id, credit.role]
    return (
        credit.amount == amount
        and credit.segment == seat.segment
        and credit.origin_period == seat.period_id
        and credit.account_id == seat.account_id
        and (credit.closed_on, credit.closed_at, credit.currency) == when
    )


def _credited(
    state: DealState,
    judgement: Judgement,
    credits: tuple[Credit, ...],
    ordinals: dict[str, int],
) -> DealState:
    return DealState(
        deal_id=state.deal_id,
        version=state.version,
        facets=state.facets,
        seen=state.seen,
        credits=credits,
        ordinals=ordinals,
        held=judgement.held,
        not_eligible=judgement.not_eligible,
        booked_at=state.booked_at,
    )


def _next_ordinal(booking: _Booking, payee_id: PayeeId, role: Role) -> int:
    """Counts every row ever booked by payee, role and type; the first is 1."""
    key = "|".join((payee_id, role, BOOKINGS))
    ordinal = booking.ordinals[key] = booking.ordinals.get(key, 0) + 1
    return ordinal


def _cause_of_credit(state: DealState, cause: Cause) -> Cause:
    if cause in _BY_REFERENCE:
        return Cause.REFERENCE_CHANGED
    return Cause.DEAL_CHANGED if state.ordinals else Cause.DEAL_CREDITED


def _cause_of_reversal(deal: DealChanged, cause: Cause) -> Cause:
    if cause in _BY_REFERENCE:
        return Cause.REFERENCE_CHANGED
    return Cause.DEAL_CHANGED if deal.status is DealStatus.WON else Cause.DEAL_CANCELLED


def _credit(booking: _Booking, role: Role, seat: Seat, amount: Decimal) -> Credit:
    payee_id, account_id, period_id, segment = seat
    day, instant, currency = booking.when
    assert day is not None and instant is not None
    deal_id = booking.state.deal_id
    ordinal = _next_ordinal(booking, payee_id, role)
    return Credit(
        credit_id=credit_id(deal_id, payee_id, role, BOOKINGS, ordinal),
        deal_id=deal_id,
        deal_source=booking.deal.source,
        deal_revision=booking.deal.revision,
        payee_id=payee_id,
        account_id=account_id,
        role=role,
        credit_type=BOOKINGS,
        ordinal=ordinal,
        amount=amount,
        currency=currency,
        closed_on=day,
        closed_at=instant,
        origin_period=period_id,
        segment=segment,
        cause=booking.cause,
    )


def _reversal(booking: _Booking, credit: Credit) -> Credit:
    """The opposite of a credit in its period and segment; names the revision that took it."""
    payee_id, role, credit_type = credit.payee_id, credit.role, credit.credit_type
    ordinal = _next_ordinal(booking, payee_id, role)
    return Credit(
        credit_id=credit_id(credit.deal_id, payee_id, role, credit_type, ordinal),
        deal_id=credit.deal_id,
        deal_source=booking.deal.source,
        deal_revision=booking.deal.revision,
        payee_id=payee_id,
        account_id=credit.account_id,
        role=role,
        credit_type=credit_type,
        ordinal=ordinal,
        amount=ZERO - credit.amount,
        currency=credit.currency,
        closed_on=credit.closed_on,
        closed_at=credit.closed_at,
        origin_period=credit.origin_period,
        segment=credit.segment,
        cause=booking.cause,
        reverses=credit.credit_id,
    )
