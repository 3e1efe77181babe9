/** Whether things may move: the reader's setting, looked up each time, and a page that is seen. */

const reduced = matchMedia('(prefers-reduced-motion: reduce)');

export const movesAllowed = (): boolean => !reduced.matches && !document.hidden;
