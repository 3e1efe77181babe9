/** What went wrong with a request, in words for its reader. */

import { Failed } from './api.ts';
import { count } from './words.ts';

export interface Trouble {
  readonly title: string;
  readonly text: string;
  /** Leads to the server's log line; null where there is none. */
  readonly requestId: string | null;
  /** The same request may do better later. */
  readonly mayRetry: boolean;
}

export const isRefused = (error: unknown): boolean =>
  error instanceof Failed && (error.status === 404 || error.status === 403);

const CUT_OFF: Trouble = {
  title: 'The server cannot be reached',
  text: 'Nothing is lost. Check the network, then try again.',
  requestId: null,
  mayRetry: true,
};

export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof Failed)) return CUT_OFF;
  const { status, problem, retryAfter } = error;
  const later = retryAfter === null ? '' : ` Try again in ${count(retryAfter, 'second')}.`;
  const faults = problem?.errors ?? [];
  const first = faults[0];
  const said = first ? `${first.detail}${first.remedy ? ` ${first.remedy}` : ''}` : problem?.detail;
  return {
    title: problem?.title ?? 'The server could not answer',
    text: `${said ?? `It answered ${status}.`}${faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''}${later}`,
    requestId: status >= 500 ? (problem?.request_id ?? null) : null,
    mayRetry: status === 429 || status >= 500,
  };
}
