/**
 * The client of `WS /v1/live` without input or output: `step(state, input, at)` says what comes
 * next and what to do. connection.ts lends it a socket and a clock.
 *
 * Laws: a version never goes back (but a new timeline starts over); a number is live only when its
 * channel was answered on this very socket, a frame came within STALE_MS, and a worker books.
 */

import {
  CloseCode,
  type Clock,
  type ClientFrame,
  type Hello,
  type Refused,
  type ServerFrame,
  type Snapshot,
  type Unwatched,
} from './frames.ts';
import { ASK_AGAIN_MS, BACKOFF_MAX_MS, BACKOFF_MIN_MS, CONNECT_MS, STALE_MS, STEADY_MS } from './limits.ts';

export type Phase = 'idle' | 'connecting' | 'open' | 'waiting' | 'ended';
export type End = 'signed-out' | 'not-allowed-here';
/** Why a channel shows nothing. */
export type Refusal = Pick<Refused, 'title' | 'detail'>;

export interface Channel {
  readonly frame: Snapshot | null;
  /** The least version that is still taken. */
  readonly floor: number;
  /** Greater for every frame taken, so that a reader knows that one came. */
  readonly taken: number;
  /** The frame is the first of this socket: it replaces numbers, it does not count them up. */
  readonly isFirst: boolean;
  /** The server has answered for this channel on this socket. */
  readonly isAnswered: boolean;
  /** Business time up to which its numbers are known: that of the last frame on its socket. */
  readonly asOf: number | null;
  readonly refusal: Refusal | null;
}

export interface BusinessClock {
  readonly businessMs: number;
  readonly rate: number;
  /** The rate as it came, for the words. */
  readonly rateText: string;
  readonly at: number;
}

export interface Live {
  readonly phase: Phase;
  readonly end: End | null;
  readonly isOnline: boolean;
  /** Which socket is meant: what an older one still says is not heard. */
  readonly socket: number;
  readonly hello: Hello | null;
  /** The history that versions count in; another one means that they start over. */
  readonly timeline: number | null;
  readonly wanted: readonly string[];
  readonly channels: Readonly<Record<string, Channel>>;
  /** Channels given back whose `unwatched` is still on its way, and how many of them. */
  readonly leaving: Readonly<Record<string, number>>;
  readonly askedAt: number;
  readonly clock: BusinessClock | null;
  /** A worker books what comes in; while none does, numbers are old however lively the socket. */
  readonly isBooking: boolean;
  readonly attempts: number;
  readonly phaseSince: number;
  readonly retryAt: number | null;
  /** When the server last gave a sign of life: a frame, or the opened socket. */
  readonly heardAt: number | null;
}

export type Input =
  | { readonly kind: 'want'; readonly channels: readonly string[] }
  | { readonly kind: 'opened'; readonly socket: number }
  | { readonly kind: 'text'; readonly socket: number; readonly text: string }
  | { readonly kind: 'closed'; readonly socket: number; readonly code: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'online' }
  | { readonly kind: 'offline' }
  /** The page is looked at again, or its reader asks to try now. */
  | { readonly kind: 'woken' }
  | { readonly kind: 'leave' };

export type Output =
  | { readonly do: 'connect'; readonly socket: number }
  | { readonly do: 'send'; readonly frame: ClientFrame }
  | { readonly do: 'close' }
  /** The handshake was refused: perhaps the session is over. */
  | { readonly do: 'check-session' };

/** What stands outside: the time, and chance from 0 to 1 for the back-off. */
export interface World {
  readonly now: number;
  readonly chance: number;
}

export type Step = readonly [Live, readonly Output[]];

export const IDLE: Live = {
  phase: 'idle',
  end: null,
  isOnline: true,
  socket: 0,
  hello: null,
  timeline: null,
  wanted: [],
  channels: {},
  leaving: {},
  askedAt: 0,
  clock: null,
  isBooking: true,
  attempts: 0,
  phaseSince: 0,
  retryAt: null,
  heardAt: null,
};

const UNANSWERED: Channel = {
  frame: null,
  floor: 0,
  taken: 0,
  isFirst: true,
  isAnswered: false,
  asOf: null,
  refusal: null,
};

export function step(state: Live, input: Input, world: World): Step {
  switch (input.kind) {
    case 'want':
      return want(state, input.channels, world);
    case 'opened':
      return input.socket === state.socket ? opened(state, world) : [state, []];
    case 'text':
      return input.socket === state.socket ? heard(state, input.text, world) : [state, []];
    case 'closed':
      return input.socket === state.socket ? closed(state, input.code, world) : [state, []];
    case 'tick':
      return tick(state, world);
    case 'online':
      return woken({ ...state, isOnline: true }, world);
    case 'offline':
      return state.phase === 'idle' || state.phase === 'ended'
        ? [{ ...state, isOnline: false }, []]
        : wait({ ...state, isOnline: false }, world);
    case 'woken':
      return woken(state, world);
    case 'leave':
      return [{ ...IDLE, isOnline: state.isOnline, socket: state.socket + 1 }, [{ do: 'close' }]];
  }
}

// ---- what is shown ------------------------------------------------------------------------------

/** True while the channel's numbers are those of now. */
export function isLive(state: Live, channel: string, now: number): boolean {
  return (
    state.phase === 'open' &&
    state.isBooking &&
    state.heardAt !== null &&
    now - state.heardAt < STALE_MS &&
    (state.channels[channel]?.isAnswered ?? false)
  );
}

/** Business time at the instant `now`; null before the first frame. */
export function businessTime(clock: BusinessClock | null, now: number): number | null {
  return clock && clock.businessMs + Math.max(0, now - clock.at) * clock.rate;
}

/** The wait before attempt number `attempts` + 1: doubling, its upper half left to chance. */
export function backoff(attempts: number, chance: number): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempts, 16));
  return full / 2 + (chance * full) / 2;
}

// ---- inputs -------------------------------------------------------------------------------------

function want(state: Live, wanted: readonly string[], world: World): Step {
  const added = wanted.filter((channel) => !state.wanted.includes(channel));
  const dropped = state.wanted.filter((channel) => !wanted.includes(channel));
  const channels = Object.fromEntries(
    wanted.map((channel) => [channel, state.channels[channel] ?? UNANSWERED]),
  );
  const leaving = state.hello === null ? {} : counted(state.leaving, dropped);
  const next = { ...state, wanted, channels, leaving, askedAt: world.now };
  if (state.phase === 'idle') return wanted.length > 0 ? connect(next, world) : [next, []];
  if (state.hello === null) return [next, []];
  return [next, [...asking('unwatch', dropped), ...asking('watch', added)]];
}

function opened(state: Live, { now }: World): Step {
  return [{ ...state, phase: 'open', phaseSince: now, heardAt: now, retryAt: null }, []];
}

function heard(state: Live, text: string, { now }: World): Step {
  const frame = parsed(text);
  if (frame === null || state.phase !== 'open') return [state, []];
  const [next, outputs] = understood(state, frame, now);
  return [knownUntil(next, now), outputs];
}

function understood(state: Live, frame: ServerFrame, now: number): Step {
  const next = { ...state, heardAt: now };
  switch (frame.type) {
    case 'hello':
      return greeted(next, frame, now);
    case 'heartbeat':
      return [
        { ...next, clock: clockAt(frame.clock, now), isBooking: frame.is_booking !== false },
        [],
      ];
    case 'board':
    case 'payee':
    case 'team':
      return [taken({ ...next, clock: clockAt(frame.clock, now) }, frame), []];
    case 'unwatched':
      return [unwatched(next, frame), []];
    case 'error':
      return [frame.channel ? refused(next, frame.channel, frame) : next, []];
    default:
      return [next, []]; // a newer server's frame: a sign of life, and no more
  }
}

function closed(state: Live, code: number, world: World): Step {
  if (code === CloseCode.SESSION_EXPIRED || code === CloseCode.NOT_AUTHENTICATED) {
    return [ended(state, 'signed-out', world), []];
  }
  if (code === CloseCode.POLICY) return [ended(state, 'not-allowed-here', world), []];
  const [next] = wait(state, world);
  return [next, state.phase === 'connecting' ? [{ do: 'check-session' }] : []];
}

function tick(state: Live, world: World): Step {
  const { now } = world;
  if (state.phase === 'connecting' && now - state.phaseSince >= CONNECT_MS) {
    return wait(state, world);
  }
  if (state.phase === 'open') {
    if (now - (state.heardAt ?? now) >= STALE_MS) return wait(state, world);
    const isSteady = state.attempts > 0 && now - state.phaseSince >= STEADY_MS;
    return askedAgain(isSteady ? { ...state, attempts: 0 } : state, world);
  }
  const isDue = state.phase === 'waiting' && state.isOnline && now >= (state.retryAt ?? now);
  return isDue ? connect(state, world) : [state, []];
}

function woken(state: Live, world: World): Step {
  if (state.phase === 'waiting' && state.isOnline) return connect(state, world);
  return tick(state, world);
}

// ---- moves --------------------------------------------------------------------------------------

function connect(state: Live, { now }: World): Step {
  const socket = state.socket + 1;
  const next: Live = { ...state, phase: 'connecting', phaseSince: now, socket, retryAt: null };
  return [next, [{ do: 'connect', socket }]];
}

/** Gives the socket up; the numbers stay, grey, until a snapshot replaces them. */
function wait(state: Live, { now, chance }: World): Step {
  const next: Live = {
    ...unanswered(state),
    phase: 'waiting',
    phaseSince: now,
    socket: state.socket + 1,
    attempts: state.attempts + 1,
    retryAt: now + backoff(state.attempts, chance),
  };
  return [next, [{ do: 'close' }]];
}

const ended = (state: Live, end: End, { now }: World): Live => ({
  ...unanswered(state),
  phase: 'ended',
  end,
  phaseSince: now,
  retryAt: null,
});

const unanswered = (state: Live): Live => ({
  ...eachChannel(state, { isAnswered: false }),
  hello: null,
  leaving: {},
});

function eachChannel(state: Live, change: Partial<Channel>): Live {
  const channels = Object.entries(state.channels).map(([name, channel]) => [
    name,
    { ...channel, ...change },
  ]);
  return { ...state, channels: Object.fromEntries(channels) };
}

function greeted(state: Live, hello: Hello, now: number): Step {
  const isOther = state.timeline !== null && state.timeline !== hello.timeline;
  const known = isOther ? eachChannel(state, { floor: 0 }) : state;
  const { timeline } = hello;
  const next = { ...known, hello, timeline, askedAt: now, clock: clockAt(hello.clock, now) };
  return [next, asking('watch', state.wanted)];
}

function taken(state: Live, frame: Snapshot): Live {
  const channel = state.channels[frame.channel];
  if (!channel || frame.version < channel.floor) return state;
  if (channel.isAnswered && frame.version === channel.frame?.version) return state;
  return put(state, frame.channel, {
    frame,
    floor: frame.version,
    taken: channel.taken + 1,
    asOf: channel.asOf,
    isFirst: !channel.isAnswered,
    isAnswered: true,
    refusal: null,
  });
}

/** The server may have been unable to answer just then; the numbers stay grey until it does. */
function askedAgain(state: Live, { now }: World): Step {
  if (state.hello === null || now - state.askedAt < ASK_AGAIN_MS) return [state, []];
  const missing = state.wanted.filter((name) => !state.channels[name]?.isAnswered);
  return [{ ...state, askedAt: now }, asking('watch', missing)];
}

/** The answer to our own `unwatch` says nothing about a channel that is wanted again. */
function unwatched(state: Live, { channel, reason }: Unwatched): Live {
  const awaited = state.leaving[channel] ?? 0;
  if (awaited === 0) return refused(state, channel, { title: 'Not found', detail: reason });
  return { ...state, leaving: { ...state.leaving, [channel]: awaited - 1 } };
}

function counted(leaving: Live['leaving'], dropped: readonly string[]): Live['leaving'] {
  const more = dropped.map((channel) => [channel, (leaving[channel] ?? 0) + 1]);
  return { ...leaving, ...Object.fromEntries(more) };
}

/** What one may not see any more is not kept on the screen either. */
function refused(state: Live, name: string, { title, detail }: Refusal): Live {
  const channel = state.channels[name];
  if (!channel) return state;
  const refusal = { title, detail };
  return put(state, name, { ...channel, frame: null, isAnswered: true, refusal });
}

/** While frames come, the numbers of every answered channel are those of now. */
function knownUntil(state: Live, now: number): Live {
  if (!state.isBooking) return state;
  const asOf = businessTime(state.clock, now);
  const channels = Object.entries(state.channels).map(([name, channel]) => [
    name,
    channel.isAnswered ? { ...channel, asOf } : channel,
  ]);
  return { ...state, channels: Object.fromEntries(channels) };
}

const put = (state: Live, name: string, channel: Channel): Live => ({
  ...state,
  channels: { ...state.channels, [name]: channel },
});

const asking = (type: 'watch' | 'unwatch', channels: readonly string[]): readonly Output[] =>
  channels.length > 0 ? [{ do: 'send', frame: { type, channels } }] : [];

function clockAt(clock: Clock, now: number): BusinessClock {
  return {
    businessMs: Date.parse(clock.business_at),
    rate: Number(clock.rate), // a speed to draw with, not an amount
    rateText: clock.rate,
    at: now,
  };
}

function parsed(text: string): ServerFrame | null {
  try {
    const value: unknown = JSON.parse(text);
    const isFrame = typeof value === 'object' && value !== null && 'type' in value;
    return isFrame ? (value as ServerFrame) : null;
  } catch {
    return null;
  }
}
