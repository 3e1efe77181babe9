/** A list that is read page by page, as state components read. */

export interface PageOf<R> {
  readonly rows: readonly R[];
  readonly next_cursor: string | null;
}

export class Paged<R> {
  rows = $state.raw<readonly R[] | null>(null);
  next = $state.raw<string | null>(null);
  isReading = $state(false);
  failure = $state.raw<unknown>(null);

  readonly #read: (cursor: string | null) => Promise<PageOf<R>>;
  #asked = 0;

  constructor(read: (cursor: string | null) => Promise<PageOf<R>>) {
    this.#read = read;
  }

  /** Begins again; what is shown stays until the answer comes. */
  first = (): Promise<void> => this.#page(null);

  /** Adds the next page below. */
  more = (): Promise<void> => (this.next === null ? Promise.resolve() : this.#page(this.next));

  async #page(cursor: string | null): Promise<void> {
    const question = (this.#asked += 1);
    this.isReading = cursor !== null || this.rows === null;
    try {
      const page = await this.#read(cursor);
      if (question !== this.#asked) return;
      this.rows = cursor === null ? page.rows : [...(this.rows ?? []), ...page.rows];
      this.next = page.next_cursor;
      this.failure = null;
    } catch (error) {
      if (question !== this.#asked) return;
      this.failure = error;
    }
    this.isReading = false;
  }
}
