import type { AnyArgs } from '../core/decorate.js';
import type { AlgorithmName } from '../algorithms/index.js';
import type { KeyMaker } from '../core/callerKey.js';
import type { Duration } from '../core/duration.js';
import { duration, either, fn, group, integer, list, oneOf, required, schema, text, withDefault } from '../core/options.js';
import { type Around, definePolicy, type PolicyDefinition } from '../core/policy.js';
import { limitRule } from './limit.js';
import { type KeyedRule, Limiter, type Plan } from './limiter.js';

/** Options that every limiter has. */
export interface LimiterOptions<A extends readonly unknown[] = AnyArgs> {
  /** Calls per `duration`. */
  quota: number;
  /** The span of the quota. */
  duration: Duration;
  /** Whose quota it is, from the call's arguments and its `this`: `(id) => 'user:' + id`. Everybody's by default. */
  keymaker?: (...args: A) => string;
  /**
   * The limiter's name. Functions with an equal one share their quota.
   * @default `Class.method`, or the function's name
   */
  name?: string;
}

/** Options of `fixedWindow` and `slidingWindow`. */
export interface WindowOptions<A extends readonly unknown[] = AnyArgs> extends LimiterOptions<A> {
  /**
   * What a call spends: a whole number, or a function of its arguments. 0 looks without spending.
   * @default 1
   */
  cost?: number | ((...args: A) => number);
  /**
   * Whether a call over the quota is refused, or waits for its turn.
   * @default 'throw'
   */
  onExceeded?: 'throw' | 'wait';
  /** How long a call may wait (`onExceeded: 'wait'`) before it is refused. As long as it takes by default. */
  maxWaitS?: Duration;
}

/** Options of `tokenBucket`. */
export interface TokenBucketOptions<A extends readonly unknown[] = AnyArgs> extends WindowOptions<A> {
  /**
   * Calls that a rested bucket admits at once.
   * @default the quota
   */
  burst?: number;
}

/** Options of `leakyBucket`. */
export interface LeakyBucketOptions<A extends readonly unknown[] = AnyArgs> extends LimiterOptions<A> {
  /**
   * Calls that the bucket holds: the one that leaves, and those that wait.
   * @default the quota
   */
  bucketSize?: number;
}

/** One limit of `throttle`. */
export interface LimitOptions<A extends readonly unknown[] = AnyArgs> {
  /** @default 'fixed_window' */
  algorithm?: AlgorithmName;
  quota: number;
  duration: Duration;
  burst?: number;
  bucketSize?: number;
  keymaker?: (...args: A) => string;
}

/** Options of `throttle`: one limit, or several that are spent all or none. */
export interface ThrottleOptions<A extends readonly unknown[] = AnyArgs> extends Partial<TokenBucketOptions<A>> {
  /** @default 'fixed_window' */
  algorithm?: AlgorithmName;
  bucketSize?: number;
  limits?: readonly LimitOptions<NoInfer<A>>[];
}

const limitFields = {
  quota: required(integer(1)),
  duration: required(duration({ zero: false })),
  keymaker: fn<KeyMaker>(),
};
const common = { ...limitFields, name: text() };
const windowFields = {
  ...common,
  cost: withDefault(either(integer(0), fn<(...args: unknown[]) => number>()), 1),
  onExceeded: withDefault(oneOf('throw', 'wait'), 'throw' as const),
  maxWaitS: duration(),
};
const algorithmName = oneOf('fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket');

/** A limiter policy over one algorithm. */
function limiter<Options, Resolved extends ResolvedLimit>(
  name: string,
  algorithm: AlgorithmName,
  options: PolicyDefinition<Options, Resolved>['options'],
): PolicyDefinition<Options, Resolved> {
  return definePolicy<Options, Resolved>({
    name,
    options,
    create(resolved, runtime, place) {
      return new Limiter(
        name,
        planOf([{ ...limitRule(name, algorithm, resolved), keymaker: resolved.keymaker }], resolved),
        runtime,
        place,
      );
    },
  });
}

interface ResolvedLimit {
  readonly quota: number;
  readonly duration: number;
  readonly burst?: number | undefined;
  readonly bucketSize?: number | undefined;
  readonly keymaker: KeyMaker | undefined;
  readonly name: string | undefined;
  readonly cost?: Plan['cost'];
  readonly onExceeded?: 'throw' | 'wait';
  readonly maxWaitS?: number | undefined;
}

function planOf(
  rules: readonly KeyedRule[],
  { name, cost, onExceeded, maxWaitS }: Omit<ResolvedLimit, 'quota' | 'duration' | 'keymaker'>,
): Plan {
  return { rules, name, cost: cost ?? 1, wait: onExceeded === 'wait', maxWait: maxWaitS ?? Infinity };
}

/** `quota` calls per `duration`, counted from a key's first call. */
export const fixedWindow: PolicyDefinition<WindowOptions, ResolvedLimit> = limiter(
  'fixedWindow',
  'fixed_window',
  schema<WindowOptions>('fixedWindow')(windowFields),
);

/** Never more than `quota` calls in any span of `duration`. */
export const slidingWindow: PolicyDefinition<WindowOptions, ResolvedLimit> = limiter(
  'slidingWindow',
  'sliding_window',
  schema<WindowOptions>('slidingWindow')(windowFields),
);

/** Bursts up to `burst`, then `quota` calls per `duration`, refilled continuously. */
export const tokenBucket: PolicyDefinition<TokenBucketOptions, ResolvedLimit> = limiter(
  'tokenBucket',
  'token_bucket',
  schema<TokenBucketOptions>('tokenBucket')({ ...windowFields, burst: integer(1) }),
);

/** A queue: calls leave one every `duration / quota`, in order. */
export const leakyBucket: PolicyDefinition<LeakyBucketOptions, ResolvedLimit> = limiter(
  'leakyBucket',
  'leaky_bucket',
  schema<LeakyBucketOptions>('leakyBucket')({ ...common, bucketSize: integer(1) }),
);

/** One limit by the name of its algorithm, or several that are spent all or none. */
export const throttle = definePolicy({
  name: 'throttle',
  options: schema<ThrottleOptions>('throttle')(
    {
      ...windowFields,
      quota: integer(1),
      duration: duration({ zero: false }),
      burst: integer(1),
      bucketSize: integer(1),
      algorithm: algorithmName,
      limits: list(
        group({
          ...limitFields,
          burst: integer(1),
          bucketSize: integer(1),
          algorithm: withDefault(algorithmName, 'fixed_window' as const),
        }),
      ),
    },
    ({ limits, quota, duration: span, algorithm, burst, bucketSize }) => {
      if (limits === undefined) return quota === undefined || span === undefined ? 'needs "quota" and "duration", or "limits"' : undefined;
      const beside = { quota, duration: span, algorithm, burst, bucketSize };
      const extra = Object.entries(beside).find(([, given]) => given !== undefined);
      return extra ? `option "${extra[0]}" goes into each of "limits", not beside them` : undefined;
    },
  ),
  create(options, runtime, place): Around {
    const { limits, quota, duration: span, algorithm, burst, bucketSize, keymaker } = options;
    const one = { quota: quota ?? 0, duration: span ?? 0, algorithm: algorithm ?? 'fixed_window', burst, bucketSize, keymaker };
    const rules = (limits ?? [one]).map((limit): KeyedRule => ({
      ...limitRule('throttle', limit.algorithm, limit),
      keymaker: limit.keymaker ?? keymaker,
    }));
    return new Limiter('throttle', planOf(rules, options), runtime, place);
  },
});
