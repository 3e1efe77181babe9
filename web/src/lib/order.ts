/**
 * What a board shows of the frames that came: all of them at once, or, while its reader is in it,
 * new numbers in the old order; while paused, nothing new.
 *
 * What speaks of a place (rank, movement, gap to the next) is held together with the order, so
 * that a row never claims a rank it does not stand on.
 */

import type { BoardRow, BoardState } from './frames.ts';

export type Place = Pick<BoardRow, 'rank' | 'moved' | 'gap_to_next'>;

export interface Arranged {
  readonly rows: readonly BoardRow[];
  /** How many rows would have to move to reach the new order. */
  readonly moves: number;
}

/** The order on the screen: payees from top to bottom with the places they were given. */
export type Order = ReadonlyMap<string, Place>;

export const orderOf = (rows: readonly BoardRow[]): Order =>
  new Map(rows.map((row) => [row.payee_id, placeOf(row)]));

const placeOf = ({ rank, moved, gap_to_next }: BoardRow): Place => ({ rank, moved, gap_to_next });

/** The new numbers in the held order; who left is gone at once, who came stands at the end. */
export function arranged(board: BoardState, held: Order): Arranged {
  const rows = new Map(board.rows.map((row) => [row.payee_id, row]));
  const kept = [...held].flatMap(([payee, place]) => {
    const row = rows.get(payee);
    return row ? [{ ...row, ...place }] : [];
  });
  const come = board.rows.filter((row) => !held.has(row.payee_id));
  const shown = [...kept, ...come];
  return { rows: shown, moves: movesBetween(shown, board.rows) };
}

/** The least number of rows to take out and put back: what is not on the longest rising run. */
function movesBetween(from: readonly BoardRow[], to: readonly BoardRow[]): number {
  const target = new Map(to.map((row, index) => [row.payee_id, index]));
  const tails: number[] = [];
  for (const row of from) {
    const at = target.get(row.payee_id) ?? 0;
    tails[firstNotBelow(tails, at)] = at;
  }
  return from.length - tails.length;
}

function firstNotBelow(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
