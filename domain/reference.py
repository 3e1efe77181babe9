"""Reference data of one version, indexed for the hot path: each look-up is a dict or a bisect."""

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from domain.calendar import business_date, start_of_day
from schemas import limits
from schemas.ids import PayeeId, PeriodId, PlanId, PlanYearId
from schemas.messages import DealChanged, PeriodState
from schemas.money import MINOR_UNITS, ONE
from schemas.plan import PlanDocument
from schemas.reference import (
    Assignment,
    CreditingRule,
    FxRate,
    Period,
    Person,
    Plan,
    ReferenceRows,
    ReportingLine,
)

Row = TypeVar("Row", Assignment, FxRate, Period, Person, Plan, ReportingLine)


class Ranges(Generic[Row]):
    """Rows of one thing by effective date; of overlapping rows the one that starts last counts."""

    __slots__ = ("_rows", "_starts")

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: list[Row] = sorted(rows, key=attrgetter("starts_on"))
        self._starts = [row.starts_on for row in self._rows]

    def on(self, day: dt.date) -> Row | None:
        """The row in force on a day: started, and not ended."""
        index = bisect_right(self._starts, day) - 1
        if index < 0:
            return None
        ends_on = getattr(self._rows[index], "ends_on", None)
        return self._rows[index] if ends_on is None or day < ends_on else None

    def rows(self) -> Sequence[Row]:
        """All rows, by start."""
        return self._rows

    def changes(self) -> set[dt.date]:
        """The days on which a row starts or ends."""
        ends: list[dt.date | None] = [getattr(row, "ends_on", None) for row in self._rows]
        return {*self._starts, *(day for day in ends if day is not None)}

    def first_within(self, first: dt.date, end: dt.date) -> Row | None:
        """The row in force on `first`, else the first that starts in (first, end)."""
        row = self.on(first)
        index = bisect_right(self._starts, first)
        if row is None and index < len(self._rows) and self._starts[index] < end:
            return self._rows[index]
        return row


def _by(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, Ranges[Row]]:
    """Rows grouped by key, each group ordered by effective date."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: Ranges(group) for name, group in groups.items()}


_NOTHING: Ranges[Any] = Ranges([])


class Reference:
    """All that is known at one reference version. Immutable; `memo` keeps what is derived."""

    def __init__(self, rows: ReferenceRows) -> None:
        self.rows = rows
        self.version = rows.version
        self.currency = rows.company.currency
        self.zone = ZoneInfo(rows.company.time_zone)
        self.memo: dict[Any, Any] = {}
        self._payees = {(row.source, row.key): row.payee_id for row in rows.payee_keys}
        self._people = _by(rows.people, attrgetter("payee_id"))
        self._lines = _by(rows.reporting_lines, attrgetter("payee_id"))
        self._assignments = _by(rows.assignments, attrgetter("payee_id"))
        self._assignment_by_id = {row.assignment_id: row for row in rows.assignments}
        self._plans = _by(rows.plans, attrgetter("plan_id"))
        self._rates = _by(rows.fx_rates, attrgetter("currency"))
        self._quotas = {(row.payee_id, row.period_id): row.amount for row in rows.quotas}
        self._period_rows = tuple(sorted(rows.periods, key=attrgetter("starts_on")))
        self._periods = Ranges(rows.periods)
        self._period_by_id = {row.period_id: row for row in rows.periods}
        self._rules = tuple(sorted(rows.crediting_rules, key=_most_specific_first))
        self._managers: dict[tuple[PayeeId, dt.date], tuple[PayeeId, ...]] = {}
        self._period_by_day: dict[dt.date, Period | None] = {}
        self._turns: dict[PayeeId, list[dt.date]] = {}
        self._instants: dict[dt.date, dt.datetime] = {}

    # ---- people ----

    def payee_of(self, source: str, key: str) -> PayeeId | None:
        """Whom a source's own key names."""
        return self._payees.get((source, key))

    def keys_of(self, payees: Iterable[PayeeId]) -> list[str]:
        """The keys by which sources name those payees, as "source:key"."""
        wanted = set(payees)
        return [f"{source}:{key}" for (source, key), p in self._payees.items() if p in wanted]

    def person_on(self, payee_id: PayeeId, day: dt.date) -> Person | None:
        """The payee's person row in force on a day."""
        return self._people.get(payee_id, _NOTHING).on(day)

    def assignment_on(self, payee_id: PayeeId, day: dt.date) -> Assignment | None:
        """The payee's assignment to a plan in force on a day."""
        return self._assignments.get(payee_id, _NOTHING).on(day)

    def assignment(self, segment: str) -> Assignment | None:
        """The assignment whose id is the segment; None for the unassigned and what is gone."""
        return self._assignment_by_id.get(segment)

    def managers_above(self, payee_id: PayeeId, day: dt.date) -> tuple[PayeeId, ...]:
        """Who stands above the payee on a day, nearest first, each once, never himself."""
        known = self._managers.get((payee_id, day))
        if known is None:
            if len(self._managers) >= limits.PLACEMENTS_CACHED_MAX:
                self._managers.clear()
            known = self._managers[payee_id, day] = self._climb(payee_id, day)
        return known

    def _climb(self, payee_id: PayeeId, day: dt.date) -> tuple[PayeeId, ...]:
        above: list[PayeeId] = []
        line = self._lines.get(payee_id, _NOTHING).on(day)
        while line and line.manager_id != payee_id and line.manager_id not in above:
            if len(above) == limits.REPORTING_LINE_LENGTH_MAX:
                break
            above.append(line.manager_id)
            line = self._lines.get(line.manager_id, _NOTHING).on(day)
        return tuple(above)

    def turns_of(self, payee_id: PayeeId) -> list[dt.date]:
        """The days on which anything may change that places the payee's deals, in order.

        Between two of them all look-ups about him, and about whoever stands above him, are equal.
        """
        known = self._turns.get(payee_id)
        if known is None:
            turns = self._periods.changes()
            for name in self._ever_above(payee_id):
                for index in (self._people, self._assignments, self._lines):
                    turns |= index.get(name, _NOTHING).changes()
            known = self._turns[payee_id] = sorted(turns)
        return known

    def _ever_above(self, payee_id: PayeeId) -> set[PayeeId]:
        """The payee and everyone who stands above him on any day."""
        found: set[PayeeId] = set()
        waiting = [payee_id]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(row.manager_id for row in self._lines.get(name, _NOTHING).rows())
        return found

    # ---- plans and quotas ----

    def plan_on(self, plan_id: PlanId, day: dt.date) -> PlanDocument | None:
        """The plan's version in force on a day."""
        plan = self._plans.get(plan_id, _NOTHING).on(day)
        return plan.document if plan else None

    def plan_of(self, assignment: Assignment, period: Period) -> PlanDocument | None:
        """The one version by which an assignment is paid over a period.

        It is the version in force on the first day that the assignment has in the period; where
        there is none yet, the first that starts in the period. A version that starts later in the
        period acts from the next one on, so that a period is never paid by two versions.
        """
        first = max(period.starts_on, assignment.starts_on)
        plan = self._plans.get(assignment.plan_id, _NOTHING).first_within(first, period.ends_on)
        return plan.document if plan else None

    def quota_of(self, payee_id: PayeeId, period_id: PeriodId) -> Decimal | None:
        """The payee's quota of a period; a quota of zero or less is no quota."""
        amount = self._quotas.get((payee_id, period_id))
        return amount if amount is not None and amount > 0 else None

    # ---- periods ----

    def period(self, period_id: PeriodId) -> Period | None:
        """A period by its id."""
        return self._period_by_id.get(period_id)

    def period_on(self, day: dt.date) -> Period | None:
        """The one period that contains a day."""
        try:
            return self._period_by_day[day]
        except KeyError:
            found = self._period_by_day[day] = self._periods.on(day)
            return found

    def periods_of(self, plan_year: PlanYearId) -> tuple[Period, ...]:
        """The periods of a plan year, in order."""
        return tuple(period for period in self._period_rows if period.plan_year == plan_year)

    def first_open_period(self, from_period: Period) -> Period | None:
        """Where money of a period is booked: itself when open, else the first open one after it."""
        later = (row for row in self._period_rows if row.starts_on >= from_period.starts_on)
        return next((row for row in later if row.state is PeriodState.OPEN), None)

    # ---- deals ----

    def is_known_currency(self, currency: str) -> bool:
        """Whether it is the company's own or one whose minor unit we know."""
        return currency == self.currency or currency in MINOR_UNITS

    def fx_rate(self, currency: str, day: dt.date) -> Decimal | None:
        """What one unit of the currency is worth in the company's on a day; 1 for its own."""
        if currency == self.currency:
            return ONE
        row = self._rates.get(currency, _NOTHING).on(day)
        return row.rate if row else None

    def closed_day(self, deal: DealChanged) -> dt.date | None:
        """The deal's closed_on, else the date its closed_at has in the company's time zone."""
        if deal.closed_on is not None:
            return deal.closed_on
        return business_date(deal.closed_at, self.zone) if deal.closed_at else None

    def closed_instant(self, deal: DealChanged) -> dt.datetime | None:
        """The deal's closed_at, else the start of its closed_on in the company's zone; in UTC."""
        if deal.closed_at is not None:
            return deal.closed_at.astimezone(dt.UTC)
        if deal.closed_on is None:
            return None
        known = self._instants.get(deal.closed_on)
        if known is None:
            known = self._instants[deal.closed_on] = start_of_day(deal.closed_on, self.zone)
        return known

    def rule_excluding(self, deal: DealChanged) -> CreditingRule | None:
        """The rule that makes a deal not eligible: most keys first, then the higher priority."""
        if not self._rules:
            return None
        facts = {"channel": deal.channel, "type": deal.type, "category": _category(deal)}
        return next(
            (
                rule
                for rule in self._rules
                if all(facts.get(key) == value for key, value in rule.when.items())
            ),
            None,
        )


def _most_specific_first(rule: CreditingRule) -> tuple[int, int, str]:
    return -len(rule.when), -rule.priority, rule.rule_id


def _category(deal: DealChanged) -> str | None:
    """The category that all lines of the deal share; None when they differ or there are none."""
    categories = {line.category for line in deal.lines}
    return categories.pop() if len(categories) == 1 else None
