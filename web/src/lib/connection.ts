/** Lends the protocol of live.ts a WebSocket, a clock, and the browser's signs of life. */

import { IDLE, step, type Input, type Live, type Output } from './live.ts';
import { TICK_MS } from './limits.ts';

export interface Ear {
  /** The state changed, or time went on. */
  changed(state: Live, now: number): void;
  /** The handshake was refused: see whether the session is over. */
  checkSession(): void;
}

export class Connection {
  #state: Live = IDLE;
  #socket: WebSocket | null = null;
  readonly #ear: Ear;
  readonly #undo: (() => void)[] = [];

  constructor(ear: Ear) {
    this.#ear = ear;
    const timer = setInterval(() => this.#feed({ kind: 'tick' }), TICK_MS);
    this.#undo.push(() => clearInterval(timer));
    this.#on(window, 'online', () => this.#feed({ kind: 'online' }));
    this.#on(window, 'offline', () => this.#feed({ kind: 'offline' }));
    this.#on(window, 'pageshow', () => this.#feed({ kind: 'woken' }));
    this.#on(document, 'visibilitychange', () => {
      if (!document.hidden) this.#feed({ kind: 'woken' });
    });
    if (!navigator.onLine) this.#feed({ kind: 'offline' });
  }

  want(channels: readonly string[]): void {
    this.#feed({ kind: 'want', channels });
  }

  retry(): void {
    this.#feed({ kind: 'woken' });
  }

  leave(): void {
    this.#feed({ kind: 'leave' });
    for (const undo of this.#undo.splice(0)) undo();
  }

  #feed(input: Input): void {
    const now = Date.now();
    const [state, outputs] = step(this.#state, input, { now, chance: Math.random() });
    this.#state = state;
    for (const output of outputs) this.#perform(output);
    this.#ear.changed(this.#state, now);
  }

  #perform(output: Output): void {
    switch (output.do) {
      case 'connect':
        this.#open(output.socket);
        break;
      case 'send':
        this.#socket?.send(JSON.stringify(output.frame));
        break;
      case 'close':
        this.#socket?.close();
        this.#socket = null;
        break;
      case 'check-session':
        this.#ear.checkSession();
        break;
    }
  }

  #open(id: number): void {
    this.#socket?.close();
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(`${scheme}//${location.host}/v1/live`);
    socket.onopen = () => this.#feed({ kind: 'opened', socket: id });
    socket.onmessage = ({ data }) => this.#feed({ kind: 'text', socket: id, text: String(data) });
    socket.onclose = ({ code }) => this.#feed({ kind: 'closed', socket: id, code });
    this.#socket = socket;
  }

  #on(target: Window | Document, type: string, listener: () => void): void {
    target.addEventListener(type, listener);
    this.#undo.push(() => target.removeEventListener(type, listener));
  }
}
