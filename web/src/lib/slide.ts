/** Rows slide from their old place to the new one; who goes further passes over the others. */

import { cubicOut } from 'svelte/easing';

interface Places {
  readonly from: DOMRect;
  readonly to: DOMRect;
}

export function slide(_row: Element, { from, to }: Places, { duration }: { duration: number }) {
  const [dx, dy] = [from.left - to.left, from.top - to.top];
  const isStill = dx === 0 && dy === 0;
  const above = Math.round(Math.abs(dy)) + (dy > 0 ? 1 : 0);
  return {
    duration: isStill ? 0 : duration,
    easing: cubicOut,
    css: (_t: number, left: number): string =>
      `transform: translate(${left * dx}px, ${left * dy}px); z-index: ${above};`,
  };
}
