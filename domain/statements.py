"""Statements: lines derived from the credits in force, in canonical order, that sum exactly.

A credit's share is round(F(n)) - round(F(n-1)) of the cumulative payout F, so the lines of a cell
sum to what the cell has earned, whatever arrived first.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from domain.pay import payout
from domain.terms import AccountTerms, ComponentTerms, SegmentTerms
from schemas.ids import AccountId, ComponentId, PeriodId
from schemas.messages import Role
from schemas.money import ZERO, text_of
from schemas.state import Credit, Line

canonical_order: Final = attrgetter("closed_at", "deal_id", "credit_type", "role", "ordinal")

_Share = tuple[ComponentId, str, str | None, Role | None]  # component, segment, deal, role


class _Place(NamedTuple):
    """A credit in one component, with the component's terms."""

    credit: Credit
    by: SegmentTerms
    part: ComponentTerms


def lines(credits: Iterable[Credit], terms: AccountTerms) -> tuple[Line, ...]:
    """One line per credit and component that counts it, in canonical order.

    `credits` are those in force of one account and origin period, in any order. A credit that no
    component counts has no line.
    """
    credited: dict[tuple[str, ComponentId], Decimal] = defaultdict(lambda: ZERO)
    earned: dict[tuple[str, ComponentId], Decimal] = defaultdict(lambda: ZERO)
    found: list[Line] = []
    for place in _places(credits, terms):
        cell = (place.credit.segment, place.part.component)
        credited[cell] += place.credit.amount
        total = payout(credited[cell], place.part.ladder)
        found.append(_line(len(found) + 1, place, total - earned[cell]))
        earned[cell] = total
    return tuple(found)


def correction_lines(current: Sequence[Line], frozen: Sequence[Line]) -> tuple[Line, ...]:
    """For a locked origin period: what each deal's share is now minus what is frozen of it.

    `current` are its lines now, `frozen` all frozen lines of that origin: those of its own
    statement and the corrections in later ones. One line per component, segment, deal and role,
    ordered by (closed_on, deal, role, segment, component); a share that did not change has none, a
    credit that left counts as minus its frozen share.
    """
    now, then = _by_share(current), _by_share(frozen)
    corrections = [
        _correction((now.get(share) or then[share])[-1], now.get(share, []), then.get(share, []))
        for share in {**then, **now}
    ]
    changed = [line for line in corrections if line.credited or line.earned]
    changed.sort(key=attrgetter("closed_on", "deal_id", "role", "segment", "component"))
    return tuple(
        msgspec.structs.replace(line, ordinal=ordinal)
        for ordinal, line in enumerate(changed, start=1)
    )


def statement_hash(lines: Iterable[Line], *, account_id: AccountId, period_id: PeriodId) -> str:
    """SHA-256 of a statement's lines; trailing zeros of an amount do not matter."""
    hasher = hashlib.sha256(msgspec.json.encode((account_id, period_id)))
    for line in lines:
        fields = (getattr(line, name) for name in line.__struct_fields__)
        hasher.update(msgspec.json.encode([_canonical(field) for field in fields]))
    return hasher.hexdigest()


def _places(credits: Iterable[Credit], terms: AccountTerms) -> Iterable[_Place]:
    for credit in sorted(credits, key=canonical_order):
        by = terms.of(credit.segment, credit.origin_period)
        for part in by.by_credit.get((credit.role, credit.credit_type), ()):
            yield _Place(credit, by, part)


def _line(ordinal: int, place: _Place, earned: Decimal) -> Line:
    credit = place.credit
    return Line(
        ordinal=ordinal,
        component=place.part.component,
        segment=credit.segment,
        origin_period=credit.origin_period,
        credit_id=credit.credit_id,
        deal_id=credit.deal_id,
        deal_source=credit.deal_source,
        deal_revision=credit.deal_revision,
        role=credit.role,
        closed_on=credit.closed_on,
        credited=credit.amount,
        earned=earned,
        plan_id=place.by.plan_id,
        plan_version=place.by.plan_version,
    )


def _by_share(lines: Iterable[Line]) -> dict[_Share, list[Line]]:
    shares: dict[_Share, list[Line]] = defaultdict(list)
    for line in lines:
        shares[line.component, line.segment, line.deal_id, line.role].append(line)
    return dict(shares)


def _correction(latest: Line, now: Sequence[Line], then: Sequence[Line]) -> Line:
    return msgspec.structs.replace(
        latest,
        credit_id=None,
        credited=_sum(now, "credited") - _sum(then, "credited"),
        earned=_sum(now, "earned") - _sum(then, "earned"),
    )


def _sum(lines: Iterable[Line], field: str) -> Decimal:
    return sum((getattr(line, field) for line in lines), ZERO)


def _canonical(field: object) -> object:
    if not isinstance(field, Decimal):
        return field
    text = text_of(field)
    return text.rstrip("0").rstrip(".") if "." in text else text
