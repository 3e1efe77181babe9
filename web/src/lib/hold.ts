/** When the order is held: while pointer or focus is inside the board, and HOLD_MS after. */

import { HOLD_MS } from './limits.ts';

export interface Hold {
  readonly hasPointer: boolean;
  readonly hasFocus: boolean;
  /** The last moment at which somebody was in the board. */
  readonly touchedAt: number | null;
}

export const FREE: Hold = { hasPointer: false, hasFocus: false, touchedAt: null };

export type Touch = 'pointer-in' | 'pointer-out' | 'focus-in' | 'focus-out' | 'scroll';

export function touched(hold: Hold, touch: Touch, now: number): Hold {
  const next = { ...hold, touchedAt: now };
  switch (touch) {
    case 'pointer-in':
      return { ...next, hasPointer: true };
    case 'pointer-out':
      return { ...next, hasPointer: false };
    case 'focus-in':
      return { ...next, hasFocus: true };
    case 'focus-out':
      return { ...next, hasFocus: false };
    case 'scroll':
      return next;
  }
}

export function isHeld(hold: Hold, now: number): boolean {
  if (hold.hasPointer || hold.hasFocus) return true;
  return hold.touchedAt !== null && now - hold.touchedAt < HOLD_MS;
}
