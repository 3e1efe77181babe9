"""The terms of an account: what reference data say about how its cells are paid and booked."""

from decimal import Decimal
from typing import NamedTuple

from domain.pay import Ladder, ladder
from domain.plans import ROLLUP_ONLY
from domain.reference import Reference
from schemas import limits
from schemas.ids import ComponentId, PayeeId, PeriodId, PlanId
from schemas.messages import EntryKind, Role
from schemas.plan import Component, PlanDocument
from schemas.reference import Period
from schemas.state import AccountState


class NoOpenPeriod(LookupError):
    """Money of a locked period has nowhere to go: a period must stay open after the last locked."""


class ComponentTerms(NamedTuple):
    """How one component counts and pays over one interval."""

    component: ComponentId
    ladder: Ladder
    counts_for_attainment: bool


class SegmentTerms(NamedTuple):
    """How an assignment segment is paid over one period, and where that is booked."""

    plan_id: PlanId
    plan_version: int
    components: tuple[ComponentTerms, ...]
    by_credit: dict[tuple[Role, str], tuple[ComponentTerms, ...]]
    by_name: dict[ComponentId, ComponentTerms]
    quota: Decimal | None
    period: Period
    booking_period: PeriodId | None
    kind: EntryKind

    def books_into(self) -> PeriodId:
        """Where an entry of these terms is booked; raises NoOpenPeriod."""
        if self.booking_period is None:
            raise NoOpenPeriod(f"no period is open from {self.period.period_id} on")
        return self.booking_period


class AccountTerms(NamedTuple):
    """An account's terms; those of a segment and period are derived once per reference version."""

    payee_id: PayeeId
    reference: Reference

    def of(self, segment: str, period_id: PeriodId) -> SegmentTerms:
        """The terms of a segment over a period.

        A segment that reference data no longer know is counted for the team and paid nothing until
        its deals are credited again.
        """
        memo = self.reference.memo
        key = (self.payee_id, segment, period_id)
        known: SegmentTerms | None = memo.get(key)
        if known is None:
            if len(memo) >= limits.PLACEMENTS_CACHED_MAX:
                memo.clear()
            known = memo[key] = _segment_terms(self.reference, *key)
        return known


def terms_of(account: AccountState, reference: Reference) -> AccountTerms:
    """The terms of an account under reference data."""
    return AccountTerms(account.payee_id, reference)


def _segment_terms(
    reference: Reference, payee_id: PayeeId, segment: str, period_id: PeriodId
) -> SegmentTerms:
    period = reference.period(period_id)
    assert period is not None, f"period {period_id} has money and no row"
    assignment = reference.assignment(segment)
    plan = (assignment and reference.plan_of(assignment, period)) or ROLLUP_ONLY
    quota = reference.quota_of(payee_id, period_id)
    own_rate = assignment.rate if assignment else None
    components = tuple(_component_terms(part, quota, own_rate) for part in plan.components)
    booking = reference.first_open_period(period)
    return SegmentTerms(
        plan_id=plan.plan_id,
        plan_version=plan.version,
        components=components,
        by_credit=_by_credit(plan, components),
        by_name={part.component: part for part in components},
        quota=quota,
        period=period,
        booking_period=booking.period_id if booking else None,
        kind=EntryKind.EARNED if booking is period else EntryKind.ADJUSTMENT,
    )


def _component_terms(
    component: Component, quota: Decimal | None, own_rate: Decimal | None
) -> ComponentTerms:
    by = ladder(component, quota=quota, own_rate=own_rate)
    return ComponentTerms(component.component, by, component.counts_for_attainment)


def _by_credit(
    plan: PlanDocument, components: tuple[ComponentTerms, ...]
) -> dict[tuple[Role, str], tuple[ComponentTerms, ...]]:
    """The components that count a credit, by its role and type."""
    counted: dict[tuple[Role, str], tuple[ComponentTerms, ...]] = {}
    for component, terms in zip(plan.components, components, strict=True):
        for role in component.measure.roles:
            for credit_type in component.measure.credit_types:
                key = (role, credit_type)
                counted[key] = (*counted.get(key, ()), terms)
    return counted
