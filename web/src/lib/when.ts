/** Dates and times in words. Business time is UTC, as the frames carry it. */

const MONTHS = [
  'Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec',
] as const;

const two = (n: number): string => String(n).padStart(2, '0');

/** "14:03:07". */
export function timeOfDay(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

/** "29 Jan". */
export function dayOf(ms: number): string {
  const at = new Date(ms);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
}

/** "29 Jan 14:02". */
export function minuteOf(ms: number): string {
  return `${dayOf(ms)} ${timeOfDay(ms).slice(0, 5)}`;
}

/** "26 Nov 2026 14:02": of real time, which need not be the business year. */
export function realOf(ms: number): string {
  return `${dayOf(ms)} ${new Date(ms).getUTCFullYear()} ${timeOfDay(ms).slice(0, 5)}`;
}

/** A day of a list that reaches over years ("2014-01-29") as "29 Jan 2014". */
export const dateText = (day: string): string => `${dayText(day)} ${day.slice(0, 4)}`;

/** A day of a frame ("2014-01-29") as "29 Jan". */
export const dayText = (day: string): string => dayOf(Date.parse(`${day}T00:00:00Z`));

/** The dates of a period as the stamp shows them: a dash between, spaces unbroken. */
export const periodText = (name: string): string => name.replace(/ [-–] /, ' – ');
