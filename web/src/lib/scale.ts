/** The geometry of bars: the only place where amounts become floating point. */

import { exact, geometry } from './exact.ts';
import type { BoardState } from './frames.ts';
import { BAR_RATIO_MAX, BAR_RATIO_MIN } from './limits.ts';

/** A bar runs from `min` to `max` (fractions of quota, or money on a board by amount). */
export interface Scale {
  readonly min: number;
  readonly max: number;
}

export interface Bar {
  /** Per cent of the bar's width. */
  readonly left: number;
  readonly width: number;
  /** Where the part over quota starts, in per cent of the fill; null if there is none. */
  readonly over: number | null;
  readonly isNegative: boolean;
  readonly isCut: boolean;
}

const STEPS = [1.25, 1.4, 1.6, 2, 2.5, BAR_RATIO_MAX] as const;

const number = (text: string | null): number | null =>
  text === null ? null : geometry(exact(text));

/** A scale that shows quota, pace and every row; one far above them is cut and sets no scale. */
export function ratioScale(ratios: readonly (string | null)[]): Scale {
  const values = ratios.map(number).filter((value) => value !== null);
  const most = Math.max(1, ...values.filter((value) => value <= BAR_RATIO_MAX));
  const max = STEPS.find((end) => most <= end * 0.97) ?? BAR_RATIO_MAX;
  return { min: values.some((value) => value < 0) ? BAR_RATIO_MIN : 0, max };
}

export function amountScale(amounts: readonly string[]): Scale {
  const values = amounts.map((amount) => geometry(exact(amount)));
  const max = Math.max(0, ...values) || 1;
  return { min: values.some((value) => value < 0) ? BAR_RATIO_MIN * max : 0, max };
}

export function boardScale(board: BoardState): Scale {
  return board.measure === 'attainment'
    ? ratioScale([...board.rows.map((row) => row.attainment_ratio), board.expected_share])
    : amountScale(board.rows.map((row) => row.amount));
}

/** A value's place on the scale, in per cent; values beyond are put on its end. */
export function placeOn({ min, max }: Scale, value: number): number {
  const inside = Math.min(max, Math.max(min, value));
  return ((inside - min) / (max - min)) * 100;
}

export function bar(scale: Scale, text: string, quota: number | null): Bar {
  const value = geometry(exact(text));
  const zero = placeOn(scale, 0);
  const end = placeOn(scale, value);
  const isOver = quota !== null && value > quota;
  return {
    left: Math.min(zero, end),
    width: Math.abs(end - zero),
    over: isOver ? ((placeOn(scale, quota) - zero) / (end - zero)) * 100 : null,
    isNegative: value < 0,
    isCut: value > scale.max,
  };
}

export const share = (text: string | null): number | null => number(text);
