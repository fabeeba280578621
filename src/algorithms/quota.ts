import type { LuaStep, Verdict } from '../core/provider.js';

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

/**
 * A step over a quota in Lua. `body` sees `quota`, `duration`, `capacity` and `cost`, and answers with what remains, with the wait (of a
 * refused call until it is admitted, −1 for never; of an admitted one until its turn), and with how long until the key is as new.
 */
export function quotaStep(limitOf: (params: Quota) => number, front: number, body: string): LuaStep<Quota, Verdict> {
  return {
    front,
    body: `local quota, duration, capacity, cost = p[1], p[2], p[3], p[4]\n${body.trim()}`,
    args: ({ quota, duration, capacity, cost }) => [quota, duration, capacity, cost],
    decision([admitted, remaining, wait, resetAfter], params) {
      const limit = limitOf(params);
      if (admitted === 1) return verdict(true, limit, Number(remaining), 0, Number(resetAfter), Number(wait));
      return verdict(false, limit, Number(remaining), Number(wait) < 0 ? Infinity : Number(wait), Number(resetAfter));
    },
  };
}

/** What a limiter says that nobody could ask: go. */
export const unasked =
  (limitOf: (params: Quota) => number) =>
  (params: Quota): Verdict =>
    verdict(true, limitOf(params), Math.max(0, limitOf(params) - params.cost), 0, 0);
