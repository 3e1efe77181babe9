/** What the navigation offers, by role; the first is the home of that role. */

import type { Session } from './api.ts';
import type { IconName } from './icons.ts';
import { boardPath, personPath, statementsPath, teamPath, type Route } from './route.svelte.ts';

export type Here = 'progress' | 'statements' | 'team' | 'admin' | 'imports' | 'board';

export interface NavLink {
  readonly key: Here;
  readonly href: string;
  readonly icon: IconName;
  readonly text: string;
}

const BOARD: NavLink = { key: 'board', href: '/boards', icon: 'board', text: 'Leaderboard' };

/** `firstBoard` null: not known yet, or there is none. */
export function navLinks({ role, payee_id }: Session, firstBoard: string | null): readonly NavLink[] {
  const board = { ...BOARD, href: firstBoard === null ? '/boards' : boardPath(firstBoard) };
  if (role === 'admin') {
    return [
      { key: 'admin', href: '/admin', icon: 'queue', text: 'Work queue' },
      { key: 'imports', href: '/imports', icon: 'import', text: 'Import' },
      board,
    ];
  }
  if (payee_id === null) return [board];
  const own: NavLink = { key: 'progress', href: personPath(payee_id), icon: 'progress', text: 'My progress' };
  if (role === 'manager') {
    return [{ key: 'team', href: teamPath(payee_id), icon: 'people', text: 'Team' }, own, board];
  }
  return [
    own,
    board,
    { key: 'statements', href: statementsPath(payee_id), icon: 'statement', text: 'Statements' },
  ];
}

/** Under which of them a page stands; null under none. */
export function hereOf(route: Route, me: string | null): Here | null {
  switch (route.page) {
    case 'board':
    case 'boards':
      return 'board';
    case 'person':
    case 'deal':
      return route.payeeId !== null && route.payeeId === me ? 'progress' : null;
    case 'statements':
    case 'statement':
      return route.payeeId === me ? 'statements' : null;
    case 'team':
      return route.payeeId === me ? 'team' : null;
    case 'admin':
    case 'held':
    case 'dead-letters':
    case 'not-eligible':
    case 'lock':
      return 'admin';
    case 'imports':
    case 'import':
      return 'imports';
    default:
      return null;
  }
}
