/** Words of the team, the queues, the lock and files. */

import { describe, expect, it } from 'vitest';

import { mostUrgentFirst } from '../src/lib/alerts.ts';
import type { AlertRow, LockAnswer } from '../src/lib/answers.ts';
import type { TeamRow, TeamState } from '../src/lib/frames.ts';
import {
  amounts, changes, checksInWords, checkState, doneShare, fileSize, lockPhase, waited,
} from '../src/lib/queues.ts';
import { againstPace, gapWords, inKeptOrder, lastCredit, needs, teamSentence } from '../src/lib/team.ts';

const row = (payee_id: string, more: Partial<TeamRow> = {}): TeamRow => ({
  payee_id, name: payee_id, title: null, territory: null, is_lead: false, credited: '0', quota: null,
  attainment_ratio: null, pace_ratio: null, gap_to_quota: null, short_of_pace: null,
  required_per_remaining_working_day: null, last_credit_on: null, held: 0, alerts: [], ...more,
});
const alert = {
  alert_id: 'a', payee_id: '1', kind: 'off_pace', raised_on: '2014-01-27', is_acknowledged: false,
  short_of_pace: '1', text: '',
} as const;

describe('a team', () => {
  it.each([
    ['0.795', '0.9', '10.50 pt behind pace', 'warn'],
    ['0.952501', '0.9', '5.25 pt ahead of pace', 'good'],
    ['0.9', '0.90', 'On pace', 'plain'],
  ])('at %s where %s is expected is %s', (attainment, expected, text, tone) =>
    expect(againstPace(attainment.replace(/\s/g, ''), expected)).toMatchObject({
      text: expect.stringMatching(text.replaceAll(' ', '\\s')), tone,
    }));

  it('has no pace without a quota', () => expect(againstPace(null, '0.9')).toBeNull());

  it.each([
    ['488129.36', '614000', '125,870.64', 'plain'],
    ['293810.76', '234000', '59,810.76 over', 'good'],
  ])('%s of %s: %s', (credited, quota, text, tone) =>
    expect(gapWords(credited, quota)).toEqual({ text, tone }));

  it.each([
    [null, 'no credit yet'],
    ['2014-01-29', 'last credit today'],
    ['2014-01-28', 'last credit yesterday'],
    ['2014-01-20', 'last credit 9 days ago'],
    ['2013-12-31', 'last credit 31 Dec'],
    ['2014-01-30', 'last credit 30 Jan'],
  ])('last credited on %s: %s', (day, words) => expect(lastCredit(day, '2014-01-29')).toBe(words));

  it('says in words what waits at a person', () =>
    expect(
      needs(row('1', { held: 2, alerts: [{ ...alert, severity: 'severe' }] })).map(({ text }) => text),
    ).toEqual(['Severely off pace', '2 credits held']));

  it('tells who was seen to from who waits', () =>
    expect(
      needs(row('1', { alerts: [{ ...alert, severity: 'warning', is_acknowledged: true }] })),
    ).toEqual([{ text: 'Off pace, acknowledged', tone: 'plain' }]));

  const team = {
    rows: [row('1'), row('2')], total_quota: '5573000', total_credited: '4952024.41',
    total_gap: '620975.59', working_days_left: 22, required_per_remaining_working_day: '28226.163182',
  } as unknown as TeamState;

  it.each([
    [{}, '620,975.59 to go: 28,226.16 on each of the 22 working days left.'],
    [{ total_credited: '5573000.01' }, 'Quota reached, 0.01 over it, 22 working days left.'],
    [{ working_days_left: 0, required_per_remaining_working_day: null }, '620,975.59 to go: no working day left.'],
    [{ total_quota: null }, '2 people, none with a quota: without one there is no percentage and no pace.'],
  ])('%j: %s', (more, words) => expect(teamSentence({ ...team, ...more })).toBe(words));
});

describe('the kept order of a team', () => {
  const rows = ['3', '1', '4'].map((id) => row(id));
  const ids = (kept: readonly string[]) => {
    const { rows: shown, isOtherOrder } = inKeptOrder(rows, kept);
    return [shown.map(({ payee_id }) => payee_id).join(''), isOtherOrder];
  };

  it('stays while it is kept, and says that another came', () =>
    expect(ids(['1', '3', '4'])).toEqual(['134', true]));
  it('drops who left and puts who came at the end', () =>
    expect(ids(['2', '1', '3'])).toEqual(['134', true]));
  it('is the new one where they agree', () => expect(ids(['3', '1', '4'])).toEqual(['314', false]));
});

describe('alerts', () => {
  it('come severe first, then by money short of pace, then the newest', () => {
    const row = (alert_id: string, severity: string, short_of_pace: string, day: string): AlertRow =>
      ({ alert_id, severity, short_of_pace, first_raised_at: `2014-04-${day}T18:00:00Z` }) as AlertRow;
    const rows = [
      row('warned', 'warning', '900000.00', '16'),
      row('less', 'severe', '99999.99', '16'),
      row('old', 'severe', '100000.00', '15'),
      row('new', 'severe', '100000.00', '16'),
    ];
    expect(mostUrgentFirst(rows).map(({ alert_id }) => alert_id)).toEqual(['new', 'old', 'less', 'warned']);
  });
});

describe('queues', () => {
  it('never add up across currencies', () =>
    expect(amounts([{ currency: 'USD', amount: '1234.5' }, { currency: 'EUR', amount: '-2' }])).toEqual([
      '1,234.50\u00a0USD', '−2.00\u00a0EUR',
    ]));
  it('say a change with its sign', () =>
    expect(changes([{ currency: 'USD', amount: '1234.5' }])).toEqual(['+1,234.50\u00a0USD']));

  const now = Date.parse('2014-01-29T14:00:00Z');
  it.each([
    ['2014-01-26T13:00:00Z', '3 days'],
    ['2014-01-29T12:59:00Z', '1 hour'],
    ['2014-01-29T13:59:30Z', 'less than a minute'],
    ['2014-01-29T15:00:00Z', 'less than a minute'],
  ])('what came at %s has waited %s', (since, words) => expect(waited(since, now)).toBe(words));
});

describe('the lock of a period', () => {
  const check = (state: string) => ({ check: state, words: '', state, count: null, money: [], link: null });
  const lock = {
    state: 'open', step: null, problem: null, may_lock: true, checks: [check('ok'), check('warning')],
  } as unknown as LockAnswer;

  it.each([
    [{}, 'ready'],
    [{ may_lock: false }, 'blocked'],
    [{ problem: 'no worker' }, 'failed'],
    [{ step: 'draining', may_lock: false }, 'running'],
    [{ state: 'locked', step: 'freezing statements' }, 'running'],
    [{ state: 'locked', may_lock: false }, 'locked'],
  ] as const)('%j is %s', (more, phase) => expect(lockPhase({ ...lock, ...more } as LockAnswer)).toBe(phase));

  it('sums its checks up', () => {
    expect(checksInWords(lock)).toBe('Nothing in the way, 1 to look at');
    expect(checksInWords({ ...lock, checks: [check('blocker')] })).toBe('1 in the way');
  });
  it('takes a state it does not know as one to look at', () => expect(checkState('novel')).toBe('warning'));
});

describe('files', () => {
  it.each([
    [999, '999 bytes'],
    [1_250, '1.2 kB'],
    [12_499_999, '12.4 MB'],
  ])('of %i bytes read %s', (bytes, words) => expect(fileSize(bytes)).toBe(words));

  it('are not said to be through before they are', () => {
    expect(doneShare(99_999, 100_000)).toBe(99);
    expect(doneShare(0, 0)).toBeNull();
  });
});
