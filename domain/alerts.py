"""Off pace, as a state machine that does not flap.

Raised below 0.85 of what is expected on two evaluations at least a working day apart, cleared above
0.92 on likewise two. An evaluation is keyed by its business date: a later look on the same date
replaces the earlier one and never counts as a second.

Raised a second time after a clear without any deal between: that the calendar has gone on, and more
is expected, is a new fact (docs/decisions/0021-time-is-a-new-fact.md).
"""

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from domain.calendar import are_a_working_day_apart, is_working_day
from domain.pace import Expected, ToGo, pace_ratio
from schemas import limits
from schemas.ids import AccountId, AlertId, DealId, PayeeId, PeriodId, digest
from schemas.messages import (
    Alert,
    AlertCleared,
    AlertKind,
    AlertRaised,
    AlertUpdated,
    CreditedDeal,
    Severity,
)
from schemas.money import ZERO, text_of
from schemas.reference import Calendar
from schemas.state import Credit, RunningState

RAISE_BELOW: Final = Decimal("0.85")
CLEAR_ABOVE: Final = Decimal("0.92")
SEVERE_BELOW: Final = Decimal("0.70")
EXPECTED_SHARE_MIN: Final = Decimal("0.05")

Event = AlertRaised | AlertUpdated | AlertCleared


class Observation(NamedTuple):
    """An account of a payee with a quota, looked at on a business date."""

    account_id: AccountId
    payee_id: PayeeId
    manager_id: PayeeId | None
    period_id: PeriodId
    business_date: dt.date
    credited: Decimal
    quota: Decimal
    attainment_ratio: Decimal
    expected: Expected
    to_go: ToGo
    currency: str
    is_replay: bool = False


class AlertStep(NamedTuple):
    """What is remembered now, and what is to be told, if anything."""

    memory: RunningState
    event: Event | None


def evaluate(memory: RunningState, seen: Observation, calendar: Calendar) -> AlertStep:
    """One look. None happens on a replay, on a day nobody works, before 5 % are expected, or for a
    date already passed."""
    pace = pace_ratio(seen.attainment_ratio, seen.expected)
    if pace is None or not _is_due(memory, seen, calendar):
        return AlertStep(memory, None)
    looked = _looked(memory, seen.business_date, pace)
    if looked.raised_on is None:
        return (
            _raised(looked, seen, pace)
            if _is_lasting(looked.below_on, seen, calendar)
            else (AlertStep(looked, None))
        )
    if _is_lasting(looked.above_on, seen, calendar):
        return _cleared(looked, seen, pace)
    return _updated(looked, seen, pace)


def with_deals(event: Alert, credits: Iterable[Credit]) -> Alert:
    """The event with its last deals, of the credits that its `credited` is the sum of."""
    deals: dict[DealId, list[Credit]] = defaultdict(list)
    for credit in credits:
        deals[credit.deal_id].append(credit)
    newest = heapq.nlargest(
        limits.ALERT_DEALS_MAX,
        deals.items(),
        key=lambda deal: (max(credit.closed_at for credit in deal[1]), deal[0]),
    )
    last = tuple(
        CreditedDeal(
            deal_id=deal_id,
            closed_on=max(credit.closed_on for credit in of_deal),
            credited=text_of(sum((credit.amount for credit in of_deal), ZERO)),
        )
        for deal_id, of_deal in newest
    )
    return msgspec.structs.replace(event, deal_count=len(deals), last_deals=last)


def alert_id(account_id: AccountId, period_id: PeriodId) -> AlertId:
    """One alert per subject, kind and period."""
    return AlertId(digest("alert", account_id, AlertKind.OFF_PACE, period_id))


def _is_due(memory: RunningState, seen: Observation, calendar: Calendar) -> bool:
    """What falls due over a weekend is booked on Monday: a look in between would cry wolf."""
    if seen.is_replay or not is_working_day(calendar, seen.business_date):
        return False
    is_late = memory.evaluated_on is not None and seen.business_date < memory.evaluated_on
    return not is_late and seen.expected.share >= EXPECTED_SHARE_MIN


def _looked(memory: RunningState, today: dt.date, pace: Decimal) -> RunningState:
    """The memory with today's look in place of an earlier one of today."""
    is_again = memory.evaluated_on == today
    below = memory.before_below_on if is_again else memory.below_on
    above = memory.before_above_on if is_again else memory.above_on
    return msgspec.structs.replace(
        memory,
        evaluated_on=today,
        before_below_on=below,
        before_above_on=above,
        below_on=(below or today) if pace < RAISE_BELOW else None,
        above_on=(above or today) if pace > CLEAR_ABOVE else None,
    )


def _is_lasting(since: dt.date | None, seen: Observation, calendar: Calendar) -> bool:
    """Whether a row of looks began at least a working day before this one."""
    return since is not None and are_a_working_day_apart(calendar, since, seen.business_date)


def _raised(memory: RunningState, seen: Observation, pace: Decimal) -> AlertStep:
    told = _told(memory, seen, raised_on=seen.business_date, first_value=pace)
    return AlertStep(told, AlertRaised(**_evidence(told, seen, pace)))


def _updated(memory: RunningState, seen: Observation, pace: Decimal) -> AlertStep:
    """Tells what changed, at most once a business date."""
    evidence = (seen.attainment_ratio, seen.expected.share)
    is_news = evidence != (memory.told_attainment_ratio, memory.told_expected_share)
    if memory.told_on == seen.business_date or not is_news:
        return AlertStep(memory, None)
    told = _told(memory, seen)
    return AlertStep(told, AlertUpdated(**_evidence(told, seen, pace)))


def _cleared(memory: RunningState, seen: Observation, pace: Decimal) -> AlertStep:
    told = _told(memory, seen)
    event = AlertCleared(**_evidence(told, seen, pace))
    over = msgspec.structs.replace(told, raised_on=None, first_value=None)
    return AlertStep(over, event)


def _told(memory: RunningState, seen: Observation, **changes: Any) -> RunningState:
    return msgspec.structs.replace(
        memory,
        version=memory.version + 1,
        told_on=seen.business_date,
        told_attainment_ratio=seen.attainment_ratio,
        told_expected_share=seen.expected.share,
        **changes,
    )


def _evidence(memory: RunningState, seen: Observation, pace: Decimal) -> dict[str, Any]:
    assert memory.first_value is not None
    _, days_left, per_day = seen.to_go
    return {
        "alert_id": alert_id(seen.account_id, seen.period_id),
        "subject": seen.account_id,
        "kind": AlertKind.OFF_PACE,
        "period": seen.period_id,
        "payee_id": seen.payee_id,
        "manager_id": seen.manager_id,
        "severity": Severity.SEVERE if pace < SEVERE_BELOW else Severity.WARNING,
        "version": memory.version,
        "business_date": seen.business_date,
        "raised_on": memory.raised_on,
        "attainment_ratio": text_of(seen.attainment_ratio),
        "expected_share": text_of(seen.expected.share),
        "pace_ratio": text_of(pace),
        "threshold": text_of(RAISE_BELOW),
        "first_value": text_of(memory.first_value),
        "credited": text_of(seen.credited),
        "quota": text_of(seen.quota),
        "currency": seen.currency,
        "curve": seen.expected.curve,
        "suggested_action": _action(seen),
        "expected_now": text_of(seen.expected.share * seen.quota),
        "required_per_remaining_working_day": None if per_day is None else text_of(per_day),
        "working_days_left": days_left,
    }


def _action(seen: Observation) -> str:
    gap, left, per_day = seen.to_go
    if per_day is None:
        return f"{gap:,.2f} {seen.currency} to quota and no working day left."
    days = "working day" if left == 1 else "working days"
    return (
        f"{gap:,.2f} {seen.currency} to quota in {left} {days}: {per_day:,.2f} a day. "
        "Review the open deals that can close in time."
    )
