"""Crediting: what a deal should be credited follows from its revisions and the reference data;
what is booked is the difference to what is in force."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from domain.exact import is_exact
from domain.placement import Obstacle, Placement, Seat, placement
from domain.reference import Reference
from domain.revisions import merged, people_source
from domain.splitting import Share, shares
from schemas.ids import AccountId, PayeeId, credit_id
from schemas.messages import Cause, DealChanged, DealStatus, Role
from schemas.money import ONE, ZERO
from schemas.state import BOOKINGS, Credit, DealState, Held, HoldReason, NotEligible

Wanted = dict[tuple[PayeeId, Role], tuple[Seat, Decimal]]


class CreditStep(NamedTuple):
    """The deal as credited now, and what must be booked for it: reversals, then credits."""

    state: DealState
    booked: tuple[Credit, ...]


class Judgement(NamedTuple):
    """What should stand credited for a deal, and what cannot be."""

    wanted: Wanted
    held: tuple[Held, ...] = ()
    not_eligible: NotEligible | None = None


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
        return _book(state, deal, reference, Judgement({}), cause, None)
    judgement = judge(deal, people_source(state), reference, day)
    return _book(state, deal, reference, judgement, cause, day)


def accounts_of(step: CreditStep) -> tuple[AccountId, ...]:
    """The accounts that the step touches, sorted."""
    return tuple(sorted({booked.account_id for booked in step.booked}))


# ---- what should be credited ----


def judge(deal: DealChanged, source: str, reference: Reference, day: dt.date) -> Judgement:
    """Not eligible first, whatever the date; then each share by itself: credited or held.

    `source` is the one whose keys name the deal's people; `day` the date on which it was won.
    """
    rule = reference.rule_excluding(deal)
    if rule is not None:
        return Judgement({}, (), NotEligible(rule_id=rule.rule_id, reason=rule.reason))
    assert deal.currency is not None
    rate = reference.fx_rate(deal.currency, day)
    wanted: Wanted = {}
    held: list[Held] = []
    for share in shares(deal):
        payee_id = share.payee_key and reference.payee_of(source, share.payee_key)
        place = placement(reference, PayeeId(payee_id), day) if payee_id else None
        obstacle = _obstacle(share, place, source, deal.currency, reference, rate, day)
        if obstacle is not None:
            held.append(_held(share, obstacle, deal.currency))
            continue
        assert place is not None and rate is not None
        _want(wanted, share, place, share.amount if rate is ONE else share.amount * rate)
    return Judgement(wanted, tuple(held))


def _obstacle(
    share: Share,
    place: Placement | None,
    source: str,
    currency: str,
    reference: Reference,
    rate: Decimal | None,
    day: dt.date,
) -> Obstacle | None:
    """The first reason, in the order of HoldReason, why a share cannot be credited."""
    if share.payee_key is None:
        return Obstacle(HoldReason.NO_OWNER, "the deal names no owner and no splits")
    if place is None:
        problem = f"key '{share.payee_key}' of source '{source}' belongs to no payee"
        return Obstacle(HoldReason.UNKNOWN_PAYEE, problem)
    if place.seat is None:
        return place.obstacle
    if share.role in place.unpriced:
        problem = f"payee {place.seat.payee_id} has no quota in period {place.seat.period_id}"
        return Obstacle(HoldReason.NO_QUOTA, problem)
    if not reference.is_known_currency(currency):
        return Obstacle(HoldReason.UNKNOWN_CURRENCY, f"currency {currency} is not known")
    if rate is None:
        problem = f"no rate from {currency} to {reference.currency} on {day}"
        return Obstacle(HoldReason.NO_EXCHANGE_RATE, problem)
    return None


def _held(share: Share, obstacle: Obstacle, currency: str) -> Held:
    return Held(
        payee_key=share.payee_key,
        role=share.role,
        reason=obstacle.reason,
        amount=share.amount,
        currency=currency,
        detail=obstacle.detail,
    )


def _want(wanted: Wanted, share: Share, place: Placement, amount: Decimal) -> None:
    """Adds a credited share, and for a direct one its roll-up to each manager above."""
    assert place.seat is not None
    _add(wanted, place.seat, share.role, amount)
    if share.role is not Role.OVERLAY:
        for seat in place.above:
            _add(wanted, seat, Role.ROLLUP, amount)


def _add(wanted: Wanted, seat: Seat, role: Role, amount: Decimal) -> None:
    key = (seat.payee_id, role)
    known = wanted.get(key)
    wanted[key] = (seat, amount if known is None else known[1] + amount)


# ---- the difference to what is in force ----


class _Origin(NamedTuple):
    """What all credits of one step have in common."""

    deal: DealChanged
    state: DealState
    day: dt.date
    instant: dt.datetime
    currency: str
    cause: Cause


def _book(
    state: DealState,
    deal: DealChanged,
    reference: Reference,
    judgement: Judgement,
    cause: Cause,
    day: dt.date | None,
) -> CreditStep:
    instant = reference.closed_instant(deal) if day else None
    kept, gone, missing = _difference(state.credits, judgement.wanted, day, instant, reference)
    if not gone and not missing:
        return CreditStep(_credited(state, judgement, state.credits, state.ordinals), ())
    ordinals = dict(state.ordinals)
    because = _cause_of_reversals(deal, cause)
    reversals = [_reversed(credit, deal, ordinals, because) for credit in gone]
    fresh: list[Credit] = []
    if missing:
        assert day is not None and instant is not None
        because = _cause_of_credits(state, cause)
        origin = _Origin(deal, state, day, instant, reference.currency, because)
        fresh = [_new(origin, role, seat, amount, ordinals) for role, seat, amount in missing]
    in_force = (*kept, *fresh)
    return CreditStep(_credited(state, judgement, in_force, ordinals), (*reversals, *fresh))


def _difference(
    in_force: Iterable[Credit],
    wanted: Wanted,
    day: dt.date | None,
    instant: dt.datetime | None,
    reference: Reference,
) -> tuple[list[Credit], list[Credit], list[tuple[Role, Seat, Decimal]]]:
    """(credits that stay, credits to reverse, what is to be credited anew)."""
    kept: list[Credit] = []
    gone: list[Credit] = []
    settled: set[tuple[PayeeId, Role]] = set()
    for credit in in_force:
        key = (credit.payee_id, credit.role)
        if _is_still_right(credit, wanted.get(key), day, instant, reference.currency):
            kept.append(credit)
            settled.add(key)
        else:
            gone.append(credit)
    missing = [
        (role, seat, amount)
        for (payee_id, role), (seat, amount) in wanted.items()
        if (payee_id, role) not in settled
    ]
    return kept, gone, missing


def _is_still_right(
    credit: Credit,
    wanted: tuple[Seat, Decimal] | None,
    day: dt.date | None,
    instant: dt.datetime | None,
    currency: str,
) -> bool:
    if wanted is None:
        return False
    seat, amount = wanted
    return (
        credit.amount == amount
        and credit.segment == seat.segment
        and credit.origin_period == seat.period_id
        and credit.account_id == seat.account_id
        and credit.closed_on == day
        and credit.closed_at == instant
        and credit.currency == currency
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


def _cause_of_reversals(deal: DealChanged, cause: Cause) -> Cause:
    if cause in (Cause.COMMAND, Cause.REFERENCE_CHANGED):
        return Cause.REFERENCE_CHANGED
    return Cause.DEAL_CHANGED if deal.status is DealStatus.WON else Cause.DEAL_CANCELLED


def _cause_of_credits(state: DealState, cause: Cause) -> Cause:
    if cause in (Cause.COMMAND, Cause.REFERENCE_CHANGED):
        return Cause.REFERENCE_CHANGED
    return Cause.DEAL_CHANGED if state.ordinals else Cause.DEAL_CREDITED


def _next_ordinal(ordinals: dict[str, int], payee_id: PayeeId, role: Role) -> int:
    """Counts every row ever booked by payee, role and type; the first is 1."""
    key = "|".join((payee_id, role, BOOKINGS))
    ordinal = ordinals[key] = ordinals.get(key, 0) + 1
    return ordinal


def _new(
    origin: _Origin, role: Role, seat: Seat, amount: Decimal, ordinals: dict[str, int]
) -> Credit:
    payee_id, account_id, period_id, segment = seat
    deal_id = origin.state.deal_id
    ordinal = _next_ordinal(ordinals, payee_id, role)
    return Credit(
        credit_id=credit_id(deal_id, payee_id, role, BOOKINGS, ordinal),
        deal_id=deal_id,
        deal_source=origin.deal.source,
        deal_revision=origin.deal.revision,
        payee_id=payee_id,
        account_id=account_id,
        role=role,
        credit_type=BOOKINGS,
        ordinal=ordinal,
        amount=amount,
        currency=origin.currency,
        closed_on=origin.day,
        closed_at=origin.instant,
        origin_period=period_id,
        segment=segment,
        cause=origin.cause,
    )


def _reversed(credit: Credit, deal: DealChanged, ordinals: dict[str, int], cause: Cause) -> Credit:
    """The opposite of a credit in its period and segment; names the revision that took it."""
    ordinal = _next_ordinal(ordinals, credit.payee_id, credit.role)
    return Credit(
        credit_id=credit_id(
            credit.deal_id, credit.payee_id, credit.role, credit.credit_type, ordinal
        ),
        deal_id=credit.deal_id,
        deal_source=deal.source,
        deal_revision=deal.revision,
        payee_id=credit.payee_id,
        account_id=credit.account_id,
        role=credit.role,
        credit_type=credit.credit_type,
        ordinal=ordinal,
        amount=ZERO - credit.amount,
        currency=credit.currency,
        closed_on=credit.closed_on,
        closed_at=credit.closed_at,
        origin_period=credit.origin_period,
        segment=credit.segment,
        cause=cause,
        reverses=credit.credit_id,
    )
