/** The live connection of the page, as state that components read. */

import * as api from './api.ts';
import { Connection } from './connection.ts';
import type { Snapshot } from './frames.ts';
import { businessTime, IDLE, isLive, type Channel, type Live } from './live.ts';
import { look, NOTHING, paused, resumed, type Shown } from './pause.ts';

export type Look = 'live' | 'stale' | 'paused' | 'loading' | 'refused';

export class LivePage {
  state = $state.raw<Live>(IDLE);
  now = $state(Date.now());
  shown = $state.raw<Shown>(NOTHING);
  channelName = $state('');
  /** Business time at which the reader paused. */
  pausedAt = $state.raw<number | null>(null);

  readonly #connection: Connection;

  constructor(signedOut: () => void) {
    this.#connection = new Connection({
      changed: (state, now) => this.#changed(state, now, signedOut),
      checkSession: () => void checkSession(signedOut),
    });
  }

  /** Shows one channel, from the start. */
  open(channel: string): void {
    if (channel === this.channelName) return;
    this.channelName = channel;
    this.shown = NOTHING;
    this.#connection.want(channel ? [channel] : []);
  }

  leave(): void {
    this.#connection.leave();
  }

  retry(): void {
    this.#connection.retry();
  }

  pause(): void {
    this.pausedAt = this.businessNow;
    this.shown = paused(this.shown);
  }

  resume(): void {
    this.shown = resumed(this.shown, this.#channel);
  }

  get #channel(): Channel | undefined {
    return this.state.channels[this.channelName];
  }

  get refusal() {
    return this.#channel?.refusal ?? null;
  }

  get frame(): Snapshot | null {
    return this.shown.frame;
  }

  get look(): Look {
    if (this.refusal) return 'refused';
    if (!this.shown.frame) return 'loading';
    if (!isLive(this.state, this.channelName, this.now)) return 'stale';
    return this.shown.isPaused ? 'paused' : 'live';
  }

  /** True before the first answer and while there is no connection: nothing can be shown. */
  get isCutOff(): boolean {
    return this.state.phase === 'waiting' || this.state.phase === 'ended';
  }

  /** The business clock: runs while live, stands while cut off. */
  get businessNow(): number | null {
    const isRunning = isLive(this.state, this.channelName, this.now);
    return isRunning ? businessTime(this.state.clock, this.now) : (this.#channel?.asOf ?? null);
  }

  /** Up to when the shown numbers are known, in business time. */
  get numbersAsOf(): number | null {
    return this.shown.isPaused ? this.pausedAt : (this.#channel?.asOf ?? null);
  }

  get secondsToRetry(): number | null {
    const { retryAt } = this.state;
    return retryAt === null ? null : Math.max(0, Math.ceil((retryAt - this.now) / 1000));
  }

  #changed(state: Live, now: number, signedOut: () => void): void {
    this.state = state;
    this.now = now;
    this.shown = look(this.shown, state.channels[this.channelName], !document.hidden);
    if (state.end === 'signed-out') signedOut();
  }
}

async function checkSession(signedOut: () => void): Promise<void> {
  try {
    if ((await api.session()) === null) signedOut();
  } catch {
    // The server is away; the socket tries again by itself.
  }
}
