/**
 * Exact decimals: from the text of a frame to the text on the screen, without floating point.
 * A ratio is rounded down, so that 0.9996 never reads as 100 %; money has always two places.
 */

import { MONEY_PLACES, PERCENT_PLACES, POINTS_PLACES } from './limits.ts';

/** `units` / 10^`scale`. */
export interface Exact {
  readonly units: bigint;
  readonly scale: number;
}

type Rounding = 'floor' | 'half-away';

const PATTERN = /^(-?)(\d+)(?:\.(\d+))?$/;
const MINUS = '\u2212';
const NARROW = '\u00a0';

/** The exact value of a frame's text; throws on anything else, exponents included. */
export function exact(text: string): Exact {
  const match = PATTERN.exec(text);
  if (!match) throw new RangeError(`not a decimal: ${text}`);
  const [, sign, whole, fraction = ''] = match;
  const units = BigInt(`${whole}${fraction}`);
  return { units: sign ? -units : units, scale: fraction.length };
}

const power = (places: number): bigint => 10n ** BigInt(places);

function unitsAt(value: Exact, scale: number): bigint {
  return value.units * power(scale - value.scale);
}

export function compare(a: Exact, b: Exact): -1 | 0 | 1 {
  const scale = Math.max(a.scale, b.scale);
  const [left, right] = [unitsAt(a, scale), unitsAt(b, scale)];
  return left < right ? -1 : left > right ? 1 : 0;
}

export function minus(a: Exact, b: Exact): Exact {
  const scale = Math.max(a.scale, b.scale);
  return { units: unitsAt(a, scale) - unitsAt(b, scale), scale };
}

export const sign = (value: Exact): -1 | 0 | 1 =>
  value.units < 0n ? -1 : value.units > 0n ? 1 : 0;

export const absolute = (value: Exact): Exact =>
  value.units < 0n ? { ...value, units: -value.units } : value;

/** The value `done` thousandths of the way from `from` to `to`; exactly `to` at 1000. */
export function between(from: Exact, to: Exact, done: number): Exact {
  const scale = Math.max(from.scale, to.scale);
  const [start, end] = [unitsAt(from, scale), unitsAt(to, scale)];
  return { units: start + ((end - start) * BigInt(done)) / 1000n, scale };
}

/** To `places` decimals. */
export function rounded(value: Exact, places: number, rounding: Rounding): Exact {
  if (value.scale <= places) return { units: unitsAt(value, places), scale: places };
  const divisor = power(value.scale - places);
  const quotient = value.units / divisor;
  const rest = value.units % divisor;
  return { units: quotient + carry(rest, divisor, rounding), scale: places };
}

function carry(rest: bigint, divisor: bigint, rounding: Rounding): bigint {
  if (rest === 0n) return 0n;
  const direction = rest < 0n ? -1n : 1n;
  if (rounding === 'floor') return direction < 0n ? -1n : 0n;
  return rest * direction * 2n >= divisor ? direction : 0n;
}

/** Digits in groups of three, a true minus sign, all decimals of the value. */
export function grouped(value: Exact): string {
  const digits = absolute(value).units.toString().padStart(value.scale + 1, '0');
  const whole = digits.slice(0, digits.length - value.scale);
  const fraction = digits.slice(digits.length - value.scale);
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${value.units < 0n ? MINUS : ''}${groups}${fraction && `.${fraction}`}`;
}

const hundredfold = (ratio: Exact): Exact =>
  ratio.scale >= 2
    ? { units: ratio.units, scale: ratio.scale - 2 }
    : { units: ratio.units * power(2 - ratio.scale), scale: 0 };

/** Always two places: "1,234.50". */
export const money = (amount: Exact): string =>
  grouped(rounded(amount, MONEY_PLACES, 'half-away'));

/** "+1,234.50", "−3.00", and "0.00" without a sign. */
export const signedMoney = (amount: Exact): string =>
  `${sign(rounded(amount, MONEY_PLACES, 'half-away')) > 0 ? '+' : ''}${money(amount)}`;

/** The digits of a percentage, rounded down: 0.9996 is "99.9". */
export const percentDigits = (ratio: Exact): string =>
  grouped(rounded(hundredfold(ratio), PERCENT_PLACES, 'floor'));

/** "99.9 %". */
export const percent = (ratio: Exact): string => `${percentDigits(ratio)}${NARROW}%`;

/** A distance between two ratios, "0.08 pt"; one that is there never reads as none. */
export function points(ratio: Exact): string {
  const distance = rounded(hundredfold(ratio), POINTS_PLACES, 'half-away');
  const least = { units: BigInt(sign(ratio)), scale: POINTS_PLACES };
  return `${grouped(distance.units === 0n ? least : distance)}${NARROW}pt`;
}

/** A factor with two places, rounded down: "1.39". */
export const factor = (value: Exact): string => grouped(rounded(value, 2, 'floor'));

/** For the geometry of bars only. */
export const geometry = (value: Exact): number => Number(value.units) / 10 ** value.scale;
