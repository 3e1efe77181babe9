"""Reference rows as the processors use them: those known now, with their effective ranges.

Ranges are half-open: [starts_on, ends_on); `ends_on=None` is open. The tables are bitemporal
(db/tables.py); a `ReferenceRows` is everything known at one reference version.
"""

import datetime as dt
import enum
from decimal import Decimal

import msgspec

from schemas.ids import BoardId, PayeeId, PeriodId, PlanId, PlanYearId
from schemas.messages import PeriodState, Visibility
from schemas.plan import PlanDocument


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """Base of reference rows."""


class PersonRole(enum.StrEnum):
    """A person's role in the company; decides which boards he stands on."""

    REP = "rep"
    MANAGER = "manager"
    EXECUTIVE = "executive"
    ADMIN = "admin"


class Company(_Row, frozen=True):
    """The one company of this installation."""

    name: str
    currency: str
    time_zone: str


class Person(_Row, frozen=True):
    """A payee without his name (names stay in the `people` table)."""

    payee_id: PayeeId
    role: PersonRole
    starts_on: dt.date
    ends_on: dt.date | None


class PayeeKey(_Row, frozen=True):
    """A source's own key of a person."""

    source: str
    key: str
    payee_id: PayeeId


class ReportingLine(_Row, frozen=True):
    """Who stands above whom, when."""

    payee_id: PayeeId
    manager_id: PayeeId
    starts_on: dt.date
    ends_on: dt.date | None


class Period(_Row, frozen=True):
    """What is locked and paid; also the interval over which measures accumulate."""

    period_id: PeriodId
    plan_year: PlanYearId
    starts_on: dt.date
    ends_on: dt.date
    state: PeriodState


class Quota(_Row, frozen=True):
    """A payee's quota of a period, in the company's currency."""

    payee_id: PayeeId
    period_id: PeriodId
    amount: Decimal


class Assignment(_Row, frozen=True):
    """A payee's to a plan; its id is the segment of the account's positions. `rate`: his own."""

    assignment_id: str
    payee_id: PayeeId
    plan_id: PlanId
    starts_on: dt.date
    ends_on: dt.date | None
    rate: Decimal | None


class Plan(_Row, frozen=True):
    """A version of a plan, effective from `starts_on`."""

    plan_id: PlanId
    starts_on: dt.date
    ends_on: dt.date | None
    document: PlanDocument


class CreditingRule(_Row, frozen=True):
    """Excludes the deals whose structured keys all equal `when` (keys: channel, type, category).

    The most specific rule (most keys) wins, then the higher priority; `reason` is shown in words.
    """

    rule_id: str
    when: dict[str, str]
    reason: str
    priority: int = 0


class FxRate(_Row, frozen=True):
    """What one unit of `currency` is worth in the company's, from `starts_on` on."""

    currency: str
    starts_on: dt.date
    rate: Decimal


class Curve(enum.StrEnum):
    """The named curve by which the company expects its quota to fill up."""

    WORKING_DAYS = "working_days"
    LAST_YEAR = "last_year"


class Calendar(_Row, frozen=True):
    """Working days and hours of the company, and its pace curve. Weekdays: Monday is 0."""

    weekend: tuple[int, ...]
    holidays: tuple[dt.date, ...]
    day_starts: dt.time
    day_ends: dt.time
    curve: Curve


class BoardMeasure(enum.StrEnum):
    """What a board ranks by."""

    ATTAINMENT = "attainment"
    AMOUNT = "amount"


class Board(_Row, frozen=True):
    """A leaderboard: who is on it, ranked by what, seen by whom."""

    board_id: BoardId
    name: str
    measure: BoardMeasure
    roles: tuple[PersonRole, ...]
    visibility: Visibility


class ReferenceRows(_Row, frozen=True):
    """All reference data known at one version; domain/reference.py indexes it."""

    version: int
    known_at: dt.datetime
    company: Company
    calendar: Calendar
    people: tuple[Person, ...]
    payee_keys: tuple[PayeeKey, ...]
    reporting_lines: tuple[ReportingLine, ...]
    periods: tuple[Period, ...]
    quotas: tuple[Quota, ...]
    assignments: tuple[Assignment, ...]
    plans: tuple[Plan, ...]
    crediting_rules: tuple[CreditingRule, ...] = ()
    fx_rates: tuple[FxRate, ...] = ()
    boards: tuple[Board, ...] = ()
