import { lease } from '../algorithms/index.js';
import { after, type Clock } from '../core/clock.js';
import type { Store } from '../core/provider.js';

/** A holder that says nothing for so long has died, in milliseconds. */
const leaseMs = 3000;

/** A lease on the right to load a key, prolonged for as long as it is held. */
export class Lock {
  readonly #store: Store;
  readonly #key: string;
  readonly #holder: string;
  readonly #clock: Clock;
  #timer: { clear(): void } | undefined;
  #held = false;
  #over = false;

  constructor(store: Store, key: string, holder: string, clock: Clock) {
    this.#store = store;
    this.#key = key;
    this.#holder = holder;
    this.#clock = clock;
  }

  /** 0 when it was taken; otherwise after how many milliseconds at the latest it is free. */
  async take(): Promise<number> {
    const { allowed, retryAfter } = await this.#store.step(this.#key, lease, { holder: this.#holder, ttl: leaseMs });
    if (!allowed) return Math.max(1, retryAfter);
    this.#held = true;
    if (this.#over) this.#give();
    else this.#prolong();
    return 0;
  }

  release(): void {
    this.#over = true;
    this.#timer?.clear();
    if (this.#held) this.#give();
  }

  #give(): void {
    this.#held = false;
    Promise.resolve(this.#store.step(this.#key, lease, { holder: this.#holder, ttl: 0 })).catch(() => undefined);
  }

  #prolong(): void {
    this.#timer = after(this.#clock, leaseMs / 3, () => {
      const again = (): void => {
        if (!this.#over) this.#prolong();
      };
      // It may have been lost meanwhile, or Redis: it is asked for again as long as the load runs.
      this.take().then((wait) => {
        if (wait > 0) again();
      }, again);
    });
  }
}
