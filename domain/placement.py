"""Where a payee's credits of a day go: account, segment, period, and the managers above him."""

import datetime as dt
from bisect import bisect_right
from typing import Final, NamedTuple

from domain.plans import UNASSIGNED, needs_quota
from domain.reference import Reference
from schemas import limits
from schemas.ids import AccountId, PayeeId, PeriodId, account_id
from schemas.messages import Role
from schemas.plan import PlanDocument
from schemas.reference import Period
from schemas.state import BOOKINGS, HoldReason

DAY: Final = "{day}"


class Obstacle(NamedTuple):
    """Why a share cannot be credited, with what is missing in words; `DAY` stands for its date."""

    reason: HoldReason
    detail: str


class Seat(NamedTuple):
    """Where a payee's credits of a day are booked."""

    payee_id: PayeeId
    account_id: AccountId
    period_id: PeriodId
    segment: str


class Placement(NamedTuple):
    """A payee on a day. Without a seat there is an obstacle; `unpriced` roles lack a quota."""

    seat: Seat | None
    obstacle: Obstacle | None
    unpriced: frozenset[Role]
    above: tuple[Seat, ...]


def placement(reference: Reference, payee_id: PayeeId, day: dt.date) -> Placement:
    """Where a direct share of the payee on that day goes.

    Derived once per reference version and stretch of days in which nothing changes for him.
    """
    memo = reference.memo
    key = (payee_id, bisect_right(reference.turns_of(payee_id), day))
    known: Placement | None = memo.get(key)
    if known is None:
        if len(memo) >= limits.PLACEMENTS_CACHED_MAX:
            memo.clear()
        known = memo[key] = _place(reference, payee_id, day)
    return known


def _place(reference: Reference, payee_id: PayeeId, day: dt.date) -> Placement:
    period = reference.period_on(day)
    assignment = reference.assignment_on(payee_id, day)
    if reference.person_on(payee_id, day) is None:
        return _nowhere(HoldReason.UNKNOWN_PAYEE, f"payee {payee_id} is not employed on {DAY}")
    if assignment is None:
        return _nowhere(HoldReason.NO_PLAN, f"payee {payee_id} has no plan on {DAY}")
    if period is None:
        return _nowhere(HoldReason.NO_QUOTA_PERIOD, f"no period contains {DAY}")
    plan = reference.plan_of(assignment, period)
    if plan is None:
        problem = f"plan {assignment.plan_id} has no version in period {period.period_id}"
        return _nowhere(HoldReason.NO_PLAN, problem)
    above = tuple(
        _manager_seat(reference, manager, day, period)
        for manager in reference.managers_above(payee_id, day)
    )
    has_quota = reference.quota_of(payee_id, period.period_id) is not None
    unpriced: frozenset[Role] = frozenset() if has_quota else _roles_by_quota(plan)
    return Placement(_seat(payee_id, period, assignment.assignment_id), None, unpriced, above)


def _manager_seat(reference: Reference, manager: PayeeId, day: dt.date, period: Period) -> Seat:
    """A roll-up is never held: a manager whom no plan covers is counted and paid nothing."""
    assignment = reference.assignment_on(manager, day)
    covered = assignment and reference.plan_of(assignment, period)
    return _seat(
        manager, period, assignment.assignment_id if assignment and covered else UNASSIGNED
    )


def _nowhere(reason: HoldReason, detail: str) -> Placement:
    return Placement(None, Obstacle(reason, detail), frozenset(), ())


def _seat(payee_id: PayeeId, period: Period, segment: str) -> Seat:
    return Seat(payee_id, account_id(payee_id, period.plan_year), period.period_id, segment)


def _roles_by_quota(plan: PlanDocument) -> frozenset[Role]:
    """Roles counted by a component that cannot pay without a quota."""
    return frozenset(
        role
        for component in plan.components
        if needs_quota(component) and BOOKINGS in component.measure.credit_types
        for role in component.measure.roles
    )
