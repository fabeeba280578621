import type { Verdict } from '../core/provider.js';

/** What every algorithm is asked: may `cost` be spent now? A cost of 0 looks without spending, a negative one gives back. */
export interface Quota {
  /** Calls per `duration`. */
  readonly quota: number;
  /** Milliseconds, whole. */
  readonly duration: number;
  /** The most that may stand against the key at once: a token bucket's burst, a leaky bucket's size; the quota otherwise. */
  readonly capacity: number;
  readonly cost: number;
}

/** A verdict: times in milliseconds, `remaining` never below 0. */
export function verdict(
  allowed: boolean,
  limit: number,
  remaining: number,
  retryAfter: number,
  resetAfter: number,
  delay: number = 0,
): Verdict {
  return { allowed, limit, remaining: remaining > 0 ? remaining : 0, retryAfter, resetAfter, delay };
}
