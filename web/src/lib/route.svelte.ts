/** Where the reader is: the address, by the History API. */

export type Route =
  | { readonly page: 'home' }
  | { readonly page: 'board'; readonly boardId: string }
  | { readonly page: 'person'; readonly payeeId: string }
  | { readonly page: 'unknown' };

export function routeOf(path: string): Route {
  const [first, second, ...rest] = path.split('/').filter(Boolean);
  if (first === undefined) return { page: 'home' };
  if (second === undefined || rest.length > 0) return { page: 'unknown' };
  const id = decoded(second);
  if (first === 'boards') return { page: 'board', boardId: id };
  if (first === 'people') return { page: 'person', payeeId: id };
  return { page: 'unknown' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const boardPath = (id: string): string => `/boards/${encodeURIComponent(id)}`;
export const personPath = (id: string): string => `/people/${encodeURIComponent(id)}`;

class Router {
  route = $state.raw<Route>(routeOf(location.pathname));

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
    this.route = routeOf(location.pathname);
  }
}

export const router = new Router();

/** Takes over plain clicks on links of this origin; all others stay the browser's. */
export function followLinks(event: MouseEvent): void {
  const isPlain =
    event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!isPlain || event.defaultPrevented || !(event.target instanceof Element)) return;
  const link = event.target.closest('a');
  if (!link || link.target || link.origin !== location.origin) return;
  if (link.pathname === location.pathname && link.hash) return;
  event.preventDefault();
  if (link.pathname !== location.pathname) router.go(link.pathname);
}
