"""What should stand credited for a won deal, and what waits for somebody to act."""

import datetime as dt
from decimal import Decimal
from typing import NamedTuple

from domain.placement import DAY, Obstacle, Placement, Seat, placement
from domain.reference import Reference
from domain.splitting import Share, shares
from schemas.ids import PayeeId
from schemas.messages import DealChanged, Role
from schemas.money import ONE
from schemas.state import Held, HoldReason, NotEligible

Wanted = dict[tuple[PayeeId, Role], tuple[Seat, Decimal]]


class Judgement(NamedTuple):
    """What should stand credited for a deal, and what cannot be."""

    wanted: Wanted
    held: tuple[Held, ...] = ()
    not_eligible: NotEligible | None = None


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
        obstacle = _obstacle(share, place, source, deal.currency, reference, rate)
        if obstacle is not None:
            held.append(_held(share, obstacle, deal.currency, day))
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
        problem = f"no rate from {currency} to {reference.currency} on {DAY}"
        return Obstacle(HoldReason.NO_EXCHANGE_RATE, problem)
    return None


def _held(share: Share, obstacle: Obstacle, currency: str, day: dt.date) -> Held:
    return Held(
        payee_key=share.payee_key,
        role=share.role,
        reason=obstacle.reason,
        amount=share.amount,
        currency=currency,
        detail=obstacle.detail.replace(DAY, str(day)),
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
