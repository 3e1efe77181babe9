/** Words of an alert: its state, its history in one line of time. */

import type { AlertAnswer, AlertRow } from './answers.ts';
import { compare, exact, percent } from './exact.ts';
import { dayText, minuteOf } from './when.ts';

export const TABS = ['open', 'acknowledged', 'cleared'] as const;
export type Tab = (typeof TABS)[number];

export const TAB_WORDS: Readonly<Record<Tab, string>> = {
  open: 'Open',
  acknowledged: 'Acknowledged',
  cleared: 'Cleared',
};

/** Severe ones first, then by the money short of pace; new ones before old ones of the same. */
export const mostUrgentFirst = (rows: readonly AlertRow[]): readonly AlertRow[] =>
  [...rows].sort(
    (a, b) =>
      Number(b.severity === 'severe') - Number(a.severity === 'severe') ||
      compare(exact(b.short_of_pace), exact(a.short_of_pace)) ||
      b.first_raised_at.localeCompare(a.first_raised_at),
  );

/** How grave, and what became of it, for the pill. */
export function stateWords({ state, severity }: AlertRow): string {
  if (state === 'cleared') return 'Cleared';
  const grave = severity === 'severe' ? 'Severe' : 'Warning';
  return state === 'acknowledged' ? `${grave}, acknowledged` : grave;
}

/** "Raised 28 Jan at 68.0 % of what was expected, now 84.2 %; clears above 92.0 %." */
export function lifeWords(answer: AlertAnswer): string {
  const { alert } = answer;
  const first = `Raised ${dayText(alert.raised_on)} at ${percent(exact(answer.first_value))} of what was expected`;
  const now = percent(exact(alert.pace_ratio));
  if (alert.state === 'cleared') return `${first}, cleared ${dayText(alert.last_change_on)} at ${now}.`;
  return `${first}, now ${now}. Raised below ${percent(exact(answer.threshold))}, clears above ${percent(exact(answer.clears_above))}, each on two looks a working day apart.`;
}

export interface Step {
  readonly key: string;
  readonly when: string;
  readonly who: string | null;
  readonly text: string;
  readonly kind: 'event' | 'note' | 'acknowledgement';
}

/** Steps and notes, the newest first; within a day notes stand above what the system noticed. */
export function history({ events, notes }: Pick<AlertAnswer, 'events' | 'notes'>): readonly Step[] {
  const steps = events.map((event, at) => ({
    order: `${event.business_date} 0 ${String(at).padStart(5, '0')}`,
    step: {
      key: `event-${at}`, when: dayText(event.business_date), who: null, text: event.words,
      kind: 'event' as const,
    },
  }));
  const said = notes.map((note, at) => ({
    order: `${note.business_at.slice(0, 10)} 1 ${String(at).padStart(5, '0')}`,
    step: {
      key: `note-${at}`, when: minuteOf(Date.parse(note.business_at)), who: note.by, text: note.text,
      kind: note.is_acknowledgement ? ('acknowledgement' as const) : ('note' as const),
    },
  }));
  return [...steps, ...said]
    .toSorted((a, b) => (a.order < b.order ? 1 : -1))
    .map(({ step }) => step);
}
