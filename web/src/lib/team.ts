/** What a team's rows come to in words, and the order in which they stay while somebody reads. */

import { absolute, compare, exact, minus, money, points, sign } from './exact.ts';
import type { TeamRow, TeamState } from './frames.ts';
import type { Tone } from './progress.ts';
import { dayText } from './when.ts';
import { count } from './words.ts';

type Share = string | null;

/** Ahead of pace or behind it, in points; null where there is no pace. */
export function againstPace(attainment: Share, expected: Share): Tone | null {
  if (attainment === null || expected === null) return null;
  const difference = minus(exact(attainment), exact(expected));
  if (sign(difference) === 0) return { text: 'On pace', tone: 'plain' };
  const isAhead = sign(difference) > 0;
  const text = `${points(absolute(difference))} ${isAhead ? 'ahead of' : 'behind'} pace`;
  return { text, tone: isAhead ? 'good' : 'warn' };
}

export const hasReachedQuota = ({ attainment_ratio }: Pick<TeamRow, 'attainment_ratio'>): boolean =>
  attainment_ratio !== null && compare(exact(attainment_ratio), exact('1')) >= 0;

/** "125,870.64 to go", "59,810.76 over"; null without a quota. */
export function gapWords(credited: string, quota: Share): Tone | null {
  if (quota === null) return null;
  const gap = minus(exact(quota), exact(credited));
  return sign(gap) > 0
    ? { text: money(gap), tone: 'plain' }
    : { text: `${money(absolute(gap))} over`, tone: 'good' };
}

const DAY_MS = 86_400_000;

/** When somebody was last credited, told from the business date: "today", "3 days ago", "12 Jan". */
export function lastCredit(day: string | null, today: string): string {
  if (day === null) return 'no credit yet';
  const days = Math.round((Date.parse(today) - Date.parse(day)) / DAY_MS);
  if (days === 0) return 'last credit today';
  if (days === 1) return 'last credit yesterday';
  if (days > 1 && days <= 14) return `last credit ${count(days, 'day')} ago`;
  return `last credit ${dayText(day)}`;
}

/** What waits for the manager at a person, in words: never colour alone. */
export function needs(row: TeamRow): readonly Tone[] {
  const alerts = row.alerts.map(({ severity, is_acknowledged }) => ({
    text: `${severity === 'severe' ? 'Severely off pace' : 'Off pace'}${is_acknowledged ? ', acknowledged' : ''}`,
    tone: is_acknowledged ? ('plain' as const) : ('warn' as const),
  }));
  return row.held === 0
    ? alerts
    : [...alerts, { text: `${count(row.held, 'credit')} held`, tone: 'plain' as const }];
}

/** One sentence under the headline. */
export function teamSentence(team: TeamState): string {
  const people = count(team.rows.length, 'person', 'people');
  if (team.total_quota === null || team.total_gap === null) {
    return `${people}, none with a quota: without one there is no percentage and no pace.`;
  }
  const left =
    team.working_days_left === 0
      ? 'no working day left'
      : `${count(team.working_days_left, 'working day')} left`;
  const gap = minus(exact(team.total_quota), exact(team.total_credited));
  if (sign(gap) <= 0) return `Quota reached, ${money(absolute(gap))} over it, ${left}.`;
  const needed = team.required_per_remaining_working_day;
  const each = needed === null ? left : `${money(exact(needed))} on each of the ${left}`;
  return `${money(gap)} to go: ${each}.`;
}

export interface Kept {
  readonly rows: readonly TeamRow[];
  /** The order that came is another one than the one shown. */
  readonly isOtherOrder: boolean;
}

/** New numbers in the order that was kept; who left is gone at once, who came stands at the end. */
export function inKeptOrder(rows: readonly TeamRow[], kept: readonly string[]): Kept {
  const place = new Map(kept.map((payee, at) => [payee, at]));
  const at = (row: TeamRow): number => place.get(row.payee_id) ?? kept.length;
  const shown = rows.toSorted((a, b) => at(a) - at(b));
  return { rows: shown, isOtherOrder: shown.some((row, index) => row !== rows[index]) };
}
