/** Where the reader is: the address, by the History API. api/web.py serves the page for each. */

export type Route =
  | { readonly page: 'home' }
  /** The first board there is. */
  | { readonly page: 'boards' }
  | { readonly page: 'board'; readonly boardId: string }
  /** `period` null: the one of the business date. */
  | { readonly page: 'person'; readonly payeeId: string; readonly period: string | null }
  /** `payeeId`: on whose page the reader was; null when he came from elsewhere. */
  | { readonly page: 'deal'; readonly dealId: string; readonly payeeId: string | null }
  | { readonly page: 'statements'; readonly payeeId: string }
  | { readonly page: 'statement'; readonly payeeId: string; readonly period: string }
  | { readonly page: 'team'; readonly payeeId: string }
  | { readonly page: 'alert'; readonly alertId: string }
  | { readonly page: 'admin' }
  | { readonly page: 'held' }
  | { readonly page: 'dead-letters' }
  | { readonly page: 'not-eligible' }
  | { readonly page: 'lock'; readonly period: string }
  | { readonly page: 'imports' }
  | { readonly page: 'import'; readonly importId: string }
  | { readonly page: 'unknown' };

/** An address pattern: its parts, `:` before those that are ids, and the route they make. */
type Pattern = readonly [string, (ids: readonly string[], query: URLSearchParams) => Route];

const PATTERNS: readonly Pattern[] = [
  ['', () => ({ page: 'home' })],
  ['boards', () => ({ page: 'boards' })],
  ['boards/:', ([boardId = '']) => ({ page: 'board', boardId })],
  ['people/:', ([payeeId = ''], query) => ({ page: 'person', payeeId, period: query.get('period') })],
  ['people/:/deals/:', ([payeeId = '', dealId = '']) => ({ page: 'deal', dealId, payeeId })],
  ['people/:/statements', ([payeeId = '']) => ({ page: 'statements', payeeId })],
  ['people/:/statements/:', ([payeeId = '', period = '']) => ({ page: 'statement', payeeId, period })],
  ['deals/:', ([dealId = '']) => ({ page: 'deal', dealId, payeeId: null })],
  ['team/:', ([payeeId = '']) => ({ page: 'team', payeeId })],
  ['alerts/:', ([alertId = '']) => ({ page: 'alert', alertId })],
  ['admin', () => ({ page: 'admin' })],
  ['admin/held', () => ({ page: 'held' })],
  ['admin/dead-letters', () => ({ page: 'dead-letters' })],
  ['admin/not-eligible', () => ({ page: 'not-eligible' })],
  ['admin/periods/:', ([period = '']) => ({ page: 'lock', period })],
  ['imports', () => ({ page: 'imports' })],
  ['imports/:', ([importId = '']) => ({ page: 'import', importId })],
];

export function routeOf(path: string, search = ''): Route {
  const parts = path.split('/').filter(Boolean);
  const query = new URLSearchParams(search);
  for (const [pattern, route] of PATTERNS) {
    const ids = idsIn(pattern.split('/').filter(Boolean), parts);
    if (ids) return route(ids, query);
  }
  return { page: 'unknown' };
}

function idsIn(pattern: readonly string[], parts: readonly string[]): readonly string[] | null {
  if (pattern.length !== parts.length) return null;
  if (pattern.some((wanted, at) => wanted !== ':' && wanted !== parts[at])) return null;
  return parts.filter((_, at) => pattern[at] === ':').map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const id = encodeURIComponent;

export const boardPath = (boardId: string): string => `/boards/${id(boardId)}`;
export const personPath = (payeeId: string, period: string | null = null): string =>
  `/people/${id(payeeId)}${period === null ? '' : `?period=${id(period)}`}`;
export const dealPath = (dealId: string, payeeId: string | null = null): string =>
  payeeId === null ? `/deals/${id(dealId)}` : `/people/${id(payeeId)}/deals/${id(dealId)}`;
export const statementsPath = (payeeId: string): string => `/people/${id(payeeId)}/statements`;
export const statementPath = (payeeId: string, period: string): string =>
  `${statementsPath(payeeId)}/${id(period)}`;
export const teamPath = (payeeId: string): string => `/team/${id(payeeId)}`;
export const alertPath = (alertId: string): string => `/alerts/${id(alertId)}`;
export const lockPath = (period: string): string => `/admin/periods/${id(period)}`;
export const importPath = (importId: string): string => `/imports/${id(importId)}`;

class Router {
  route = $state.raw<Route>(routeOf(location.pathname, location.search));

  constructor() {
    window.addEventListener('popstate', () => this.#read());
  }

  go(path: string, { replace = false } = {}): void {
    if (replace) history.replaceState(null, '', path);
    else history.pushState(null, '', path);
    this.#read();
    if (!replace) window.scrollTo(0, 0);
  }

  #read(): void {
    this.route = routeOf(location.pathname, location.search);
  }
}

export const router = new Router();

/** Takes over plain clicks on links of this origin; all others stay the browser's. */
export function followLinks(event: MouseEvent): void {
  const isPlain =
    event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!isPlain || event.defaultPrevented || !(event.target instanceof Element)) return;
  const link = event.target.closest('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/v1/') || link.pathname.startsWith('/docs')) return;
  const isHere = link.pathname === location.pathname && link.search === location.search;
  if (isHere && link.hash) return;
  event.preventDefault();
  if (!isHere) router.go(link.pathname + link.search);
}
