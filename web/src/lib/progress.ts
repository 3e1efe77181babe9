/** What a person's progress comes to in words: where he is, where to, what next. */

import { absolute, compare, exact, minus, money, percent, points, sign, signedMoney } from './exact.ts';
import type { PayeeProgress } from './frames.ts';
import { count } from './words.ts';

export interface Tone {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'plain';
}

/** Ahead of pace or behind it, in points; null where there is no pace. */
export function paceWords(progress: PayeeProgress): Tone | null {
  const { attainment_ratio, expected_share } = progress;
  if (attainment_ratio === null || expected_share === null) return null;
  const difference = minus(exact(attainment_ratio), exact(expected_share));
  if (sign(difference) === 0) return { text: 'on pace', tone: 'plain' };
  const isAhead = sign(difference) > 0;
  return {
    text: `${points(absolute(difference))} ${isAhead ? 'ahead of' : 'behind'} pace`,
    tone: isAhead ? 'good' : 'warn',
  };
}

/** What is missing to quota; negative when it is passed; null without a quota. */
export function gapToQuota({ quota, credited }: PayeeProgress) {
  return quota === null ? null : minus(exact(quota), exact(credited));
}

export const hasReached = ({ attainment_ratio }: PayeeProgress): boolean =>
  attainment_ratio !== null && compare(exact(attainment_ratio), exact('1')) >= 0;

/** What corrections of earlier, locked periods come to in what was earned; null for nothing. */
export function corrections({ corrections: text }: PayeeProgress): string | null {
  const amount = exact(text ?? '0');
  return sign(amount) === 0 ? null : signedMoney(amount);
}

/** One sentence under the headline. */
export function sentence(progress: PayeeProgress): string {
  const gap = gapToQuota(progress);
  if (gap === null || progress.attainment_ratio === null) {
    return 'Without a quota there is no percentage, no pace and no rank by attainment.';
  }
  if (hasReached(progress)) {
    return `Quota reached, ${money(absolute(gap))} over it. ${daysLeft(progress)}.`;
  }
  const share = percent(exact(progress.attainment_ratio));
  const needed = progress.required_per_remaining_working_day;
  const each =
    needed === null || progress.working_days_left === 0
      ? `${daysLeft(progress)}.`
      : `that is ${money(exact(needed))} on each of the ${count(progress.working_days_left, 'working day')} left.`;
  return `${share} of quota. ${money(gap)} to go: ${each}`;
}

export const daysLeft = ({ working_days_left }: PayeeProgress): string =>
  working_days_left === 0
    ? 'no working day left'
    : `${count(working_days_left, 'working day')} left`;
