/** The heading of each page, which is also the title of the window. */

import type { Route } from './route.svelte.ts';

/** The source's own id of a deal: "SO69393" of "adventureworks:SO69393". */
export const keyOf = (dealId: string): string => dealId.slice(dealId.indexOf(':') + 1) || dealId;

/** `personName`: of the person a page is about, where it is known by now. */
export function titleOf(route: Route, me: string | null, personName: string | null): string {
  switch (route.page) {
    case 'person':
      return route.payeeId === me ? 'My progress' : (personName ?? 'Progress');
    case 'deal':
      return `Deal ${keyOf(route.dealId)}`;
    case 'statements':
      return route.payeeId === me ? 'My statements' : 'Statements';
    case 'statement':
      return 'Statement';
    case 'team':
      return route.payeeId === me ? 'My team' : 'Team';
    case 'alert':
      return 'Alert';
    case 'admin':
      return 'Work queue';
    case 'held':
      return 'Held';
    case 'dead-letters':
      return 'Dead letters';
    case 'not-eligible':
      return 'Not eligible';
    case 'lock':
      return 'Lock a period';
    case 'imports':
    case 'import':
      return 'Import';
    case 'unknown':
      return 'No such page';
    default:
      return 'Leaderboard';
  }
}
