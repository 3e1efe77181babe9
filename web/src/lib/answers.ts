/**
 * What the API answers, as schemas/answers.py declares it; tests/answers.test.ts compares.
 * Amounts and ratios are exact decimals as text: read them with exact.ts, never with Number().
 * A list is `rows` and `next_cursor`: null when there are no more.
 */

import type { Booked, Clock, Day, Instant, PayeeProgress, PayeeRef, Stamps, TeamState } from './frames.ts';

export type { PayeeRef, TeamRow, TeamState } from './frames.ts';

export type PeriodState = 'open' | 'locked';
export type DealStatus = 'open' | 'won' | 'lost' | 'cancelled';
export type Role = 'owner' | 'split' | 'overlay' | 'rollup';
/** Where a deal, or one thing that was sent, has got to. */
export type Fate =
  | 'received'
  | 'superseded'
  | 'credited'
  | 'held'
  | 'not_eligible'
  | 'not_counted'
  | 'refused';
/** Where an import stands. */
export type ImportState = 'checking' | 'checked' | 'sending' | 'done' | 'failed';

// ---- declared beside their handlers, in api/ ---------------------------------------------------

/** A period of the company's calendar; `ends_on` is the first day after it. */
export interface PeriodView {
  period_id: string;
  plan_year: string;
  name: string;
  starts_on: Day;
  ends_on: Day;
  state: PeriodState;
  is_current: boolean;
}

export interface Periods {
  periods: readonly PeriodView[];
}

/** A payee's progress and its version; of two answers the greater version is the newer. */
export interface ProgressAnswer {
  version: number;
  progress: PayeeProgress;
}

// ---- a deal: its fate, its receipt, its history -------------------------------------------------

/** What became of what was sent under a tracking id. */
export interface DealFate {
  tracking_id: string | null;
  deal_id: string | null;
  source: string | null;
  revision: number | null;
  fate: Fate;
  /** One sentence: what, and why */
  fate_words: string;
  /** What to do, when there is something to do */
  next_step: string | null;
  /** None: not booked yet */
  booked_at: Instant | null;
}

/** What was sent about a deal, newest first. */
export interface Fates {
  rows: readonly DealFate[];
}

/** A deal in a list. */
export interface DealRow {
  deal_id: string;
  /** The source's own id */
  key: string;
  source: string;
  name: string | null;
  customer: string | null;
  status: DealStatus;
  fate: Fate;
  fate_words: string;
  amount: Booked | null;
  currency: string | null;
  closed_on: Day | null;
  revision: number;
  /** First booked: never changes */
  received_at: Instant;
  /** Last booked */
  booked_at: Instant;
}

/** A page of deals. */
export interface Deals {
  rows: readonly DealRow[];
  next_cursor: string | null;
}

/** A part of a credit within one tier: credited x rate = pay, exact. */
export interface SliceView {
  /** Counted from 1 */
  tier: number;
  /** "Tier 1, up to quota" */
  tier_words: string;
  credited: Booked;
  rate: Booked;
  /** "1.5 %" */
  rate_text: string;
  /** Exact */
  pay: Booked;
}

/** What one credit of the deal pays in one component: its place, its slices, its rounding. */
export interface ReceiptLine {
  component: string;
  component_words: string;
  payee: PayeeRef;
  role: Role;
  /** "Owner, 100 % of the deal" */
  role_words: string;
  /** Of the deal's amount, where both are in one currency */
  share: Booked | null;
  credit_id: string;
  credited: Booked;
  /** What was credited in canonical order before this credit */
  before: Booked;
  after: Booked;
  slices: readonly SliceView[];
  /** Sum of the slices */
  exact: Booked;
  /** Earned - exact */
  rounding: Booked;
  earned: Booked;
  /** "1.5 %", None when nothing was credited */
  effective_rate_text: string | null;
  /** "32,184.03 is paid at 1.5 %: 482.76." */
  sentence: string;
  stamps: Stamps;
  quota: Booked | null;
  plan_id: string;
  plan_name: string;
  plan_version: number;
  /** What the entry said that booked it, where it had it alone */
  earned_on_arrival: Booked | null;
  is_correction: boolean;
}

/** A credit or a reversal as booked. */
export interface CreditView {
  credit_id: string;
  deal_id: string;
  payee: PayeeRef;
  role: Role;
  credit_type: string;
  amount: Booked;
  currency: string;
  closed_on: Day;
  origin_period: string;
  cause: string;
  cause_words: string;
  deal_source: string;
  deal_revision: number;
  reverses: string | null;
  is_in_force: boolean;
  batch: number;
  booked_at: Instant;
  business_at: Instant;
}

/** A share of a deal that waits. */
export interface HeldView {
  deal_id: string;
  key: string;
  source: string;
  name: string | null;
  /** Which share of the deal: with the deal it is this row, for as long as it waits */
  share: string;
  reason: string;
  reason_words: string;
  next_step: string;
  /** Whose it would be, where that is known */
  payee: PayeeRef | null;
  payee_key: string | null;
  role: Role;
  amount: Booked;
  currency: string;
  closed_on: Day | null;
  held_since: Instant;
}

/** A revision as received. `content` is the message itself: admins see it, others do not. */
export interface RevisionView {
  source: string;
  revision: number;
  changed_on: Day;
  /** New, superseded, conflict */
  outcome: string;
  /** "amount 49,820.00 -> 52,756.09; owner changed", against the one below it */
  words: string;
  tracking_id: string;
  booked_at: Instant;
  business_at: Instant;
  is_current: boolean;
  partition: number;
  offset: number;
  content: unknown;
}

/** A deal opened: what became of it, what it pays whom you may see, and what it rests on. */
export interface DealAnswer {
  deal: DealRow;
  next_step: string | null;
  version: number;
  channel: string | null;
  type: string | null;
  stage: string | null;
  source_url: string | null;
  /** Of the payees you may see */
  receipt: readonly ReceiptLine[];
  /** How many credits of payees you may not see */
  others_credited: number;
  credits: readonly CreditView[];
  held: readonly HeldView[];
  /** That makes it not eligible */
  rule_id: string | null;
  /** Newest first, at most REVISIONS_SHOWN_MAX */
  revisions: readonly RevisionView[];
  revision_count: number;
  /** Of its source */
  complete_through: Instant | null;
  clock: Clock;
}

/** A page of credits and reversals as booked. */
export interface Credits {
  rows: readonly CreditView[];
  next_cursor: string | null;
}

// ---- statements ---------------------------------------------------------------------------------

/** A statement in the list of a payee's. */
export interface StatementRow {
  period: string;
  period_name: string;
  starts_on: Day;
  ends_on: Day;
  state: PeriodState;
  earned: Booked;
  currency: string;
  /** None: not frozen yet */
  line_count: number | null;
  /** Of a locked period: one an account */
  statement_hashes: readonly string[];
  frozen_at: Instant | null;
}

/** A payee's statements, the newest period first: those with entries. */
export interface Statements {
  payee: PayeeRef;
  rows: readonly StatementRow[];
}

/** What one component of one origin period comes to in a statement. */
export interface StatementPart {
  component: string;
  component_words: string;
  origin_period: string;
  origin_period_name: string;
  is_correction: boolean;
  credited: Booked;
  earned: Booked;
  lines: number;
}

/** One account's part of a statement: a payee has an account a plan year. */
export interface StatementAccount {
  account_id: string;
  earned: Booked;
  line_count: number;
  statement_hash: string;
  is_frozen: boolean;
  frozen_at: Instant | null;
}

/** The statement of an open or locked period; its lines are a list of their own. */
export interface StatementAnswer {
  payee: PayeeRef;
  stamps: Stamps;
  accounts: readonly StatementAccount[];
  credited: Booked;
  earned: Booked;
  /** The ledger's sum; always the same as earned */
  earned_by_entries: Booked;
  parts: readonly StatementPart[];
  line_count: number;
  is_frozen: boolean;
  version: number;
}

/** A line of a statement: one credit's share in canonical order, or a correction. */
export interface LineView {
  account_id: string;
  /** In its account's statement, as it stands now */
  ordinal: number;
  deal_id: string | null;
  key: string | null;
  deal_name: string | null;
  customer: string | null;
  deal_amount: Booked | null;
  deal_currency: string | null;
  closed_on: Day | null;
  role: Role | null;
  share: Booked | null;
  component: string;
  component_words: string;
  origin_period: string;
  is_correction: boolean;
  credited: Booked;
  earned: Booked;
  effective_rate_text: string | null;
  /** "provisional" or "final" */
  state: string;
  /** "order SO69393, revision 3" or "correction of 1 Mar - 31 May 2013" */
  cause_words: string;
  plan_id: string;
  plan_version: number;
  deal_source: string | null;
  deal_revision: number | null;
  credit_id: string | null;
}

/** A page of a statement's lines. */
export interface Lines {
  rows: readonly LineView[];
  next_cursor: string | null;
}

// ---- what changed, and why ----------------------------------------------------------------------

/** A deal's part in a change: its net credit, and its share of pay as it arrived. */
export interface FeedDeal {
  deal_id: string;
  key: string;
  name: string | null;
  credited: Booked;
  /** Null: rates have changed since, so it cannot be told apart */
  earned: Booked | null;
  rate_text: string | null;
  /** "SO69393: 32,184.03 credited, +482.76 at 1.5 %" */
  words: string;
}

/**
 * One change of a payee's credit or pay, or of his alerts: one line per cause. All entries of one
 * batch, component and origin period are one item.
 */
export interface FeedItem {
  id: string;
  /** "credit", "correction", "alert", "lock" */
  kind: string;
  cause: string;
  words: string;
  booked_at: Instant;
  business_at: Instant;
  period: string;
  period_name: string;
  origin_period: string | null;
  component: string | null;
  currency: string | null;
  /** The change */
  credited: Booked | null;
  credited_before: Booked | null;
  credited_after: Booked | null;
  earned: Booked | null;
  earned_before: Booked | null;
  earned_after: Booked | null;
  /** At most FEED_DEALS_MAX */
  deals: readonly FeedDeal[];
  deal_count: number;
  is_replay: boolean;
}

/** A page of what changed, newest first. */
export interface FeedPage {
  rows: readonly FeedItem[];
  next_cursor: string | null;
}

// ---- the team -----------------------------------------------------------------------------------

/** A team and its version; of two answers the greater version is the newer. */
export interface TeamAnswer {
  version: number;
  team: TeamState;
}

// ---- alerts -------------------------------------------------------------------------------------

/** A deal among an alert's evidence. */
export interface AlertDeal {
  deal_id: string;
  key: string;
  name: string | null;
  closed_on: Day;
  credited: Booked;
}

/** Something a person said of an alert; an acknowledgement is one too. */
export interface AlertNote {
  at: Instant;
  business_at: Instant;
  /** A name */
  by: string;
  is_acknowledgement: boolean;
  text: string;
}

/** A step in an alert's life. */
export interface AlertEvent {
  /** Raised, updated, cleared */
  event: string;
  business_date: Day;
  pace_ratio: Booked;
  words: string;
}

/** An alert in a list. */
export interface AlertRow {
  alert_id: string;
  kind: string;
  severity: string;
  /** "open", "acknowledged", "cleared" */
  state: string;
  payee: PayeeRef;
  manager: PayeeRef | null;
  period: string;
  period_name: string;
  raised_on: Day;
  first_raised_at: Instant;
  last_change_on: Day;
  version: number;
  /** "Shu Ito is off pace" */
  words: string;
  pace_ratio: Booked;
  short_of_pace: Booked;
  currency: string;
}

/** A page of alerts. */
export interface Alerts {
  rows: readonly AlertRow[];
  next_cursor: string | null;
}

/** An alert with its evidence. */
export interface AlertAnswer {
  alert: AlertRow;
  /** The pace ratio by which it was raised */
  first_value: Booked;
  threshold: Booked;
  clears_above: Booked;
  credited: Booked;
  quota: Booked;
  attainment_ratio: Booked;
  expected_share: Booked;
  expected_now: Booked;
  curve: string;
  working_days_left: number;
  required_per_remaining_working_day: Booked | null;
  last_deals: readonly AlertDeal[];
  deal_count: number;
  suggested_action: string;
  may_acknowledge: boolean;
  may_note: boolean;
  events: readonly AlertEvent[];
  notes: readonly AlertNote[];
}

// ---- the admin's work queue ---------------------------------------------------------------------

/** Money in one currency; never summed across currencies. */
export interface QueueMoney {
  currency: string;
  amount: Booked;
}

/** One reason in a queue. */
export interface QueueGroup {
  reason: string;
  reason_words: string;
  next_step: string;
  count: number;
  money: readonly QueueMoney[];
  oldest: Instant | null;
}

/** A queue by reason, most money first. */
export interface Queue {
  count: number;
  money: readonly QueueMoney[];
  groups: readonly QueueGroup[];
}

/** A page of held shares. */
export interface HeldPage {
  rows: readonly HeldView[];
  next_cursor: string | null;
}

/** A record that was refused. */
export interface DeadLetterRow {
  dead_letter_id: string;
  code: string;
  source_key: string;
  where: string;
  problem: string;
  next_step: string;
  topic: string;
  partition: number;
  offset: number;
  /** UTF-8, undecodable bytes replaced */
  value_start: string;
  value_bytes: number;
  booked_at: Instant;
  business_at: Instant;
}

/** A page of dead letters. */
export interface DeadLetters {
  rows: readonly DeadLetterRow[];
  next_cursor: string | null;
}

/** A dead letter with the whole record as received. */
export interface DeadLetterAnswer {
  letter: DeadLetterRow;
  /** The whole, UTF-8, undecodable bytes replaced */
  value: string;
}

/** A deal that a rule excludes. */
export interface IneligibleRow {
  deal_id: string;
  key: string;
  name: string | null;
  rule_id: string;
  reason: string;
  amount: Booked | null;
  currency: string | null;
  closed_on: Day | null;
  booked_at: Instant;
}

/** A page of deals that are not eligible. */
export interface IneligiblePage {
  rows: readonly IneligibleRow[];
  next_cursor: string | null;
}

/** A source and how far it says that it is complete. */
export interface SourceView {
  source: string;
  description: string | null;
  /** None: not every partition has heard it say so */
  complete_through: Instant | null;
  /** In words: "2 h behind", None when not known */
  business_behind: string | null;
  last_booked_at: Instant | null;
  deals: number;
  credited: number;
  held: number;
  not_eligible: number;
  not_counted: number;
  refused: number;
}

/** Where deals come from. */
export interface Sources {
  rows: readonly SourceView[];
}

/** One check before a lock. */
export interface LockCheckRow {
  /** An id: "complete", "held", "dead_letters", ... */
  check: string;
  words: string;
  /** "ok", "warning", "blocker" */
  state: string;
  count: number | null;
  money: readonly QueueMoney[];
  /** A page of ours */
  link: string | null;
}

/** What a lock of a period would freeze, and how far a lock is. */
export interface LockAnswer {
  period: string;
  period_name: string;
  state: PeriodState;
  may_lock: boolean;
  checks: readonly LockCheckRow[];
  accounts: number;
  entries: number;
  earned: Booked;
  currency: string;
  /** Of a lock under way: "draining", "locking", "freezing statements" */
  step: string | null;
  done: number;
  of: number;
  /** Why the last attempt ended without a lock */
  problem: string | null;
  locked_at: Instant | null;
  statements_frozen: number;
}

/** The admin's first page in one committed state. */
export interface AdminAnswer {
  version: number;
  clock: Clock;
  business_date: Day;
  held: Queue;
  /** Reasons are refusal codes; no money is known of them */
  dead_letters: Queue;
  /** Reasons are rules */
  not_eligible: Queue;
  sources: readonly SourceView[];
  /** The one whose lock is next */
  period: string;
  alerts_open: number;
}

// ---- files --------------------------------------------------------------------------------------

/** How many rows are what. */
export interface ImportCounts {
  rows: number;
  new: number;
  changed: number;
  unchanged: number;
  /** Of those: a higher revision of the deal is known */
  superseded: number;
  refused: number;
  sent: number;
}

/** What the file would change for one payee and period. */
export interface ImportMoney {
  payee: PayeeRef;
  period: string;
  period_state: PeriodState;
  booked_into: string;
  currency: string;
  /** The change */
  credited: Booked;
  earned: Booked;
}

/** A refused row, among the first of them. */
export interface ImportFault {
  row: number;
  column: string | null;
  code: string;
  message: string;
}

/** An import: what the file says, and what it would do. */
export interface ImportAnswer {
  import_id: string;
  file_name: string;
  file_digest: string;
  bytes: number;
  state: ImportState;
  by: string;
  created_at: Instant;
  mapping_id: string | null;
  is_history: boolean;
  counts: ImportCounts;
  /** The change, each deal once */
  credited: readonly QueueMoney[];
  /** The change */
  earned: readonly QueueMoney[];
  /** Of `earned`: of locked periods, booked into open ones */
  corrections: readonly QueueMoney[];
  /** Shares that would wait */
  held: number;
  not_eligible: number;
  /** Most money first, at most IMPORT_EFFECTS_MAX */
  effects: readonly ImportMoney[];
  effects_count: number;
  /** At most IMPORT_ERRORS_SHOWN_MAX */
  first_errors: readonly ImportFault[];
  has_error_file: boolean;
  /** Why it failed */
  problem: string | null;
  /** What the load does otherwise than the dry run said */
  moved: string | null;
  /** Of the step under way */
  done_rows: number;
  /** Null: not counted yet */
  of_rows: number | null;
  /** The same file with the same mapping */
  was_loaded_before: boolean;
}

/** Imports, newest first. */
export interface Imports {
  rows: readonly ImportAnswer[];
  next_cursor: string | null;
}

/** What a file's header looks like, and the mapping that would fit best. */
export interface Columns {
  header: readonly string[];
  sheet: string | null;
  sheets: readonly string[];
  /** The first rows */
  sample: readonly (readonly string[])[];
  /** A mapping document */
  guess: unknown;
  /** What a person must look at */
  doubts: readonly string[];
  /** Ids of saved mappings whose columns are all there */
  saved: readonly string[];
}

/** A saved mapping. */
export interface MappingAnswer {
  mapping_id: string;
  name: string;
  source: string;
  document: unknown;
  /** Also its ETag */
  version: number;
}

/** The saved mappings. */
export interface Mappings {
  rows: readonly MappingAnswer[];
}
