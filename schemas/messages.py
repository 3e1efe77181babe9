"""The messages on Kafka, each declared once: its fields, its type name, its topic and its key.

Events are past tense, commands imperative. Amounts are strings (schemas/money.py), dates ISO dates,
instants RFC 3339 in UTC. JSON Schema and AsyncAPI are generated from here (schemas/generate.py).
An outward event carries the change, the resulting state, its `cause`, `period_state`, `is_replay`.
"""

import datetime as dt
import enum
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from schemas import limits
from schemas.money import Amount, Booked, CurrencyText, Rate
from schemas.times import Instant

Text = Annotated[str, Meta(max_length=limits.TEXT_LENGTH_MAX)]
Key = Annotated[str, Meta(min_length=1, max_length=limits.KEY_LENGTH_MAX)]
SourceName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]{0,39}$(?!\n)",
        description="Which system says so: 'crm', 'erp', 'adventureworks'.",
    ),
]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = str | bool | int | None


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A record's value. Unknown fields are refused: a misspelt field must not vanish."""


class Binding(NamedTuple):
    """Where a message travels: its CloudEvents type, its topic, and how its key is made."""

    struct: type[Message]
    type: str
    topic: str
    key: Callable[[Any], str]
    key_is: str


M = TypeVar("M", bound=type[Message])
BINDINGS: Final[dict[type[Message], Binding]] = {}
BY_TYPE: Final[dict[str, Binding]] = {}


def on(topic: str, type_: str, *, key: Callable[[Any], str], key_is: str) -> Callable[[M], M]:
    """Class decorator: this message travels on `topic` as CloudEvents type `type_`."""

    def bind(struct: M) -> M:
        binding = Binding(struct, type_, topic, key, key_is)
        BINDINGS[struct] = BY_TYPE[type_] = binding
        return struct

    return bind


# ---- inward: paceboard.deals -------------------------------------------------------------------


class DealStatus(enum.StrEnum):
    """Where a deal stands in its source."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    CANCELLED = "cancelled"


class SplitRole(enum.StrEnum):
    """`split` shares the deal (all sum to 1); `overlay` is a declared share beyond it."""

    SPLIT = "split"
    OVERLAY = "overlay"


class DealPart(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
):
    """Base of a deal's parts."""


class Split(DealPart, frozen=True):
    """One person's share of a deal, by the source's own key of the person."""

    payee_key: Key
    share: Rate
    role: SplitRole = SplitRole.SPLIT
    takes_remainder: bool = False  # the share that takes the rounding remainder; else the last


class DealLine(DealPart, frozen=True):
    """One product line of a deal. Where lines are given their amounts sum to the deal's."""

    amount: Amount
    product: Key | None = None
    category: Text | None = None
    quantity: Amount | None = None
    unit_price: Amount | None = None
    discount: Rate | None = None
    cost: Amount | None = None


class MilestoneKind(enum.StrEnum):
    """What can trigger a payout."""

    BOOKED = "booked"
    INVOICED = "invoiced"
    PAID = "paid"


class Milestone(DealPart, frozen=True):
    """Something that happened to the deal's money, on a date, for all of it or an amount."""

    kind: MilestoneKind
    on: dt.date
    amount: Amount | None = None
    reference: Key | None = None


class Customer(DealPart, frozen=True):
    """Whom the deal is sold to (a CRM's "account")."""

    key: Key
    name: Text | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)")] | None = None
    industry: Text | None = None


@on("deals", "paceboard.deal.changed.v1", key=lambda m: m.deal_id, key_is="deal_id")
class DealChanged(Message, frozen=True, omit_defaults=True):
    """The full state of a deal as one source has it, with the revision by which that source orders.

    `owner_key` and `Split.payee_key` are the source's own keys of people. A field the source does
    not own is left out. The highest revision of a source wins, whatever arrives first.
    """

    source: SourceName
    key: Key
    deal_id: Annotated[Key, Meta(description="'source:key' of the source that opened the deal.")]
    revision: Int64
    changed_on: dt.date
    status: DealStatus
    changed_at: Instant | None = None
    name: Text | None = None
    type: Text | None = None
    amount: Amount | None = None
    currency: CurrencyText | None = None
    stage: Text | None = None
    stage_entered_on: dt.date | None = None
    expected_close_on: dt.date | None = None
    closed_on: dt.date | None = None
    closed_at: Instant | None = None
    channel: Text | None = None
    lines: Annotated[tuple[DealLine, ...], Meta(max_length=limits.DEAL_LINES_MAX)] = ()
    customer: Customer | None = None
    territory_key: Key | None = None
    owner_key: Key | None = None
    splits: Annotated[tuple[Split, ...], Meta(max_length=limits.DEAL_SPLITS_MAX)] = ()
    milestones: Annotated[tuple[Milestone, ...], Meta(max_length=limits.DEAL_MILESTONES_MAX)] = ()
    source_url: Text | None = None
    attributes: Annotated[dict[Key, Scalar], Meta(max_length=limits.DEAL_ATTRIBUTES_MAX)] = {}


@on("deals", "paceboard.command.recredit-deal.v1", key=lambda m: m.deal_id, key_is="deal_id")
class RecreditDeal(Message, frozen=True):
    """Credit this deal again under the reference data in force now. Idempotent."""

    deal_id: Key
    cause: Text
    reference_version: Int64


@on("deals", "paceboard.command.reaccrue.v1", key=lambda m: m.account_id, key_is="account_id")
class Reaccrue(Message, frozen=True):
    """Evaluate this account again. Idempotent."""

    account_id: Key
    cause: Text
    reference_version: Int64


@on("deals", "paceboard.command.drain.v1", key=lambda m: m.drain_id, key_is="every partition")
class Drain(Message, frozen=True):
    """An empty command: once it is behind `published_to`, so is all that stood before it."""

    drain_id: Key
    round: int


@on(
    "deals",
    "paceboard.source.complete-through.v1",
    key=lambda m: m.source,
    key_is="every partition",
)
class SourceCompleteThrough(Message, frozen=True):
    """A source says: all I know up to this instant has been sent before this message."""

    source: SourceName
    complete_through: Instant


# ---- outward -----------------------------------------------------------------------------------


class Role(enum.StrEnum):
    """Why a payee is credited."""

    OWNER = "owner"
    SPLIT = "split"
    OVERLAY = "overlay"
    ROLLUP = "rollup"


class PeriodState(enum.StrEnum):
    """Provisional money is of an open period, final money of a locked one."""

    OPEN = "open"
    LOCKED = "locked"


class Cause(enum.StrEnum):
    """Why a credit or an entry was booked."""

    DEAL_CREDITED = "deal_credited"
    DEAL_CHANGED = "deal_changed"
    DEAL_CANCELLED = "deal_cancelled"
    REFERENCE_CHANGED = "reference_changed"
    COMMAND = "command"


class EntryKind(enum.StrEnum):
    """Kinds of entry. Only the first two are booked by the plans of today."""

    EARNED = "earned"
    ADJUSTMENT = "adjustment"
    CLAWBACK = "clawback"
    GUARANTEED = "guaranteed"
    CAPPED = "capped"


class Fact(Message, frozen=True):
    """What every outward money fact carries."""

    batch: Int64
    booked_at: Instant
    is_replay: bool


@on("credits", "paceboard.credit.booked.v1", key=lambda m: m.payee_id, key_is="payee_id")
class CreditBooked(Fact, frozen=True):
    """A payee was counted for a deal, or such a credit was reversed (`reverses`)."""

    credit_id: Key
    deal_id: Key
    deal_version: Int64
    deal_source: SourceName
    deal_revision: Int64
    payee_id: Key
    account_id: Key
    role: Role
    credit_type: Text
    ordinal: int
    amount: Booked
    currency: CurrencyText
    closed_on: dt.date
    origin_period: Key
    segment: Key
    cause: Cause
    reference_version: Int64
    period_state: PeriodState
    reverses: Key | None = None


@on("accruals", "paceboard.accrual.posted.v1", key=lambda m: m.account_id, key_is="account_id")
class AccrualPosted(Fact, frozen=True):
    """An entry: what a batch's credits changed in one component and origin period of an account."""

    entry_id: Key
    account_id: Key
    account_version: Int64
    payee_id: Key | None
    component: Key
    segment: Key
    origin_period: Key
    booking_period: Key
    kind: EntryKind
    credited: Booked
    earned: Booked
    currency: CurrencyText
    credits: int  # how many credits of this batch it covers
    credited_after: Booked
    earned_after: Booked
    plan_id: Key
    plan_version: Int64
    cause: Cause
    reference_version: Int64
    period_state: PeriodState


class PositionState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One cell of an account: a component over an interval, in one assignment segment."""

    component: Key
    segment: Key
    period: Key
    credited: Booked
    credits: int
    earned: Booked
    counts_for_attainment: bool
    quota: Booked | None = None
    attainment_ratio: Booked | None = None


@on(
    "progress",
    "paceboard.progress.changed.v1",
    key=lambda m: m.account_id,
    key_is="account_id",
)
class ProgressChanged(Fact, frozen=True):
    """The state of an account. Newest version wins; an older one that arrives later is a hint."""

    account_id: Key
    version: Int64
    payee_id: Key | None
    plan_year: Key
    currency: CurrencyText
    positions: tuple[PositionState, ...]
    changed_periods: tuple[Key, ...]
    cause: Cause


class StandingRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of a board. `moved` is places since the start of the business day, up is positive."""

    payee_id: Key
    rank: int | None  # None: no quota on a board by attainment
    moved: int | None
    amount: Booked
    quota: Booked | None
    attainment_ratio: Booked | None
    gap_to_next: Booked | None  # in the board's measure: money, or a fraction of one


@on("standings", "paceboard.standings.changed.v1", key=lambda m: m.board_id, key_is="board_id")
class StandingsChanged(Message, frozen=True):
    """Rows of a board that changed. Newest version wins. No pay stands here."""

    board_id: Key
    version: Int64
    period: Key
    business_date: dt.date
    complete_through: Instant | None
    expected_share: Booked | None
    curve: Text | None
    total_amount: Booked
    total_quota: Booked | None
    currency: CurrencyText
    rows: tuple[StandingRow, ...]
    removed: tuple[Key, ...]
    why: tuple[Text, ...]
    is_replay: bool


class AlertKind(enum.StrEnum):
    """The first kind of alert."""

    OFF_PACE = "off_pace"


class Severity(enum.StrEnum):
    """How bad."""

    WARNING = "warning"
    SEVERE = "severe"


class CreditedDeal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A deal among an alert's evidence, with what the payee is credited for it."""

    deal_id: Key
    closed_on: dt.date
    credited: Booked


class Alert(Message, frozen=True):
    """A state machine per (subject, kind, period), with its evidence, all of one committed state.

    `last_deals` are the last to close (at most ALERT_DEALS_MAX, the newest first) of the
    `deal_count` deals credited towards the quota by `business_date`.
    """

    alert_id: Key
    subject: Key
    kind: AlertKind
    period: Key
    payee_id: Key | None
    manager_id: Key | None
    severity: Severity
    version: Int64
    business_date: dt.date
    raised_on: dt.date | None
    attainment_ratio: Booked
    expected_share: Booked
    pace_ratio: Booked
    threshold: Booked
    first_value: Booked
    credited: Booked
    quota: Booked
    currency: CurrencyText
    curve: Text
    suggested_action: Text
    expected_now: Booked | None = None  # what would be on pace: expected share x quota
    required_per_remaining_working_day: Booked | None = None  # None: no working day is left
    working_days_left: Int64 | None = None
    deal_count: Int64 | None = None
    last_deals: tuple[CreditedDeal, ...] = ()


@on("alerts", "paceboard.alert.raised.v1", key=lambda m: m.payee_id or m.subject, key_is="payee_id")
class AlertRaised(Alert, frozen=True):
    """Now there is something to do about it."""


@on(
    "alerts", "paceboard.alert.updated.v1", key=lambda m: m.payee_id or m.subject, key_is="payee_id"
)
class AlertUpdated(Alert, frozen=True):
    """It is still so; the evidence has changed."""


@on(
    "alerts", "paceboard.alert.cleared.v1", key=lambda m: m.payee_id or m.subject, key_is="payee_id"
)
class AlertCleared(Alert, frozen=True):
    """It is over."""


@on("reference", "paceboard.plan.published.v1", key=lambda m: m.entity, key_is="entity")
class PlanPublished(Message, frozen=True):
    """A version of a plan is in force."""

    entity: Key
    plan_id: Key
    plan_version: Int64
    reference_version: Int64
    known_at: Instant


@on("reference", "paceboard.quota.set.v1", key=lambda m: m.entity, key_is="entity")
class QuotaSet(Message, frozen=True):
    """A payee's quota of a period."""

    entity: Key
    payee_id: Key
    period: Key
    quota: Booked
    currency: CurrencyText
    reference_version: Int64
    known_at: Instant


@on("reference", "paceboard.assignment.changed.v1", key=lambda m: m.entity, key_is="entity")
class AssignmentChanged(Message, frozen=True):
    """A payee is assigned to a plan."""

    entity: Key
    payee_id: Key
    plan_id: Key
    starts_on: dt.date
    ends_on: dt.date | None
    reference_version: Int64
    known_at: Instant


@on("reference", "paceboard.period.locked.v1", key=lambda m: m.entity, key_is="entity")
class PeriodLocked(Message, frozen=True):
    """A period is locked: its pay is final."""

    entity: Key
    period: Key
    reference_version: Int64
    known_at: Instant


class RefusalCode(enum.StrEnum):
    """Why a record was refused. Each has its sentence and its next step in schemas/refusals.py."""

    UNREADABLE = "unreadable"
    UNKNOWN_TYPE = "unknown_type"
    BREAKS_CONTRACT = "breaks_contract"
    SPLITS_DO_NOT_SUM = "splits_do_not_sum"
    LINES_DO_NOT_SUM = "lines_do_not_sum"
    WON_WITHOUT_DATE = "won_without_date"
    WON_WITHOUT_AMOUNT = "won_without_amount"
    DATE_OUT_OF_RANGE = "date_out_of_range"
    TOO_MANY_REVISIONS = "too_many_revisions"
    EQUAL_REVISION_CONFLICT = "equal_revision_conflict"
    TOO_LARGE = "too_large"
    UNBOOKABLE = "unbookable"


@on("dead-letters", "paceboard.record.refused.v1", key=lambda m: m.source_key, key_is="source key")
class RecordRefused(Message, frozen=True):
    """A record that could not be used: what, where, what to do, and its first 4 KiB.

    EQUAL_REVISION_CONFLICT reports two contents of one revision; the greater digest was used.
    """

    dead_letter_id: Key
    topic: Text
    partition: int
    offset: Int64
    source_key: Text
    code: RefusalCode
    where: Text
    problem: str
    remedy: Text
    value_start: str  # UTF-8, undecodable bytes replaced
    value_bytes: int
    batch: Int64
    booked_at: Instant


class SourceRange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Offsets [first, next) of one partition of the deals topic."""

    partition: int
    first: Int64
    next: Int64


class TopicEnd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Up to which offset (exclusive) of an outward partition a batch's facts stand."""

    topic: Text
    partition: int
    next: Int64


@on(
    "batches",
    "paceboard.batch.published.v1",
    key=lambda m: str(m.sources[0].partition) if m.sources else "",
    key_is="its lowest source partition",
)
class BatchPublished(Message, frozen=True):
    """The mark of a batch, written last: whoever has read all `ends` has all of it."""

    batch: Int64
    booked_at: Instant
    timeline: Int64
    sources: tuple[SourceRange, ...]
    accounts: dict[str, int]  # the version it gave each account
    ends: tuple[TopicEnd, ...]


DealsMessage = DealChanged | RecreditDeal | Reaccrue | Drain | SourceCompleteThrough
Visibility = Literal["everyone", "team", "managers"]
