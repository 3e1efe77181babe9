/** The filters of a list, kept in the address, so that it can be sent to somebody. */

import { queryText, type Query } from './api.ts';
import { router } from './route.svelte.ts';

/** What the address says, as state: '' for what it does not say. */
export function asked(name: string): string {
  void router.route; // read, so that a new address is looked at again
  return new URLSearchParams(location.search).get(name) ?? '';
}

/** Changes some of it in place. */
export function ask(changes: Query): void {
  const now = Object.fromEntries(new URLSearchParams(location.search));
  router.go(`${location.pathname}${queryText({ ...now, ...changes })}`, { replace: true });
}
