/** The few requests beside the live socket. */

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

/** An answer that was not a 2xx. */
export class Failed extends Error {
  constructor(readonly status: number) {
    super(`the server answered ${status}`);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`/v1${path}`, {
    method,
    credentials: 'same-origin',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Failed(answer.status);
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

/** Who is signed in; null for nobody. */
export async function session(): Promise<Session | null> {
  try {
    return await named(await call<Session>('GET', '/session'));
  } catch (error) {
    if (error instanceof Failed && error.status === 401) return null;
    throw error;
  }
}

export async function signIn(user: DemoUser): Promise<Session> {
  await call<unknown>('POST', '/session', { user_id: user.user_id });
  return { ...(await call<Session>('GET', '/session')), name: user.name };
}

async function named(session: Session): Promise<Session> {
  if (session.name) return session;
  const users = await demoUsers().catch(() => []);
  const user = users.find(({ user_id }) => user_id === session.user_id);
  return { ...session, name: user?.name ?? session.user_id };
}

export const signOut = (): Promise<void> => call<void>('DELETE', '/session');

export const demoUsers = async (): Promise<DemoUser[]> =>
  (await call<{ users: DemoUser[] }>('GET', '/demo/users')).users;

export const boards = async (): Promise<BoardLink[]> =>
  (await call<{ boards: BoardLink[] }>('GET', '/boards')).boards;
