import { describe, expect, it } from 'vitest';

import { boardChannel, CloseCode } from '../src/lib/frames.ts';
import { ASK_AGAIN_MS, BACKOFF_MAX_MS, CONNECT_MS, STALE_MS, STEADY_MS } from '../src/lib/limits.ts';
import {
  backoff, businessTime, IDLE, isLive, step, type Input, type Live, type Output,
} from '../src/lib/live.ts';

const BOARD = boardChannel('reps');
const clock = { business_at: '2014-01-29T14:03:07Z', rate: '540' };

/** A client with a clock that stands until it is moved. */
class Client {
  state: Live = IDLE;
  outputs: Output[] = [];
  now = 1_000;
  chance = 0.5;

  feed(input: Input): this {
    const [state, outputs] = step(this.state, input, { now: this.now, chance: this.chance });
    this.state = state;
    this.outputs = [...outputs];
    return this;
  }

  after(ms: number): this {
    this.now += ms;
    return this.feed({ kind: 'tick' });
  }

  opened(): this {
    return this.feed({ kind: 'opened', socket: this.state.socket });
  }

  hears(frame: object): this {
    return this.feed({ kind: 'text', socket: this.state.socket, text: JSON.stringify(frame) });
  }

  closed(code: number): this {
    return this.feed({ kind: 'closed', socket: this.state.socket, code });
  }

  greeted(timeline = 1): this {
    return this.opened().hears({
      type: 'hello', user_id: 'u', payee_id: '282', role: 'rep', timeline, heartbeat_seconds: 2, clock,
    });
  }

  board(version: number, name = `version ${version}`): this {
    return this.hears({ type: 'board', channel: BOARD, version, board: { name }, clock });
  }

  get channel() {
    return this.state.channels[BOARD];
  }

  get isLive(): boolean {
    return isLive(this.state, BOARD, this.now);
  }
}

const watching = (): Client => new Client().feed({ kind: 'want', channels: [BOARD] });
const live = (): Client => watching().greeted().board(10);

describe('watching', () => {
  it('connects for the first channel that is wanted', () => {
    expect(watching().outputs).toEqual([{ do: 'connect', socket: 1 }]);
  });

  it('asks for its channels after the greeting, not before', () => {
    const client = watching().opened();
    expect(client.outputs).toEqual([]);
    client.greeted();
    expect(client.outputs).toEqual([{ do: 'send', frame: { type: 'watch', channels: [BOARD] } }]);
  });

  it('asks only for what is new and lets go of what is not wanted any more', () => {
    const client = live().feed({ kind: 'want', channels: ['payee:282'] });
    expect(client.outputs).toEqual([
      { do: 'send', frame: { type: 'unwatch', channels: [BOARD] } },
      { do: 'send', frame: { type: 'watch', channels: ['payee:282'] } },
    ]);
    expect(client.channel).toBeUndefined();
  });

  it('asks again for what was not answered', () => {
    const client = watching().greeted().hears({ type: 'error', title: 'Not available right now', detail: '' });
    expect(client.after(ASK_AGAIN_MS - 1).outputs).toEqual([]);
    client.hears({ type: 'heartbeat', clock });
    expect(client.after(1).outputs).toEqual([{ do: 'send', frame: { type: 'watch', channels: [BOARD] } }]);
    expect(client.board(1).after(ASK_AGAIN_MS).outputs).toEqual([]);
  });

  it('does not take the answer to its own unwatch for a refusal when it is back already', () => {
    const client = live().feed({ kind: 'want', channels: [] }).feed({ kind: 'want', channels: [BOARD] });
    client.hears({ type: 'unwatched', channel: BOARD, reason: 'You asked for it.' });
    expect(client.channel?.refusal).toBeNull();
    client.hears({ type: 'unwatched', channel: BOARD, reason: 'no longer yours' });
    expect(client.channel?.refusal).not.toBeNull();
  });

  it('is live with the snapshot, which is no fact to count up', () => {
    const client = watching().greeted();
    expect(client.isLive).toBe(false);
    client.board(10);
    expect(client.isLive).toBe(true);
    expect(client.channel?.isFirst).toBe(true);
    expect(client.board(11).channel?.isFirst).toBe(false);
  });

  it('does not hear a frame of a channel that it did not ask for', () => {
    const client = live().hears({ type: 'board', channel: 'board:other', version: 1, board: {}, clock });
    expect(Object.keys(client.state.channels)).toEqual([BOARD]);
  });

  it.each(['not json', 'null', '7', '"text"', '{}'])('survives %j', (text) => {
    const client = live();
    const before = client.channel?.frame;
    client.feed({ kind: 'text', socket: client.state.socket, text });
    expect(client.channel?.frame).toBe(before);
  });

  it('takes a frame of a kind it does not know as a sign of life', () => {
    const client = live().after(STALE_MS - 1).hears({ type: 'feed' }).after(1);
    expect(client.isLive).toBe(true);
  });
});

describe('versions', () => {
  it('never go back', () => {
    const client = live().board(12).board(11);
    expect(client.channel?.frame?.version).toBe(12);
  });

  it('are not taken twice on one socket', () => {
    const client = live();
    const { taken } = client.channel!;
    expect(client.board(10).channel?.taken).toBe(taken);
  });

  it('never go back over a reconnection either: the page stays grey until the server has caught up', () => {
    const client = live().closed(1001).after(60_000).greeted().board(9);
    expect(client.channel?.frame?.version).toBe(10);
    expect(client.isLive).toBe(false);
    expect(client.board(10).isLive).toBe(true);
  });

  it('start over with another timeline', () => {
    const client = live().closed(1001).after(60_000).greeted(2).board(1);
    expect(client.channel?.frame?.version).toBe(1);
    expect(client.isLive).toBe(true);
  });
});

describe('staleness', () => {
  it(`begins ${STALE_MS} ms after the last frame, and the socket is tried anew`, () => {
    const client = live().after(STALE_MS - 1);
    expect(client.isLive).toBe(true);
    client.after(1);
    expect(client.isLive).toBe(false);
    expect(client.state.phase).toBe('waiting');
    expect(client.outputs).toEqual([{ do: 'close' }]);
  });

  it('is put off by every heartbeat', () => {
    const client = live();
    for (let beat = 0; beat < 10; beat += 1) client.after(2_000).hears({ type: 'heartbeat', clock });
    expect(client.isLive).toBe(true);
  });

  it('begins at once when the socket closes, and the numbers stay on the screen', () => {
    const client = live().closed(1006);
    expect(client.isLive).toBe(false);
    expect(client.channel?.frame?.version).toBe(10);
  });

  it('ends with the snapshot of the new socket, not with its greeting', () => {
    const client = live().closed(1006).after(60_000).greeted();
    expect(client.isLive).toBe(false);
    expect(client.board(10).isLive).toBe(true);
    expect(client.channel?.isFirst).toBe(true);
  });

  it('says up to when numbers are known: the business time of the last frame on their socket', () => {
    const client = live();
    const last = Date.parse(clock.business_at);
    client.after(4_000).closed(1006).after(60_000).greeted();
    expect(client.channel?.asOf).toBe(last);
  });

  it('is found out when a page wakes up after a sleep', () => {
    const client = live();
    client.now += 3_600_000;
    expect(client.feed({ kind: 'woken' }).state.phase).toBe('waiting');
  });
});

describe('reconnecting', () => {
  it('waits longer each time, with chance, and never longer than the limit', () => {
    expect([0, 1, 2, 3].map((n) => backoff(n, 1))).toEqual([500, 1_000, 2_000, 4_000]);
    expect([0, 1, 2, 3].map((n) => backoff(n, 0))).toEqual([250, 500, 1_000, 2_000]);
    expect(backoff(1_000, 1)).toBe(BACKOFF_MAX_MS);
  });

  it('connects when the wait is over, on a socket of its own', () => {
    const client = live().closed(1006);
    const { socket } = client.state;
    expect(client.after(374).outputs).toEqual([]);
    expect(client.after(1).outputs).toEqual([{ do: 'connect', socket: socket + 1 }]);
  });

  it('does not hear what an older socket still says', () => {
    const client = live();
    const { socket } = client.state;
    client.closed(1006).after(1_000).opened();
    client.feed({ kind: 'closed', socket, code: CloseCode.SESSION_EXPIRED });
    expect(client.state.phase).toBe('open');
  });

  it('gives up a handshake that does not end', () => {
    const client = watching().after(CONNECT_MS);
    expect(client.state.phase).toBe('waiting');
  });

  it('asks whether the session is over when the handshake is refused', () => {
    expect(watching().closed(1006).outputs).toEqual([{ do: 'check-session' }]);
  });

  it('starts with the short wait again only after a connection that held', () => {
    const client = live().closed(1006).after(1_000).greeted().closed(1006);
    expect(client.state.attempts).toBe(2);
    client.after(1_000).greeted();
    for (let ms = 0; ms < STEADY_MS; ms += 2_000) client.after(2_000).hears({ type: 'heartbeat', clock });
    expect(client.after(0).state.attempts).toBe(0);
  });

  it('waits for the network while there is none, then connects at once', () => {
    const client = live().feed({ kind: 'offline' });
    expect(client.after(600_000).outputs).toEqual([]);
    expect(client.feed({ kind: 'online' }).outputs).toMatchObject([{ do: 'connect' }]);
  });

  it('connects at once when asked to', () => {
    expect(live().closed(1006).feed({ kind: 'woken' }).outputs).toMatchObject([{ do: 'connect' }]);
  });
});

describe('endings', () => {
  it.each([CloseCode.SESSION_EXPIRED, CloseCode.NOT_AUTHENTICATED])('%i leads to the sign-in', (code) => {
    const client = live().closed(code);
    expect(client.state.end).toBe('signed-out');
    expect(client.after(600_000).outputs).toEqual([]);
  });

  it('a refused origin is not tried again', () => {
    expect(live().closed(CloseCode.POLICY).after(600_000).state.end).toBe('not-allowed-here');
  });

  it.each([CloseCode.GOING_AWAY, CloseCode.TOO_SLOW, CloseCode.TOO_BIG, 1006])('%i is tried again', (code) => {
    expect(live().closed(code).state.phase).toBe('waiting');
  });

  it('what one may not see any more leaves the screen', () => {
    const client = live().hears({ type: 'unwatched', channel: BOARD, reason: 'no longer yours' });
    expect(client.channel?.frame).toBeNull();
    expect(client.channel?.refusal).toEqual({ title: 'Not found', detail: 'no longer yours' });
  });

  it('a refused channel leaves the others alone', () => {
    const client = new Client().feed({ kind: 'want', channels: [BOARD, 'board:x'] }).greeted().board(1);
    client.hears({ type: 'error', title: 'Not found', detail: '', channel: 'board:x' });
    expect(client.isLive).toBe(true);
    expect(client.state.channels['board:x']?.refusal?.title).toBe('Not found');
  });
});

describe('while no worker books', () => {
  it('numbers are old on a lively socket, and known up to the last heartbeat that said so', () => {
    const client = live().after(1_000).hears({ type: 'heartbeat', clock, is_booking: true });
    const asOf = client.channel?.asOf;
    client.after(2_000).hears({ type: 'heartbeat', clock, is_booking: false });
    expect(client.isLive).toBe(false);
    expect(client.state.phase).toBe('open');
    expect(client.channel?.asOf).toBe(asOf);
    client.after(2_000).hears({ type: 'heartbeat', clock, is_booking: true });
    expect(client.isLive).toBe(true);
  });
});

describe('the business clock', () => {
  it('runs between heartbeats at its rate', () => {
    const client = live();
    const start = Date.parse(clock.business_at);
    expect(businessTime(client.state.clock, client.now + 1_000)).toBe(start + 540_000);
  });

  it('stands while paused', () => {
    const client = live().hears({ type: 'heartbeat', clock: { ...clock, rate: '0' } });
    expect(businessTime(client.state.clock, client.now + 60_000)).toBe(Date.parse(clock.business_at));
  });
});
