/**
 * The frames of `WS /v1/live`, as schemas/live.py declares them; tests/frames.test.ts compares.
 * Amounts and ratios are exact decimals as text: read them with exact.ts, never with Number().
 */

/** An exact decimal as text: "32184.0312", "-0.5". */
export type Booked = string;
/** An instant, RFC 3339. */
export type Instant = string;
/** A date, YYYY-MM-DD. */
export type Day = string;

export interface Stamps {
  period: string;
  period_name: string;
  starts_on: Day;
  ends_on: Day;
  state: 'open' | 'locked';
  complete_through: Instant | null;
  currency: string;
}

export interface Clock {
  business_at: Instant;
  rate: Booked;
}

export interface BoardRow {
  payee_id: string;
  name: string;
  territory: string | null;
  rank: number | null;
  moved: number | null;
  amount: Booked;
  quota: Booked | null;
  attainment_ratio: Booked | null;
  gap_to_next: Booked | null;
  is_me?: boolean;
}

export interface BoardState {
  board_id: string;
  name: string;
  measure: string;
  stamps: Stamps;
  business_date: Day;
  moved_since: string;
  expected_share: Booked | null;
  curve: string | null;
  total_amount: Booked;
  total_quota: Booked | null;
  total_ratio: Booked | null;
  rows: readonly BoardRow[];
}

export interface ComponentProgress {
  component: string;
  credited: Booked;
  credits: number;
  earned: Booked;
}

export interface AlertView {
  alert_id: string;
  /** Whom it is about. */
  payee_id: string;
  kind: 'off_pace';
  severity: 'warning' | 'severe';
  raised_on: Day;
  is_acknowledged: boolean;
  short_of_pace: Booked;
  text: string;
}

export interface PayeeProgress {
  payee_id: string;
  name: string;
  stamps: Stamps;
  account_id: string;
  account_version: number;
  credited: Booked;
  quota: Booked | null;
  attainment_ratio: Booked | null;
  gap_to_quota: Booked | null;
  expected_share: Booked | null;
  curve: string | null;
  pace_ratio: Booked | null;
  working_days_left: number;
  required_per_remaining_working_day: Booked | null;
  earned_provisional: Booked;
  earned_final: Booked;
  components: readonly ComponentProgress[];
  alerts: readonly AlertView[];
  corrections?: Booked;
}

/** A payee by id and name; a colleague whom you may not see has neither. */
export interface PayeeRef {
  payee_id: string | null;
  name: string;
}

/** One person of a team. `credited` counts his own deals (owner and splits), each once. */
export interface TeamRow {
  payee_id: string;
  name: string;
  title: string | null;
  territory: string | null;
  /** Whose team it is: his own deals. */
  is_lead: boolean;
  credited: Booked;
  quota: Booked | null;
  attainment_ratio: Booked | null;
  pace_ratio: Booked | null;
  gap_to_quota: Booked | null;
  /** Expected by now - credited, never below zero. */
  short_of_pace: Booked | null;
  required_per_remaining_working_day: Booked | null;
  last_credit_on: Day | null;
  /** How many shares of his wait. */
  held: number;
  alerts: readonly AlertView[];
}

/** A manager's team: those with open alerts first, then by money short of pace. */
export interface TeamState {
  manager: PayeeRef;
  stamps: Stamps;
  business_date: Day;
  rows: readonly TeamRow[];
  /** The sum of the rows. */
  total_credited: Booked;
  /** The sum of the rows' quotas. */
  total_quota: Booked | null;
  total_ratio: Booked | null;
  total_gap: Booked | null;
  total_short_of_pace: Booked;
  required_per_remaining_working_day: Booked | null;
  working_days_left: number;
  expected_share: Booked | null;
  curve: string | null;
  pace_ratio: Booked | null;
  /** What the manager's own account says of the team and himself. */
  ledger_credited: Booked;
  /** ledger_credited - total_credited: credited while they were elsewhere. */
  not_in_rows: Booked;
  /** In words, with the amounts. */
  reconciliation: string;
  /** Raised and not acknowledged. */
  open_alerts: number;
}

export interface Watch {
  type: 'watch';
  channels: readonly string[];
}

export interface Unwatch {
  type: 'unwatch';
  channels: readonly string[];
}

export interface Hello {
  type: 'hello';
  user_id: string;
  payee_id: string | null;
  role: string;
  timeline: number;
  heartbeat_seconds: number;
  clock: Clock;
}

export interface BoardSnapshot {
  type: 'board';
  channel: string;
  version: number;
  board: BoardState;
  clock: Clock;
}

export interface PayeeSnapshot {
  type: 'payee';
  channel: string;
  version: number;
  progress: PayeeProgress;
  clock: Clock;
}

export interface TeamSnapshot {
  type: 'team';
  channel: string;
  version: number;
  team: TeamState;
  clock: Clock;
}

export interface Heartbeat {
  type: 'heartbeat';
  clock: Clock;
  is_booking: boolean;
}

export interface Unwatched {
  type: 'unwatched';
  channel: string;
  reason: string;
}

export interface Refused {
  type: 'error';
  title: string;
  detail: string;
  channel?: string | null;
}

export type Snapshot = BoardSnapshot | PayeeSnapshot | TeamSnapshot;
export type ServerFrame = Hello | Snapshot | Heartbeat | Unwatched | Refused;
export type ClientFrame = Watch | Unwatch;

/** Why the server closes the socket. */
export const CloseCode = {
  GOING_AWAY: 1001,
  POLICY: 1008,
  TOO_BIG: 1009,
  NOT_AUTHENTICATED: 4401,
  SESSION_EXPIRED: 4403,
  TOO_SLOW: 4408,
  TOO_FAST: 4429,
} as const;

export const boardChannel = (boardId: string): string => `board:${boardId}`;
export const payeeChannel = (payeeId: string): string => `payee:${payeeId}`;
export const teamChannel = (payeeId: string): string => `team:${payeeId}`;
