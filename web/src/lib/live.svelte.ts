/** The live connection of the page, as state that components read. */

import * as api from './api.ts';
import { Connection } from './connection.ts';
import type { Snapshot } from './frames.ts';
import { businessTime, IDLE, isLive, type Channel, type Live } from './live.ts';
import { look, NOTHING, paused, resumed, type Shown } from './pause.ts';

/** `quiet`: the page shows nothing live. */
export type Look = 'live' | 'stale' | 'paused' | 'loading' | 'refused' | 'quiet';

export class LivePage {
  state = $state.raw<Live>(IDLE);
  now = $state(Date.now());
  /** What is shown of each channel. */
  all = $state.raw<Readonly<Record<string, Shown>>>({});
  /** The channel that the page is about. */
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

  /** Shows the channel that a page is about, from the start, and `beside` it others. */
  open(channel: string, beside: readonly string[] = []): void {
    const wanted = [...new Set([channel, ...beside])].filter(Boolean);
    const isSame = channel === this.channelName;
    if (isSame && wanted.join('\n') === Object.keys(this.all).join('\n')) return;
    this.channelName = channel;
    const keeps = (name: string): Shown => (isSame ? this.shownOf(name) : NOTHING);
    this.all = Object.fromEntries(wanted.map((name) => [name, keeps(name)]));
    this.#connection.want(wanted);
  }

  leave(): void {
    this.#connection.leave();
  }

  retry(): void {
    this.#connection.retry();
  }

  pause(): void {
    this.pausedAt = this.businessNow;
    this.#each(paused);
  }

  resume(): void {
    this.#each((shown, channel) => resumed(shown, channel));
  }

  shownOf(channel: string): Shown {
    return this.all[channel] ?? NOTHING;
  }

  get shown(): Shown {
    return this.shownOf(this.channelName);
  }

  #each(change: (shown: Shown, channel: Channel | undefined) => Shown): void {
    const entries = Object.entries(this.all);
    const next = entries.map(([name, shown]) => change(shown, this.state.channels[name]));
    // A channel that shows the same stays the same object, so that nothing is drawn anew.
    if (next.every((shown, at) => shown === entries[at]?.[1])) return;
    this.all = Object.fromEntries(entries.map(([name], at) => [name, next[at] ?? NOTHING]));
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
    if (!this.channelName) return 'quiet';
    if (this.refusal) return 'refused';
    if (!this.shown.frame) return 'loading';
    if (!isLive(this.state, this.channelName, this.now)) return 'stale';
    return this.shown.isPaused ? 'paused' : 'live';
  }

  /** Connected, and no worker books what comes in. */
  get isIdle(): boolean {
    return this.state.phase === 'open' && !this.state.isBooking;
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
    this.#each((shown, channel) => look(shown, channel, !document.hidden));
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
