import { LRUCache } from 'lru-cache';
import type { Quota } from '../algorithms/index.js';
import type { Verdict } from '../core/provider.js';

interface Refusal {
  readonly params: Quota;
  readonly until: number;
  readonly asked: number;
  readonly verdict: Verdict;
}

/** Asked again at least so often, in milliseconds: what another process refunds or resets is seen by then. */
const longest = 1000;

/**
 * Keys that the store has just refused. A cost of 1 it would refuse until `retryAfter` has passed since it was asked:
 * until then nobody need ask it. (While a higher cost has to wait, a lower one may come between.) Instants are taken before it is asked, so that this never refuses for longer than the store would.
 */
export class Refusals {
  readonly #known = new LRUCache<string, Refusal>({ max: 100_000 });
  /** How often something was given back: what was asked before that need no longer hold. */
  era = 0;

  get none(): boolean {
    return this.#known.size === 0;
  }

  /** The refusal that the store would give, if that is known. */
  find(key: string, { cost, quota, duration, capacity }: Quota, now: number): Verdict | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    const { params, until, asked, verdict } = known;
    if (now >= until || now < asked || quota !== params.quota || duration !== params.duration || capacity !== params.capacity) {
      this.#known.delete(key);
      return undefined;
    }
    if (cost !== 1) return undefined;
    const passed = now - asked;
    return { ...verdict, retryAfter: verdict.retryAfter - passed, resetAfter: Math.max(0, verdict.resetAfter - passed) };
  }

  /** The store refused what was asked at an instant of an era. */
  add(key: string, params: Quota, verdict: Verdict, asked: number, era: number): void {
    if (era !== this.era || verdict.retryAfter === Infinity || params.cost !== 1) return;
    this.#known.set(key, { params, until: asked + Math.min(longest, verdict.retryAfter), asked, verdict });
  }

  delete(key: string): void {
    this.era++;
    this.#known.delete(key);
  }

  clear(): void {
    this.era++;
    this.#known.clear();
  }
}
