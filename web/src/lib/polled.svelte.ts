/** An answer that is asked for again and again while somebody looks, as state components read. */

import { POLL_MS } from './limits.ts';
import { isRefused } from './problem.ts';

type State = 'loading' | 'fresh' | 'stale' | 'refused';

export class Polled<T> {
  answer = $state.raw<T | null>(null);
  state = $state<State>('loading');
  /** When the shown answer came, by the reader's clock. */
  at = $state<number | null>(null);
  /** The reader wants no change by itself. */
  isPaused = $state(false);
  /** The last question's error; null after an answer. */
  failure = $state.raw<unknown>(null);

  readonly #ask: () => Promise<T>;
  readonly #every: () => number | null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  /** `every`: the pause between two looks, null for none while it says so. */
  constructor(ask: () => Promise<T>, every: () => number | null = () => POLL_MS) {
    this.#ask = ask;
    this.#every = every;
  }

  /** To be returned from onMount: asks now, and then until it is left. */
  start(): () => void {
    const wake = (): void => {
      if (!document.hidden && !this.isPaused) void this.again();
    };
    document.addEventListener('visibilitychange', wake);
    void this.again();
    return () => {
      document.removeEventListener('visibilitychange', wake);
      this.#asked += 1;
      clearTimeout(this.#timer);
    };
  }

  /** Asks at once; an answer that a later question has overtaken is dropped. */
  again = async (): Promise<void> => {
    clearTimeout(this.#timer);
    const question = (this.#asked += 1);
    try {
      const answer = await this.#ask();
      if (question === this.#asked) this.take(answer);
    } catch (error) {
      if (question !== this.#asked) return;
      const isOver = isRefused(error);
      if (isOver) this.answer = null;
      this.state = isOver ? 'refused' : this.answer === null ? 'loading' : 'stale';
      this.failure = error;
    }
    if (question === this.#asked) this.#wait();
  };

  togglePause(): void {
    this.isPaused = !this.isPaused;
    if (!this.isPaused) void this.again();
  }

  /** Shows an answer that came another way, as that of a POST. */
  take(answer: T): void {
    this.answer = answer;
    this.state = 'fresh';
    this.at = Date.now();
    this.failure = null;
  }

  #wait(): void {
    const pause = this.#every();
    if (pause === null) return;
    const mayNot = (): boolean => document.hidden || this.isPaused;
    this.#timer = setTimeout(() => (mayNot() ? this.#wait() : void this.again()), pause);
  }
}
