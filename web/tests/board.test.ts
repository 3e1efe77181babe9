import { describe, expect, it } from 'vitest';

import { noticed, SILENT, spoken } from '../src/lib/announce.ts';
import type { BoardRow, BoardSnapshot, BoardState } from '../src/lib/frames.ts';
import { FREE, isHeld, touched } from '../src/lib/hold.ts';
import { ANNOUNCE_MS, HOLD_MS } from '../src/lib/limits.ts';
import type { Channel } from '../src/lib/live.ts';
import { arranged, orderOf } from '../src/lib/order.ts';
import { look, NOTHING, paused, resumed, type Shown } from '../src/lib/pause.ts';
import { bar, boardScale, ratioScale } from '../src/lib/scale.ts';

const row = (payee_id: string, rank: number, ratio = '0.5'): BoardRow => ({
  payee_id, rank, name: payee_id.toUpperCase(), territory: null, moved: 0,
  amount: '1', quota: '2', attainment_ratio: ratio, gap_to_next: null,
});

function board(...rows: BoardRow[]): BoardState {
  return {
    board_id: 'reps', name: 'Reps', measure: 'attainment', business_date: '2014-01-29',
    moved_since: 'start of 29 Jan', expected_share: '0.9', curve: 'last_year',
    total_amount: '1', total_quota: '2', total_ratio: '0.5', rows,
    stamps: {
      period: 'q', period_name: 'q', starts_on: '2013-11-30', ends_on: '2014-03-01',
      state: 'open', complete_through: null, currency: 'USD',
    },
  };
}

const inOrder = (names: string): BoardState =>
  board(...[...names].map((name, at) => row(name, at + 1, `0.${9 - at}`)));

describe('a held order', () => {
  const held = orderOf(inOrder('abcd').rows);

  it.each([
    ['abcd', 0, 'nothing moved'],
    ['dabc', 1, 'one rose over three'],
    ['bacd', 1, 'two changed places'],
    ['badc', 2, 'two pairs changed places'],
    ['dcba', 3, 'all turned round'],
  ])('to %s is %i moves: %s', (names, moves) => {
    const view = arranged(inOrder(names), held);
    expect(view.rows.map(({ payee_id }) => payee_id).join('')).toBe('abcd');
    expect(view.moves).toBe(moves);
  });

  it('lets the numbers go on, and keeps what speaks of a place', () => {
    const [first] = arranged(board(row('b', 1, '0.99'), row('a', 2, '0.77')), orderOf([row('a', 1), row('b', 2)])).rows;
    expect(first).toMatchObject({ payee_id: 'a', rank: 1, attainment_ratio: '0.77' });
  });

  it('drops at once who left and puts newcomers at the end', () => {
    const view = arranged(inOrder('xab'), held);
    expect(view.rows.map(({ payee_id }) => payee_id).join('')).toBe('abx');
    expect(view.moves).toBe(1);
  });
});

describe('the order is held', () => {
  it('while the pointer or the focus is inside, however long', () => {
    expect(isHeld(touched(FREE, 'pointer-in', 0), 1e9)).toBe(true);
    expect(isHeld(touched(FREE, 'focus-in', 0), 1e9)).toBe(true);
    const both = touched(touched(FREE, 'pointer-in', 0), 'focus-in', 0);
    expect(isHeld(touched(both, 'pointer-out', 1), 1e9)).toBe(true);
  });

  it(`and for ${HOLD_MS} ms after the last touch`, () => {
    const left = touched(touched(FREE, 'pointer-in', 0), 'pointer-out', 1_000);
    expect(isHeld(left, 1_000 + HOLD_MS - 1)).toBe(true);
    expect(isHeld(left, 1_000 + HOLD_MS)).toBe(false);
    expect(isHeld(touched(FREE, 'scroll', 5_000), 5_000 + HOLD_MS - 1)).toBe(true);
  });

  it('by nobody at first', () => expect(isHeld(FREE, 0)).toBe(false));
});

describe('a pause', () => {
  const frame = (version: number): BoardSnapshot => ({
    type: 'board', channel: 'board:reps', version, board: board(), clock: { business_at: '', rate: '1' },
  });
  const channel = (taken: number, isFirst = false): Channel => ({
    frame: frame(taken), floor: taken, taken, isFirst, isAnswered: true, asOf: 0, refusal: null,
  });
  const start: Shown = look(NOTHING, channel(1, true), true);

  it('keeps the numbers and counts what waits', () => {
    let shown = paused(start);
    for (const taken of [2, 3, 4]) shown = look(shown, channel(taken), true);
    expect([shown.frame?.version, shown.waiting]).toEqual([1, 3]);
  });

  it('does not count a frame twice', () => {
    const once = look(paused(start), channel(2), true);
    expect(look(once, channel(2), true).waiting).toBe(1);
  });

  it('ends with the newest frame, which is not news any more', () => {
    const shown = resumed(look(paused(start), channel(5), true), channel(5));
    expect(shown).toMatchObject({ isPaused: false, waiting: 0, isFact: false, frame: { version: 5 } });
  });

  it('does not keep what one may not see any more', () => {
    const gone = { ...channel(2), frame: null, refusal: { title: 'Not found', detail: '' } };
    expect(look(paused(start), gone, true).frame).toBeNull();
  });
});

describe('a number counts up once, for a fact', () => {
  const channel = (taken: number, isFirst: boolean): Channel => ({
    frame: { type: 'board', channel: 'b', version: taken, board: board(), clock: { business_at: '', rate: '1' } },
    floor: taken, taken, isFirst, isAnswered: true, asOf: 0, refusal: null,
  });

  it.each([
    ['an update', false, true, true],
    ['the snapshot after a reconnection', true, true, false],
    ['an update that nobody sees', false, false, false],
  ])('%s', (_what, isFirst, isWatched, isFact) => {
    const start = look(NOTHING as Shown, channel(1, true), true);
    expect(start.isFact).toBe(false);
    expect(look(start, channel(2, isFirst), isWatched).isFact).toBe(isFact);
  });
});

describe('a screen reader hears', () => {
  it('nothing of the board the page was opened with', () => {
    expect(spoken(noticed(SILENT, inOrder('ab'), 'b'), 0)[1]).toBeNull();
  });

  it('own rank and who reached quota, in one sentence, not the ranks of others', () => {
    const before = noticed(SILENT, board(row('a', 1), row('b', 2), row('c', 3)), 'c');
    const after = noticed(before, board(row('b', 1, '1.0'), row('c', 2), row('a', 3)), 'c');
    expect(spoken(after, 0)[1]).toBe('Rank 2, up 1. B reached quota.');
  });

  it(`at most every ${ANNOUNCE_MS} ms, and then the last rank only`, () => {
    const first = noticed(noticed(SILENT, inOrder('abc'), 'c'), inOrder('acb'), 'c');
    const [quiet] = spoken(first, 0);
    const third = noticed(noticed(quiet, inOrder('cab'), 'c'), inOrder('abc'), 'c');
    expect(spoken(third, ANNOUNCE_MS - 1)[1]).toBeNull();
    expect(spoken(third, ANNOUNCE_MS)[1]).toBe('Rank 3, down 2.');
  });

  it('a milestone once, also when quota is lost and reached again', () => {
    const over = board(row('a', 1, '1'));
    const reached = noticed(noticed(SILENT, board(row('a', 1)), null), over, null);
    const [said, text] = spoken(reached, 0);
    expect(text).toBe('A reached quota.');
    expect(spoken(noticed(noticed(said, board(row('a', 1)), null), over, null), 1e9)[1]).toBeNull();
  });
});

describe('bars', () => {
  it('keep quota in sight when nobody is near it', () => expect(ratioScale(['0.1']).max).toBe(1.25));
  it('grow with the best', () => expect(ratioScale(['1.9']).max).toBe(2));
  it('leave room for what is below zero', () => expect(ratioScale(['-0.04', '0.5']).min).toBeLessThan(0));

  it('are broken, not squeezed, by one far over quota', () => {
    const scale = ratioScale(['13.124', '0.9']);
    expect(scale.max).toBe(1.25);
    expect(bar(scale, '13.124', 1)).toMatchObject({ isCut: true, width: 100 });
  });

  it('of a board without rows or without quotas have a scale', () => {
    expect(boardScale(board()).max).toBe(1.25);
    expect(boardScale({ ...board(), measure: 'amount' })).toEqual({ min: 0, max: 1 });
  });
});
