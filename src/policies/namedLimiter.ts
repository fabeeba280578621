import { algorithms, type AlgorithmName } from '../algorithms/index.js';
import type { Duration } from '../core/duration.js';
import { OptionsError } from '../core/errors.js';
import { duration, integer, oneOf, required, schema, text, withDefault } from '../core/options.js';
import type { Runtime } from '../core/policy.js';
import type { Verdict } from '../core/provider.js';
import { limitRule, openLimit, quotaOf } from './limit.js';

/** Options of `premier.limiter`. */
export interface NamedLimiterOptions {
  /** @default 'fixed_window' */
  algorithm?: AlgorithmName;
  quota: number;
  duration: Duration;
  burst?: number;
  bucketSize?: number;
  /**
   * What its state is kept under. Limiters with an equal name share it.
   * @default made of its numbers
   */
  name?: string;
}

/** What a limiter says. Times in seconds. */
export interface LimitResult {
  /** Whether the cost was admitted (and, but for `peek`, spent). */
  readonly allowed: boolean;
  readonly limit: number;
  /** Calls of cost 1 that would still be admitted. */
  readonly remaining: number;
  /** Until the same cost is admitted; `Infinity` when it never is. */
  readonly retryAfter: number;
  /** Until the key is as if it had never been used. */
  readonly resetAfter: number;
  /** How long an admitted call should wait for its turn. Not 0 only for a leaky bucket. */
  readonly delay: number;
}

/** A limit to be asked by hand. */
export interface NamedLimiter {
  /** Spends `cost` if it is admitted. Throws `OptionsError` for a cost that is no whole number of at least 0. */
  consume(key: string, cost?: number): Promise<LimitResult>;
  /** Whether a call of cost 1 would be admitted, spending nothing. */
  peek(key: string): Promise<LimitResult>;
  /** Gives back what was spent, up to the full quota. */
  refund(key: string, cost?: number): Promise<LimitResult>;
  /** Forgets the key. */
  reset(key: string): Promise<void>;
}

const limiterOptions = schema<NamedLimiterOptions>('limiter')({
  algorithm: withDefault(oneOf('fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket'), 'fixed_window' as const),
  quota: required(integer(1)),
  duration: required(duration({ zero: false })),
  burst: integer(1),
  bucketSize: integer(1),
  name: text(),
});

/** Makes a limiter over the Premier's provider. */
export function namedLimiter(options: NamedLimiterOptions, runtime: Runtime): NamedLimiter {
  const resolved = limiterOptions.parse(options);
  const rule = limitRule('limiter', resolved.algorithm, resolved);
  const algorithm = algorithms[rule.algorithm];
  const name = resolved.name ?? unused(runtime, `${rule.algorithm} ${rule.quota}/${rule.capacity} per ${rule.duration}`);
  const store = openLimit(runtime, `limiter/${rule.algorithm}/${name}`, [rule]);

  const step = async (key: string, cost: number): Promise<Verdict> => store.step(checkedKey(key), algorithm, quotaOf(rule, cost));
  return {
    async consume(key, cost = 1) {
      return inSeconds(await step(key, checkedCost('consume', cost)));
    },
    async peek(key) {
      const seen = await step(key, 0);
      if (seen.remaining > 0) return inSeconds(seen);
      // What a call would be told: a full key is asked for one, which costs nothing as it is refused.
      const asked = await step(key, 1);
      if (asked.allowed) await step(key, -1);
      return inSeconds({ ...seen, allowed: asked.allowed, retryAfter: asked.retryAfter });
    },
    async refund(key, cost = 1) {
      return inSeconds(await step(key, -checkedCost('refund', cost)));
    },
    async reset(key) {
      await store.delete(checkedKey(key));
    },
  };
}

/** Limiters without a name are told apart by the order in which they are made, which is the same in every process. */
function unused(runtime: Runtime, name: string): string {
  const made = runtime.registry.get('limiter', name, () => ({ count: 0 }));
  return made.count++ === 0 ? name : `${name}~${made.count - 1}`;
}

function checkedKey(key: unknown): string {
  if (typeof key === 'string') return key;
  throw new OptionsError(`limiter: the key must be a text (got ${typeof key})`);
}

function checkedCost(verb: string, cost: number): number {
  if (Number.isSafeInteger(cost) && cost >= 0) return cost;
  throw new OptionsError(`limiter: the cost of ${verb} must be a whole number of at least 0 (got ${String(cost)})`);
}

function inSeconds({ allowed, limit, remaining, retryAfter, resetAfter, delay }: Verdict): LimitResult {
  return { allowed, limit, remaining, retryAfter: retryAfter / 1000, resetAfter: resetAfter / 1000, delay: delay / 1000 };
}
