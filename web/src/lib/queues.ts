/** Words for the admin's queues, the checks of a lock, and files. */

import type { ImportState, LockAnswer, QueueMoney } from './answers.ts';
import { exact, money, sign, signedMoney } from './exact.ts';
import { count } from './words.ts';

/** "1,234.00 USD"; of several currencies each by itself, never a sum of them. */
export const amounts = (list: readonly QueueMoney[]): readonly string[] =>
  list.map(({ amount, currency }) => `${money(exact(amount))}\u00a0${currency}`);

/** A change, with its sign: "+1,234.00 USD". */
export const changes = (list: readonly QueueMoney[]): readonly string[] =>
  list.map(({ amount, currency }) => `${signedMoney(exact(amount))}\u00a0${currency}`);

export const isNothing = (text: string): boolean => sign(exact(text)) === 0;

const MINUTE_MS = 60_000;
const STEPS = [
  [24 * 60 * MINUTE_MS, 'day'],
  [60 * MINUTE_MS, 'hour'],
  [MINUTE_MS, 'minute'],
] as const;

/** How long something has waited: "3 days". */
export function waited(since: string, now: number): string {
  const ms = Math.max(0, now - Date.parse(since));
  for (const [unit, word] of STEPS) {
    if (ms >= unit) return count(Math.floor(ms / unit), word);
  }
  return 'less than a minute';
}

// ---- the lock of a period ----

export type CheckState = 'ok' | 'warning' | 'blocker';

export const CHECK_WORDS: Readonly<Record<CheckState, string>> = {
  ok: 'In order',
  warning: 'Look at it',
  blocker: 'In the way',
};

/** An unknown state is shown as one to look at. */
export const checkState = (state: string): CheckState =>
  state === 'ok' || state === 'blocker' ? state : 'warning';

export type LockPhase = 'locked' | 'running' | 'failed' | 'blocked' | 'ready';

/** Where the lock of a period stands. */
export function lockPhase(lock: LockAnswer): LockPhase {
  if (lock.state === 'locked') return lock.step === null ? 'locked' : 'running';
  if (lock.step !== null) return 'running';
  if (lock.problem !== null) return 'failed';
  return lock.may_lock ? 'ready' : 'blocked';
}

const isCheck = (wanted: CheckState) => ({ state }: { state: string }): boolean =>
  checkState(state) === wanted;

export const blockers = ({ checks }: LockAnswer) => checks.filter(isCheck('blocker'));
export const warnings = ({ checks }: LockAnswer) => checks.filter(isCheck('warning'));

/** "2 in the way, 1 to look at", "nothing in the way". */
export function checksInWords(lock: LockAnswer): string {
  const [inTheWay, toLookAt] = [blockers(lock).length, warnings(lock).length];
  const look = toLookAt > 0 ? `, ${toLookAt} to look at` : '';
  return `${inTheWay > 0 ? `${inTheWay} in the way` : 'Nothing in the way'}${look}`;
}

// ---- files ----

export const IMPORT_WORDS: Readonly<Record<ImportState, string>> = {
  checking: 'Being checked',
  checked: 'Checked, not loaded',
  sending: 'Being loaded',
  done: 'Loaded',
  failed: 'Not loaded',
};

export const isUnderWay = (state: ImportState): boolean => state === 'checking' || state === 'sending';

/** "12.4 MB". */
export function fileSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  const [unit, word] = bytes < 1_000_000 ? [1_000, 'kB'] : [1_000_000, 'MB'];
  return `${(Math.floor((bytes * 10) / unit) / 10).toFixed(1)} ${word}`;
}

/** How much of a step is done, 0 to 100; null while nothing is known. */
export function doneShare(done: number, of: number): number | null {
  return of > 0 ? Math.min(100, Math.floor((done * 100) / of)) : null;
}
