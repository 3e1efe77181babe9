"""The state of deals and accounts, and the facts a batch books: what domain/ decides and db/ keeps.

A version is 0 before the first write; each write raises it by one.
"""

import datetime as dt
import enum
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from schemas.ids import (
    AccountId,
    ComponentId,
    CreditId,
    DealId,
    EntryId,
    PayeeId,
    PeriodId,
    PlanId,
    PlanYearId,
)
from schemas.messages import (
    Cause,
    DealChanged,
    EntryKind,
    Message,
    PeriodState,
    RecordRefused,
    Role,
    SourceRange,
)

BOOKINGS = "bookings"


class _State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of state rows."""


class HoldReason(enum.StrEnum):
    """Why a share waits: somebody must act, then it is credited by itself."""

    NO_OWNER = "no_owner"
    UNKNOWN_PAYEE = "unknown_payee"
    NO_PLAN = "no_plan"
    NO_QUOTA_PERIOD = "no_quota_period"
    NO_QUOTA = "no_quota"
    UNKNOWN_CURRENCY = "unknown_currency"
    NO_EXCHANGE_RATE = "no_exchange_rate"


class Seen(_State, frozen=True, array_like=True):
    """One member of the set of revisions."""

    source: str
    key: str
    revision: int
    digest: str


class Facet(_State, frozen=True):
    """The newest revision of one source's record of a deal."""

    seen: Seen
    content: DealChanged


class Credit(_State, frozen=True):
    """A credit or a reversal as booked. `amount` is in the account's currency, unrounded."""

    credit_id: CreditId
    deal_id: DealId
    deal_source: str
    deal_revision: int
    payee_id: PayeeId
    account_id: AccountId
    role: Role
    credit_type: str
    ordinal: int
    amount: Decimal
    currency: str
    closed_on: dt.date
    closed_at: dt.datetime  # the instant of the payout trigger, for canonical order
    origin_period: PeriodId
    segment: str
    cause: Cause
    reverses: CreditId | None = None


class Held(_State, frozen=True):
    """A share nobody can be credited for yet."""

    payee_key: str | None
    role: Role
    reason: HoldReason
    amount: Decimal
    currency: str
    detail: str  # in words: what is missing


def named_shares(held: Iterable[Held]) -> Iterator[tuple[str, Held]]:
    """The held shares of a deal, each with a name that stays while others are released.

    It says whose and in which role; of several alike, which. Once given it means the same share
    for as long as that share waits, so that a page of a list can begin behind it.
    """
    alike: Counter[tuple[Role, str]] = Counter()
    for share in held:
        key = (share.role, share.payee_key or "")
        alike[key] += 1
        yield f"{share.role.value}:{alike[key]}:{share.payee_key or ''}", share


class NotEligible(_State, frozen=True):
    """A rule excludes the deal; nobody has to act."""

    rule_id: str
    reason: str


class DealState(_State, frozen=True):
    """All that is known of a deal and all that stands credited for it.

    `credits` are the ones in force (neither reversals nor reversed). `ordinals` counts the rows
    ever booked by "payee|role|type", so that ids never repeat.
    """

    deal_id: DealId
    version: int = 0
    facets: tuple[Facet, ...] = ()
    seen: tuple[Seen, ...] = ()
    credits: tuple[Credit, ...] = ()
    ordinals: dict[str, int] = {}
    held: tuple[Held, ...] = ()
    not_eligible: NotEligible | None = None
    booked_at: dt.datetime | None = None


class Position(_State, frozen=True):
    """A cell of an account: one component over one interval in one assignment segment."""

    segment: str
    component: ComponentId
    period_id: PeriodId
    credited: Decimal
    credits: int  # net count: credits minus reversals
    earned: Decimal  # rounded as the plan says


class AccountState(_State, frozen=True):
    """An account with its positions; `positions` in (period start, segment, component) order."""

    account_id: AccountId
    payee_id: PayeeId
    plan_year: PlanYearId
    currency: str
    version: int = 0
    booked_at: dt.datetime | None = None
    positions: tuple[Position, ...] = ()


class Entry(_State, frozen=True):
    """What a batch's credits changed in one component, segment and origin period of an account."""

    entry_id: EntryId
    account_id: AccountId
    account_version: int  # after it
    payee_id: PayeeId
    component: ComponentId
    segment: str
    origin_period: PeriodId
    booking_period: PeriodId
    kind: EntryKind
    credited: Decimal
    earned: Decimal
    currency: str
    credits: int
    credited_after: Decimal
    earned_after: Decimal
    plan_id: PlanId
    plan_version: int
    cause: Cause


class Line(_State, frozen=True):
    """A line of a statement: one credit's share in canonical order, or a correction.

    Of a correction (`credit_id is None`) the origin period is locked and `earned` is its new
    minus its frozen share.
    """

    ordinal: int
    component: ComponentId
    segment: str
    origin_period: PeriodId
    credit_id: CreditId | None
    deal_id: DealId | None
    deal_source: str | None
    deal_revision: int | None
    role: Role | None
    closed_on: dt.date | None
    credited: Decimal
    earned: Decimal
    plan_id: PlanId
    plan_version: int


class RunningState(_State, frozen=True):
    """What alerts remember of a (subject, kind, period) between evaluations.

    `before_*` are the values at the end of the business date before `evaluated_on`, so that a later
    look on the same date replaces the earlier one. Decimals that were shown are kept as evidence.
    """

    evaluated_on: dt.date | None = None  # business date of the last evaluation
    below_on: dt.date | None = None  # business date of the first evaluation in a row below
    above_on: dt.date | None = None  # business date of the first evaluation in a row above
    before_below_on: dt.date | None = None
    before_above_on: dt.date | None = None
    version: int = 0  # of the alert; rises with each event
    raised_on: dt.date | None = None  # None: not raised now
    first_value: Decimal | None = None  # the pace ratio by which it was raised
    told_on: dt.date | None = None  # business date of the last event
    told_attainment_ratio: Decimal | None = None
    told_expected_share: Decimal | None = None


# ---- what one batch of the deals processor writes ------------------------------------------------


class DealOutcome(enum.StrEnum):
    """What has become of a deal, for lists and counts."""

    CREDITED = "credited"
    HELD = "held"  # at least one share waits
    NOT_ELIGIBLE = "not_eligible"
    NOT_COUNTED = "not_counted"  # open, lost or cancelled


class RevisionRow(_State, frozen=True):
    """A revision as received, with what it came to."""

    deal_id: DealId
    seen: Seen
    changed_on: dt.date
    outcome: str
    content: bytes  # the record's value: one JSON object, UTF-8
    tracking_id: str
    traceparent: str | None
    deal_version: int
    partition: int
    offset: int


class DealRow(_State, frozen=True):
    """A deal as it stands after the batch; `state.version` is already the new one."""

    state: DealState
    content: DealChanged  # the merge of its facets
    closed_on: dt.date | None  # also where the source has only an instant
    outcome: DealOutcome
    named: tuple[str, ...]  # "source:key" of its owner and shares
    holds_changed: bool


class CreditRow(_State, frozen=True):
    """A credit with what the batch adds to it."""

    credit: Credit
    deal_version: int
    account_version: int
    period_state: PeriodState
    is_replay: bool
    traceparent: str | None


class EntryRow(_State, frozen=True):
    """An entry with what the batch adds to it."""

    entry: Entry
    is_replay: bool
    traceparent: str | None


class RefusedRow(_State, frozen=True):
    """A dead letter with the whole record."""

    message: RecordRefused
    value: bytes


class CompleteThrough(_State, frozen=True):
    """A source's stamp as it passed through one partition."""

    source: str
    partition: int
    at: dt.datetime


class BatchFacts(_State, frozen=True):
    """All that one batch books. Read back from the database it is published by the same encoder."""

    batch: int
    booked_at: dt.datetime
    reference_version: int
    sources: tuple[SourceRange, ...]
    revisions: tuple[RevisionRow, ...] = ()
    deals: tuple[DealRow, ...] = ()
    credits: tuple[CreditRow, ...] = ()
    entries: tuple[EntryRow, ...] = ()
    accounts: tuple[AccountState, ...] = ()
    account_versions: dict[str, int] = {}
    refused: tuple[RefusedRow, ...] = ()
    commands: tuple[Message, ...] = ()
    complete_through: tuple[CompleteThrough, ...] = ()
    is_replay: bool = False  # every fact of it is
