/** What a screen reader hears of a board: own rank and milestones, one sentence in ANNOUNCE_MS. */

import { compare, exact } from './exact.ts';
import type { BoardState } from './frames.ts';
import { ANNOUNCE_MS } from './limits.ts';

export interface Announcer {
  readonly rank: number | null;
  readonly reached: ReadonlySet<string> | null;
  readonly pending: readonly string[];
  readonly spokenAt: number | null;
}

export const SILENT: Announcer = { rank: null, reached: null, pending: [], spokenAt: null };

const ONE = exact('1');

/** Takes a board in; the first one is what the page was opened with and is not news. */
export function noticed(before: Announcer, board: BoardState, me: string | null): Announcer {
  const own = board.rows.find((row) => row.payee_id === me);
  const rank = own?.rank ?? null;
  const reached = new Set(
    board.rows
      .filter((row) => row.attainment_ratio && compare(exact(row.attainment_ratio), ONE) >= 0)
      .map((row) => row.payee_id),
  );
  if (before.reached === null) return { ...before, rank, reached };
  const milestones = board.rows
    .filter((row) => reached.has(row.payee_id) && !before.reached?.has(row.payee_id))
    .map((row) => (row.payee_id === me ? 'You reached quota' : `${row.name} reached quota`));
  const kept = before.pending.filter((sentence) => !sentence.startsWith('Rank '));
  const ranked = rank === before.rank ? before.pending.filter(isRank) : rankSentence(before, rank);
  const everReached = new Set([...before.reached, ...reached]);
  return { ...before, rank, reached: everReached, pending: [...ranked, ...kept, ...milestones] };
}

const isRank = (sentence: string): boolean => sentence.startsWith('Rank ');

function rankSentence({ rank: before }: Announcer, rank: number | null): string[] {
  if (rank === null) return [];
  if (before === null) return [`Rank ${rank}`];
  return [`Rank ${rank}, ${rank < before ? 'up' : 'down'} ${Math.abs(before - rank)}`];
}

/** The sentence that is due, if any: all that waits, in one. */
export function spoken(before: Announcer, now: number): readonly [Announcer, string | null] {
  const isDue = before.spokenAt === null || now - before.spokenAt >= ANNOUNCE_MS;
  if (!isDue || before.pending.length === 0) return [before, null];
  const said = before.pending.slice(0, 3);
  const more = before.pending.length - said.length;
  const text = `${said.join('. ')}${more > 0 ? `, and ${more} more` : ''}.`;
  return [{ ...before, pending: [], spokenAt: now }, text];
}
