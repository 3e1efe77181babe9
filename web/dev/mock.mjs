/**
 * For work on the pages without the rest: serves web/dist under the real content policy and speaks
 * the frames of /v1/live over a sample company. `npm run mock`, then open the printed address.
 */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Company } from './sample.mjs';
import { Socket } from './socket.mjs';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

export class Mock {
  company = new Company();
  /** What may be switched to see a state: no frames at all, no new connections, no data. */
  isSilent = false;
  isAway = false;
  sockets = new Set();
  #server = createServer((request, response) => void this.#answer(request, response));

  async listen(port = 0) {
    this.#server.on('upgrade', (request, stream) => this.#upgrade(request, stream));
    await new Promise((done) => this.#server.listen(port, '127.0.0.1', done));
    this.#beat = setInterval(() => this.#each((socket) => socket.send({ type: 'heartbeat', clock: this.company.clock() })), 2_000);
    return `http://127.0.0.1:${this.#server.address().port}`;
  }
  #beat;

  close() {
    clearInterval(this.#beat);
    this.drop();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Sends what is watched again, as it is now. */
  publish() {
    this.#each((socket) => {
      for (const channel of socket.watched) socket.send(this.#frame(channel));
    });
  }

  sell(boardId, payeeId, amount) {
    this.company.sell(boardId, payeeId, amount);
    this.publish();
  }

  drop(code = 1001) {
    for (const socket of [...this.sockets]) socket.close(code);
  }

  #each(act) {
    if (!this.isSilent) for (const socket of this.sockets) act(socket);
  }

  #frame(channel) {
    const [kind, id] = [channel.slice(0, channel.indexOf(':')), channel.slice(channel.indexOf(':') + 1)];
    const { version } = this.company;
    const clock = this.company.clock();
    const board = kind === 'board' ? this.company.board(id) : null;
    const progress = kind === 'payee' ? this.company.progress(id) : null;
    if (board) return { type: 'board', channel, version, board, clock };
    if (progress) return { type: 'payee', channel, version, progress, clock };
    return { type: 'error', title: 'Not found', detail: 'There is no such channel for you.', channel };
  }

  #user(request) {
    const id = /paceboard=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    const user = this.company.users().find((one) => one.user_id === id);
    return user && { user_id: user.user_id, role: user.role, scopes: [], payee_id: user.role === 'rep' ? user.user_id.slice(4) : null, expires_at: '2030-01-01T00:00:00Z' };
  }

  #upgrade(request, stream) {
    const user = this.#user(request);
    if (this.isAway || !user) return stream.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
    const socket = new Socket(request, stream);
    socket.watched = new Set();
    socket.onClose = () => this.sockets.delete(socket);
    socket.onText = (text) => {
      const { type, channels } = JSON.parse(text);
      for (const channel of channels) {
        if (type === 'unwatch') socket.watched.delete(channel);
        else if (socket.watched.add(channel) && !this.isSilent) socket.send(this.#frame(channel));
      }
    };
    this.sockets.add(socket);
    socket.send({ type: 'hello', user_id: user.user_id, payee_id: user.payee_id, role: user.role, timeline: 1, heartbeat_seconds: 2, clock: this.company.clock() });
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, 'http://local');
    if (pathname.startsWith('/v1/')) return this.#api(request, response, pathname);
    const path = pathname.startsWith('/assets/') ? normalize(pathname) : '/index.html';
    try {
      const body = await readFile(join(DIST, path));
      response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }

  async #api(request, response, pathname) {
    const say = (status, value, headers = {}) =>
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(value === undefined ? '' : JSON.stringify(value));
    const user = this.#user(request);
    const what = `${request.method} ${pathname}`;
    if (what === 'GET /v1/demo/users') {
      return say(200, { users: this.company.users() });
    }
    if (what === 'POST /v1/session') {
      let body = '';
      for await (const part of request) body += part;
      return say(200, {}, { 'Set-Cookie': `paceboard=${JSON.parse(body).user_id}; HttpOnly; SameSite=Strict; Path=/` });
    }
    if (!user) return say(401, { title: 'Sign in' });
    if (what === 'DELETE /v1/session') return say(204, undefined, { 'Set-Cookie': 'paceboard=; Max-Age=0; Path=/' });
    if (what === 'GET /v1/session') return say(200, user);
    if (what === 'GET /v1/boards') {
      return say(200, { boards: Object.entries(this.company.boards).map(([board_id, { name, measure }]) => ({ board_id, name, measure })) });
    }
    return say(404, { title: 'Not found' });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = new Mock();
  console.log(await mock.listen(Number(process.env.PORT ?? 4173)));
  const ids = mock.company.boards.reps.people.map((person) => person.payee_id);
  setInterval(() => {
    const id = ids[Math.floor(Math.random() * ids.length)];
    mock.sell('reps', id, (Math.random() * 20_000).toFixed(2));
  }, 1_500);
}
