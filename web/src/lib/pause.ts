/** What is shown of a channel: the newest frame, or the one of the moment the reader paused. */

import type { Snapshot } from './frames.ts';
import type { Channel } from './live.ts';

export interface Shown<F extends Snapshot = Snapshot> {
  readonly frame: F | null;
  /** The `taken` of the channel's frame that was looked at last. */
  readonly taken: number;
  readonly isPaused: boolean;
  /** Frames that came while paused. */
  readonly waiting: number;
  /** The change was a fact that just came: numbers may count, rows may slide. */
  readonly isFact: boolean;
}

export const NOTHING: Shown<never> = {
  frame: null,
  taken: 0,
  isPaused: false,
  waiting: 0,
  isFact: false,
};

/** Looks at a channel; `isWatched` is false while nobody sees the page. */
export function look<F extends Snapshot>(
  shown: Shown<F>,
  channel: Channel | undefined,
  isWatched: boolean,
): Shown<F> {
  if (!channel) return shown;
  if (channel.refusal) return { ...shown, frame: null, waiting: 0, isFact: false };
  if (channel.taken === shown.taken) return shown;
  const { taken } = channel;
  if (shown.isPaused && shown.frame) {
    return { ...shown, taken, waiting: shown.waiting + 1, isFact: false };
  }
  const isFact = !channel.isFirst && isWatched && shown.frame !== null;
  return { ...shown, frame: channel.frame as F | null, taken, isFact };
}

export const paused = <F extends Snapshot>(shown: Shown<F>): Shown<F> => ({
  ...shown,
  isPaused: true,
  waiting: 0,
});

/** What waited is shown at once: it is not news any more. */
export function resumed<F extends Snapshot>(
  shown: Shown<F>,
  channel: Channel | undefined,
): Shown<F> {
  const frame = (channel?.frame ?? shown.frame) as F | null;
  return { ...shown, frame, isPaused: false, waiting: 0, isFact: false };
}
