/**
 * The requests beside the live socket. Versioned answers are revalidated by the browser itself
 * (`Cache-Control: private, no-cache` and an ETag); a change of reference data names the ETag it
 * has seen.
 */

import type { Periods, PeriodView } from './answers.ts';

export interface Session {
  user_id: string;
  /** May be missing: then it is looked up among the people of the demo. */
  name?: string | null;
  role: string;
  payee_id: string | null;
  expires_at: string;
}

export interface DemoUser {
  user_id: string;
  name: string;
  role: string;
  title?: string | null;
}

export interface BoardLink {
  board_id: string;
  name: string;
  measure: string;
}

/** One thing that is wrong in a request. */
export interface Fault {
  code: string;
  detail: string;
  pointer?: string;
  parameter?: string;
  remedy?: string;
  deal_id?: string;
}

/** An RFC 9457 problem document. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  request_id: string;
  errors?: readonly Fault[];
}

/** An answer that was not a 2xx. */
export class Failed extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null = null,
    /** Seconds until it is worth trying again, where the server said so. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem?.detail ?? `the server answered ${status}`);
  }
}

export interface Answer<T> {
  readonly value: T;
  readonly etag: string | null;
  readonly status: number;
}

/** Filters of a list; what is null, undefined or empty is left out. */
export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Sent {
  readonly query?: Query | undefined;
  /** Sent as JSON; a Blob is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

let signedOut: () => void = () => undefined;

/** Whom to tell that a request was refused because nobody is signed in any more. */
export function onSignedOut(tell: () => void): () => void {
  signedOut = tell;
  return () => (signedOut = () => undefined);
}

/** Asks `/v1` + path. Raises Failed for an answer that is no 2xx, TypeError when there is none. */
export async function call<T>(method: string, path: string, sent: Sent = {}): Promise<Answer<T>> {
  const { body, signal } = sent;
  const isRaw = body instanceof Blob;
  const type = body === undefined || isRaw ? {} : { 'Content-Type': 'application/json' };
  const answer = await fetch(`/v1${path}${queryText(sent.query)}`, {
    method,
    credentials: 'same-origin',
    headers: { Accept: 'application/json', ...type, ...sent.headers },
    ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  if (!answer.ok) throw await failureOf(answer, path);
  const text = await answer.text();
  const value = (text === '' ? undefined : JSON.parse(text)) as T;
  return { value, etag: answer.headers.get('ETag'), status: answer.status };
}

async function failureOf(answer: Response, path: string): Promise<Failed> {
  if (answer.status === 401 && path !== '/session') signedOut();
  const retry = Number(answer.headers.get('Retry-After') ?? NaN);
  const isProblem = /\bjson\b/.test(answer.headers.get('Content-Type') ?? '');
  const problem = isProblem ? await answer.json().catch(() => null) : null;
  return new Failed(answer.status, problem as Problem | null, Number.isFinite(retry) ? retry : null);
}

export function queryText(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

export const get = async <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  (await call<T>('GET', path, { query, signal })).value;

/** `key` makes a repetition of the same request do nothing a second time: keep it for a retry. */
export const post = async <T>(path: string, body: unknown, sent: Sent & { key?: string } = {}): Promise<T> =>
  (
    await call<T>('POST', path, {
      ...sent,
      body,
      headers: { 'Idempotency-Key': sent.key ?? newKey(), ...sent.headers },
    })
  ).value;

/** Creates (`etag` null) or changes what was last seen as `etag`. */
export const put = <T>(path: string, body: unknown, etag: string | null): Promise<Answer<T>> =>
  call<T>('PUT', path, {
    body,
    headers: etag === null ? { 'If-None-Match': '*' } : { 'If-Match': etag },
  });

export const remove = <T>(path: string, etag: string | null = null): Promise<Answer<T>> =>
  call<T>('DELETE', path, { headers: etag === null ? {} : { 'If-Match': etag } });

/** A random Idempotency-Key. (`crypto.randomUUID` is missing outside of https and localhost.) */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// ---- who is here, and what is there --------------------------------------------------------------

/** Who is signed in; null for nobody. */
export async function session(): Promise<Session | null> {
  try {
    return await named(await get<Session>('/session'));
  } catch (error) {
    if (error instanceof Failed && error.status === 401) return null;
    throw error;
  }
}

export async function signIn(user: DemoUser): Promise<Session> {
  await call<unknown>('POST', '/session', { body: { user_id: user.user_id } });
  return { ...(await get<Session>('/session')), name: user.name };
}

async function named(session: Session): Promise<Session> {
  if (session.name) return session;
  const users = await demoUsers().catch(() => []);
  const user = users.find(({ user_id }) => user_id === session.user_id);
  return { ...session, name: user?.name ?? session.user_id };
}

export async function signOut(): Promise<void> {
  await call<void>('DELETE', '/session');
}

export const demoUsers = async (): Promise<DemoUser[]> =>
  (await get<{ users: DemoUser[] }>('/demo/users')).users;

export const boards = async (): Promise<BoardLink[]> =>
  (await get<{ boards: BoardLink[] }>('/boards')).boards;

/** In order, the earliest first. */
export const periods = async (signal?: AbortSignal): Promise<readonly PeriodView[]> =>
  (await get<Periods>('/periods', {}, signal)).periods;
