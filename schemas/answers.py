"""What the API answers, beside the frames of schemas/live.py: one declaration for API, CLI and web.

Amounts and ratios are strings, dates ISO dates, instants RFC 3339 in UTC. `business_at` is the
instant by the business clock, `booked_at` by the real one. A list is `rows` and `next_cursor`: None
when there are no more. A `*_words` field is a sentence for people, made by domain/wording.py alone.
"""

import datetime as dt
import enum

import msgspec

from schemas import live
from schemas.live import Clock, Stamps
from schemas.messages import DealStatus, PeriodState, RefusalCode, Role
from schemas.money import Booked
from schemas.state import HoldReason
from schemas.times import Instant

# Shown by frames and answers alike, so declared there.
PayeeRef = live.PayeeRef
TeamRow = live.TeamRow
TeamState = live.TeamState


class _Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of answers and their parts."""


# ---- a deal: its fate, its receipt, its history -------------------------------------------------


class Fate(enum.StrEnum):
    """Where a deal, or one thing that was sent, has got to."""

    RECEIVED = "received"  # on the topic, not booked yet
    SUPERSEDED = "superseded"  # a higher revision of the source counts
    CREDITED = "credited"
    HELD = "held"  # at least one share waits
    NOT_ELIGIBLE = "not_eligible"  # a rule excludes it; nobody has to act
    NOT_COUNTED = "not_counted"  # open, lost or cancelled
    REFUSED = "refused"


class DealFate(_Answer, frozen=True):
    """What became of one thing that was sent: a revision of a deal, or a refused record."""

    tracking_id: str | None  # None: a refused record that cannot be read
    deal_id: str | None
    source: str | None
    revision: int | None
    fate: Fate
    fate_words: str  # one sentence: what, and why
    next_step: str | None  # what to do, when there is something to do
    booked_at: Instant | None  # None: not booked yet


class Fates(_Answer, frozen=True):
    """What was sent about a deal, newest first, at most REVISIONS_SHOWN_MAX."""

    rows: tuple[DealFate, ...]


class DealRow(_Answer, frozen=True):
    """A deal in a list."""

    deal_id: str
    key: str  # the source's own id
    source: str
    name: str | None
    customer: str | None
    status: DealStatus
    fate: Fate
    fate_words: str
    amount: Booked | None
    currency: str | None
    closed_on: dt.date | None
    revision: int
    received_at: Instant  # first booked: never changes
    booked_at: Instant  # last booked


class Deals(_Answer, frozen=True):
    """A page of deals."""

    rows: tuple[DealRow, ...]
    next_cursor: str | None


class SliceView(_Answer, frozen=True):
    """A part of a credit within one tier: credited x rate = pay, exact."""

    tier: int  # counted from 1
    tier_words: str  # "Tier 1, up to quota"
    credited: Booked
    rate: Booked
    rate_text: str  # "1.5 %"
    pay: Booked  # exact


class ReceiptLine(_Answer, frozen=True):
    """What one credit of the deal pays in one component: its place, its slices, its rounding."""

    component: str
    component_words: str
    payee: PayeeRef
    role: Role
    role_words: str  # "Owner, 100 % of the deal"
    share: Booked | None  # of the deal's amount, where both are in one currency
    credit_id: str
    credited: Booked
    before: Booked  # what was credited in canonical order before this credit
    after: Booked
    slices: tuple[SliceView, ...]
    exact: Booked  # sum of the slices
    rounding: Booked  # earned - exact
    earned: Booked
    effective_rate_text: str | None  # "1.5 %", None when nothing was credited
    sentence: str  # "32,184.03 is paid at 1.5 %: 482.76."
    stamps: Stamps
    quota: Booked | None
    plan_id: str
    plan_name: str
    plan_version: int
    earned_on_arrival: Booked | None  # what the entry said that booked it, where it had it alone
    is_correction: bool


class CreditView(_Answer, frozen=True):
    """A credit or a reversal as booked."""

    credit_id: str
    deal_id: str
    payee: PayeeRef
    role: Role
    credit_type: str
    amount: Booked
    currency: str
    closed_on: dt.date
    origin_period: str
    cause: str
    cause_words: str
    deal_source: str
    deal_revision: int
    reverses: str | None
    is_in_force: bool
    batch: int
    booked_at: Instant
    business_at: Instant


class HeldView(_Answer, frozen=True):
    """A share of a deal that waits."""

    deal_id: str
    key: str
    source: str
    name: str | None
    share: str  # which share of the deal: with the deal it is this row, for as long as it waits
    reason: HoldReason
    reason_words: str
    next_step: str
    payee: PayeeRef | None  # whose it would be, where that is known
    payee_key: str | None
    role: Role
    amount: Booked
    currency: str
    closed_on: dt.date | None
    held_since: Instant


class RevisionView(_Answer, frozen=True):
    """A revision as received. `content` is the message itself: admins see it, others do not."""

    source: str
    revision: int
    changed_on: dt.date
    outcome: str  # new, superseded, conflict
    words: str  # "amount 49,820.00 -> 52,756.09; owner changed", against the one below it
    tracking_id: str
    booked_at: Instant
    business_at: Instant
    is_current: bool
    partition: int
    offset: int
    content: msgspec.Raw | None


class DealAnswer(_Answer, frozen=True):
    """A deal opened: what became of it, what it pays whom you may see, and what it rests on."""

    deal: DealRow
    next_step: str | None
    version: int
    channel: str | None
    type: str | None
    stage: str | None
    source_url: str | None
    receipt: tuple[ReceiptLine, ...]  # of the payees you may see
    others_credited: int  # how many credits of payees you may not see
    credits: tuple[CreditView, ...]
    held: tuple[HeldView, ...]
    rule_id: str | None  # that makes it not eligible
    revisions: tuple[RevisionView, ...]  # newest first, at most REVISIONS_SHOWN_MAX
    revision_count: int
    complete_through: Instant | None  # of its source
    clock: Clock


class Credits(_Answer, frozen=True):
    """A page of credits and reversals as booked."""

    rows: tuple[CreditView, ...]
    next_cursor: str | None


# ---- statements ---------------------------------------------------------------------------------


class StatementRow(_Answer, frozen=True):
    """A statement in the list of a payee's."""

    period: str
    period_name: str
    starts_on: dt.date
    ends_on: dt.date
    state: PeriodState
    earned: Booked
    currency: str
    line_count: int | None  # None: not frozen yet
    statement_hashes: tuple[str, ...]  # of a locked period: one an account
    frozen_at: Instant | None


class Statements(_Answer, frozen=True):
    """A payee's statements, the newest period first: those with entries."""

    payee: PayeeRef
    rows: tuple[StatementRow, ...]


class StatementPart(_Answer, frozen=True):
    """What one component of one origin period comes to in a statement."""

    component: str
    component_words: str
    origin_period: str
    origin_period_name: str
    is_correction: bool
    credited: Booked
    earned: Booked
    lines: int


class StatementAccount(_Answer, frozen=True):
    """One account's part of a statement. A payee has an account a plan year; what corrects an
    earlier year is booked there."""

    account_id: str
    earned: Booked
    line_count: int
    statement_hash: str
    is_frozen: bool
    frozen_at: Instant | None


class StatementAnswer(_Answer, frozen=True):
    """The statement of an open or locked period; its lines are a list of their own."""

    payee: PayeeRef
    stamps: Stamps
    accounts: tuple[StatementAccount, ...]
    credited: Booked  # what counts for attainment
    earned: Booked
    earned_by_entries: Booked  # the ledger's sum; always the same as earned
    parts: tuple[StatementPart, ...]
    line_count: int
    is_frozen: bool
    version: int


class LineView(_Answer, frozen=True):
    """A line of a statement: one credit's share in canonical order, or a correction."""

    account_id: str
    ordinal: int  # in its account's statement, as it stands now
    deal_id: str | None
    key: str | None
    deal_name: str | None
    customer: str | None
    deal_amount: Booked | None
    deal_currency: str | None
    closed_on: dt.date | None
    role: Role | None
    share: Booked | None
    component: str
    component_words: str
    origin_period: str
    is_correction: bool
    credited: Booked
    earned: Booked
    effective_rate_text: str | None
    state: str  # "provisional" or "final"
    cause_words: str  # "order SO69393, revision 3" or "correction of 1 Mar - 31 May 2013"
    plan_id: str
    plan_version: int
    deal_source: str | None
    deal_revision: int | None
    credit_id: str | None


class Lines(_Answer, frozen=True):
    """A page of a statement's lines."""

    rows: tuple[LineView, ...]
    next_cursor: str | None


# ---- what changed, and why ----------------------------------------------------------------------


class FeedDeal(_Answer, frozen=True):
    """A deal's part in a change: its net credit, and its share of pay as it arrived."""

    deal_id: str
    key: str
    name: str | None
    credited: Booked
    earned: Booked | None  # None: rates have changed since, so it cannot be told apart
    rate_text: str | None
    words: str  # "SO69393: 32,184.03 credited, +482.76 at 1.5 %"


class FeedItem(_Answer, frozen=True):
    """One change of a payee's credit or pay, of his alerts, or a statement that was frozen.

    A change of money is one entry of the ledger: what one batch changed in one component, origin
    period and assignment. Once there an item never changes.
    """

    id: str
    kind: str  # "credit", "correction", "alert", "lock"
    cause: str
    words: str
    booked_at: Instant
    business_at: Instant
    period: str
    period_name: str
    origin_period: str | None
    component: str | None
    currency: str | None
    credited: Booked | None  # the change
    credited_before: Booked | None
    credited_after: Booked | None
    earned: Booked | None
    earned_before: Booked | None
    earned_after: Booked | None
    deals: tuple[FeedDeal, ...]  # at most FEED_DEALS_MAX
    deal_count: int
    is_replay: bool


class FeedPage(_Answer, frozen=True):
    """A page of what changed, newest first."""

    rows: tuple[FeedItem, ...]
    next_cursor: str | None


# ---- the team -----------------------------------------------------------------------------------


class TeamAnswer(_Answer, frozen=True):
    """A team and its version; of two answers the greater version is the newer."""

    version: int
    team: TeamState


# ---- alerts -------------------------------------------------------------------------------------


class AlertDeal(_Answer, frozen=True):
    """A deal among an alert's evidence."""

    deal_id: str
    key: str
    name: str | None
    closed_on: dt.date
    credited: Booked


class AlertNote(_Answer, frozen=True):
    """Something a person said of an alert; an acknowledgement is one too."""

    at: Instant
    business_at: Instant
    by: str  # a name
    is_acknowledgement: bool
    text: str


class AlertEvent(_Answer, frozen=True):
    """A step in an alert's life."""

    event: str  # raised, updated, cleared
    business_date: dt.date
    pace_ratio: Booked
    words: str


class AlertRow(_Answer, frozen=True):
    """An alert in a list."""

    alert_id: str
    kind: str
    severity: str
    state: str  # "open", "acknowledged", "cleared"
    payee: PayeeRef
    manager: PayeeRef | None
    period: str
    period_name: str
    raised_on: dt.date  # this time; of a cleared one the last time
    first_raised_at: Instant  # never changes
    last_change_on: dt.date
    version: int
    words: str  # "Shu Ito is off pace"
    pace_ratio: Booked
    short_of_pace: Booked
    currency: str


class Alerts(_Answer, frozen=True):
    """A page of alerts."""

    rows: tuple[AlertRow, ...]
    next_cursor: str | None


class AlertAnswer(_Answer, frozen=True):
    """An alert with its evidence."""

    alert: AlertRow
    first_value: Booked  # the pace ratio by which it was raised
    threshold: Booked
    clears_above: Booked
    credited: Booked
    quota: Booked
    attainment_ratio: Booked
    expected_share: Booked
    expected_now: Booked
    curve: str
    working_days_left: int
    required_per_remaining_working_day: Booked | None
    last_deals: tuple[AlertDeal, ...]
    deal_count: int
    suggested_action: str
    may_acknowledge: bool
    may_note: bool
    events: tuple[AlertEvent, ...]
    notes: tuple[AlertNote, ...]


# ---- the admin's work queue ---------------------------------------------------------------------


class QueueMoney(_Answer, frozen=True):
    """Money in one currency; never summed across currencies."""

    currency: str
    amount: Booked


class QueueGroup(_Answer, frozen=True):
    """One reason in a queue."""

    reason: str
    reason_words: str
    next_step: str
    count: int
    money: tuple[QueueMoney, ...]
    oldest: Instant | None


class Queue(_Answer, frozen=True):
    """A queue by reason, most money first."""

    count: int
    money: tuple[QueueMoney, ...]
    groups: tuple[QueueGroup, ...]


class HeldPage(_Answer, frozen=True):
    """A page of held shares."""

    rows: tuple[HeldView, ...]
    next_cursor: str | None


class DeadLetterRow(_Answer, frozen=True):
    """A record that was refused."""

    dead_letter_id: str
    code: RefusalCode
    source_key: str
    where: str
    problem: str
    next_step: str
    topic: str
    partition: int
    offset: int
    value_start: str  # UTF-8, undecodable bytes replaced
    value_bytes: int
    booked_at: Instant
    business_at: Instant


class DeadLetters(_Answer, frozen=True):
    """A page of dead letters."""

    rows: tuple[DeadLetterRow, ...]
    next_cursor: str | None


class DeadLetterAnswer(_Answer, frozen=True):
    """A dead letter with the whole record as received."""

    letter: DeadLetterRow
    value: str  # the whole, UTF-8, undecodable bytes replaced


class IneligibleRow(_Answer, frozen=True):
    """A deal that a rule excludes."""

    deal_id: str
    key: str
    name: str | None
    rule_id: str
    reason: str
    amount: Booked | None
    currency: str | None
    closed_on: dt.date | None
    booked_at: Instant


class IneligiblePage(_Answer, frozen=True):
    """A page of deals that are not eligible."""

    rows: tuple[IneligibleRow, ...]
    next_cursor: str | None


class SourceView(_Answer, frozen=True):
    """A source and how far it says that it is complete."""

    source: str
    description: str | None
    complete_through: Instant | None  # None: not every partition has heard it say so
    business_behind: str | None  # in words: "2 h behind", None when not known
    last_booked_at: Instant | None
    deals: int
    credited: int
    held: int
    not_eligible: int
    not_counted: int
    refused: int


class Sources(_Answer, frozen=True):
    """Where deals come from."""

    rows: tuple[SourceView, ...]


class LockCheckRow(_Answer, frozen=True):
    """One check before a lock."""

    check: str  # an id: "complete", "held", "dead_letters", ...
    words: str
    state: str  # "ok", "warning", "blocker"
    count: int | None
    money: tuple[QueueMoney, ...]
    link: str | None  # a page of ours


class LockAnswer(_Answer, frozen=True):
    """What a lock of a period would freeze, and how far a lock is."""

    period: str
    period_name: str
    state: PeriodState
    may_lock: bool
    checks: tuple[LockCheckRow, ...]
    accounts: int
    entries: int
    earned: Booked
    currency: str
    step: str | None  # of a lock under way: "draining", "locking", "freezing statements"
    done: int
    of: int
    problem: str | None  # why the last attempt ended without a lock
    locked_at: Instant | None
    statements_frozen: int


class AdminAnswer(_Answer, frozen=True):
    """The admin's first page in one committed state."""

    version: int
    clock: Clock
    business_date: dt.date
    held: Queue
    dead_letters: Queue  # reasons are refusal codes; no money is known of them
    not_eligible: Queue  # reasons are rules
    sources: tuple[SourceView, ...]
    period: str  # the one whose lock is next
    alerts_open: int


# ---- files --------------------------------------------------------------------------------------


class ImportState(enum.StrEnum):
    """Where an import stands."""

    CHECKING = "checking"  # the file is being read
    CHECKED = "checked"  # a dry run is done: commit it, or leave it
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"


class ImportCounts(_Answer, frozen=True):
    """How many rows are what: rows = new + changed + unchanged + refused."""

    rows: int
    new: int
    changed: int
    unchanged: int  # known already, or superseded
    superseded: int  # of those: a higher revision of the deal is known
    refused: int
    sent: int


class ImportMoney(_Answer, frozen=True):
    """What the file would change for one payee and period.

    `credited` counts all his credits of the period, those of his team as well.
    """

    payee: PayeeRef
    period: str  # the origin
    period_state: PeriodState
    booked_into: str  # the same period; of a locked one the first open period after it
    currency: str
    credited: Booked  # the change
    earned: Booked


class ImportFault(_Answer, frozen=True):
    """A refused row, among the first of them."""

    row: int
    column: str | None
    code: str
    message: str


class ImportAnswer(_Answer, frozen=True):
    """An import: what the file says, and what it would do."""

    import_id: str
    file_name: str
    file_digest: str
    bytes: int
    state: ImportState
    by: str
    created_at: Instant
    mapping_id: str | None
    is_history: bool
    counts: ImportCounts
    credited: tuple[QueueMoney, ...]  # the change, each deal once
    earned: tuple[QueueMoney, ...]  # the change
    corrections: tuple[QueueMoney, ...]  # of `earned`: of locked periods, booked into open ones
    held: int  # shares that would wait
    not_eligible: int
    effects: tuple[ImportMoney, ...]  # most money first, at most IMPORT_EFFECTS_MAX
    effects_count: int
    first_errors: tuple[ImportFault, ...]  # at most IMPORT_ERRORS_SHOWN_MAX
    has_error_file: bool
    problem: str | None  # why it failed, and what to do
    moved: str | None  # what the load does otherwise than the dry run said
    done_rows: int  # of the step under way
    of_rows: int | None  # None: not counted yet
    was_loaded_before: bool  # the same file with the same mapping


class Imports(_Answer, frozen=True):
    """Imports, newest first."""

    rows: tuple[ImportAnswer, ...]
    next_cursor: str | None


class Columns(_Answer, frozen=True):
    """What a file's header looks like, and the mapping that would fit best."""

    header: tuple[str, ...]
    sheet: str | None  # of a workbook
    sheets: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]  # the first rows
    guess: msgspec.Raw  # a mapping document; it may lack a field that a mapping needs
    doubts: tuple[str, ...]  # sentences: what a person must look at
    saved: tuple[str, ...]  # ids of saved mappings whose columns are all there


class MappingAnswer(_Answer, frozen=True):
    """A saved mapping."""

    mapping_id: str
    name: str
    source: str
    document: msgspec.Raw
    version: int  # also its ETag


class Mappings(_Answer, frozen=True):
    """The saved mappings."""

    rows: tuple[MappingAnswer, ...]
