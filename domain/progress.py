"""What an account shows: its positions as published, and its attainment of a period."""

from decimal import Decimal
from typing import NamedTuple

from domain.terms import AccountTerms
from schemas.ids import PeriodId
from schemas.messages import PositionState
from schemas.money import ZERO, ratio, text_of
from schemas.state import AccountState, Position


class Attainment(NamedTuple):
    """What an account has credited towards its quota of a period; no quota, no ratio."""

    credited: Decimal
    quota: Decimal | None
    ratio: Decimal | None


def attainment(account: AccountState, period_id: PeriodId, terms: AccountTerms) -> Attainment:
    """The headline of a period: all segments' components that count for attainment together."""
    credited = sum(
        (
            position.credited
            for position in account.positions
            if position.period_id == period_id and is_headline(position, terms)
        ),
        ZERO,
    )
    quota = terms.reference.quota_of(account.payee_id, period_id)
    return Attainment(credited, quota, None if quota is None else ratio(credited, quota))


def is_headline(position: Position, terms: AccountTerms) -> bool:
    """Whether the cell's component is the one that counts for attainment."""
    part = terms.of(position.segment, position.period_id).by_name.get(position.component)
    return part is not None and part.counts_for_attainment


def position_states(account: AccountState, terms: AccountTerms) -> tuple[PositionState, ...]:
    """The account's cells as they are published."""
    return tuple(_position_state(position, terms) for position in account.positions)


def _position_state(position: Position, terms: AccountTerms) -> PositionState:
    quota = terms.of(position.segment, position.period_id).quota
    return PositionState(
        component=position.component,
        segment=position.segment,
        period=position.period_id,
        credited=text_of(position.credited),
        credits=position.credits,
        earned=text_of(position.earned),
        counts_for_attainment=is_headline(position, terms),
        quota=None if quota is None else text_of(quota),
        attainment_ratio=None if quota is None else text_of(ratio(position.credited, quota)),
    )
