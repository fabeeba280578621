import { algorithms, type AlgorithmName, type QuotaAlgorithm } from '../algorithms/index.js';
import type { Call } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { encodeArgs } from '../core/encode.js';
import { KeyError, OptionsError, quotaExceeds } from '../core/errors.js';
import { ByName } from '../core/identity.js';
import { prefixOf } from '../core/keyspace.js';
import { duration, either, fn, group, integer, list, oneOf, required, schema, text, withDefault } from '../core/options.js';
import { type Around, definePolicy, type Next, type Place, type PolicyDefinition, type Runtime } from '../core/policy.js';
import { type Awaitable, openStore, type Store } from '../core/provider.js';
import { type Keyed, type LimitRule, quotaOf, type Ruling, spendAll } from './limit.js';
import { Line } from './line.js';
import { Turns } from './turns.js';

/** Options that every limiter has. */
export interface LimiterOptions<A extends readonly unknown[] = readonly never[]> {
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
export interface WindowOptions<A extends readonly unknown[] = readonly never[]> extends LimiterOptions<A> {
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
export interface TokenBucketOptions<A extends readonly unknown[] = readonly never[]> extends WindowOptions<A> {
  /**
   * Calls that a rested bucket admits at once.
   * @default the quota
   */
  burst?: number;
}

/** Options of `leakyBucket`. */
export interface LeakyBucketOptions<A extends readonly unknown[] = readonly never[]> extends LimiterOptions<A> {
  /**
   * Calls that the bucket holds: the one that leaves, and those that wait.
   * @default the quota
   */
  bucketSize?: number;
}

/** One limit of `throttle`. */
export interface LimitOptions<A extends readonly unknown[] = readonly never[]> {
  /** @default 'fixed_window' */
  algorithm?: AlgorithmName;
  quota: number;
  duration: Duration;
  burst?: number;
  bucketSize?: number;
  keymaker?: (...args: A) => string;
}

/** Options of `throttle`: one limit, or several that are spent all or none. */
export interface ThrottleOptions<A extends readonly unknown[] = readonly never[]> extends Partial<TokenBucketOptions<A>> {
  /** @default 'fixed_window' */
  algorithm?: AlgorithmName;
  bucketSize?: number;
  limits?: readonly LimitOptions<NoInfer<A>>[];
}

type KeyMaker = (...args: unknown[]) => string;

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

/** A limit with the key function it is spent under. */
interface KeyedRule extends LimitRule {
  readonly keymaker: KeyMaker | undefined;
}

/** What a limiter does, whatever options it came from. */
interface Plan {
  readonly rules: readonly KeyedRule[];
  readonly name: string | undefined;
  readonly cost: number | ((...args: unknown[]) => number);
  readonly wait: boolean;
  readonly maxWait: number;
}

/** Checks numbers that only fit together: the algorithms calculate in whole numbers below 2^53. */
export function limitRule(
  policy: string,
  algorithm: AlgorithmName,
  options: { readonly quota: number; readonly duration: number; readonly burst?: number | undefined; readonly bucketSize?: number | undefined },
): LimitRule {
  const { quota, burst, bucketSize } = options;
  const rounded = Math.max(1, Math.round(options.duration));
  if (burst !== undefined && algorithm !== 'token_bucket') throw new OptionsError(`${policy}: option "burst" belongs to a token bucket`);
  if (bucketSize !== undefined && algorithm !== 'leaky_bucket') {
    throw new OptionsError(`${policy}: option "bucketSize" belongs to a leaky bucket`);
  }
  const capacity = burst ?? bucketSize ?? quota;
  if (2 * capacity * rounded > Number.MAX_SAFE_INTEGER) {
    throw new OptionsError(`${policy}: a quota of ${capacity} over ${rounded} ms is beyond exact arithmetic; use a shorter duration`);
  }
  return { algorithm, quota, duration: rounded, capacity };
}

/** Refuses or delays calls over a limit. A refused call costs nothing. */
class Limiter implements Around {
  readonly #plan: Plan;
  readonly #runtime: Runtime;
  readonly #stores: ByName<Store>;
  readonly #turns = new Map<string, Turns>();
  readonly #lines = new Map<string, Line>();
  readonly #only: (KeyedRule & { readonly step: QuotaAlgorithm; readonly one: ReturnType<typeof quotaOf> }) | undefined;

  constructor(policy: string, plan: Plan, runtime: Runtime, place: Place) {
    this.#plan = plan;
    this.#runtime = runtime;
    this.#stores = new ByName(runtime, policy, place, plan.name, (name) =>
      openStore(runtime.provider, prefixOf(runtime.keyspace, 'throttle', `${policy}/${name}`)),
    );
    const [rule] = plan.rules;
    if (plan.rules.length === 1 && rule) this.#only = { ...rule, step: algorithms[rule.algorithm], one: quotaOf(rule, 1) };
  }

  run(call: Call, next: Next): Promise<unknown> {
    const only = this.#only;
    // Two fast ways through, which are most calls: one limit, a fixed cost.
    if (only === undefined || this.#plan.cost !== 1 || this.#lines.size > 0) return this.#general(call, next);
    const key = only.keymaker === undefined ? '' : keyOf(only.keymaker, call);
    const verdict = this.#stores.of(call).step(key, only.step, only.one);
    if (verdict instanceof Promise) return verdict.then((known) => this.#ruled({ verdict: known, keyed: { rule: only, key } }, call, next, 1));
    if (verdict.allowed && verdict.delay === 0) return next(call);
    return this.#ruled({ verdict, keyed: { rule: only, key } }, call, next, 1);
  }

  #general(call: Call, next: Next): Promise<unknown> {
    const cost = this.#cost(call);
    const all = this.#plan.rules.map((rule, i): Keyed => {
      const key = rule.keymaker === undefined ? '' : keyOf(rule.keymaker, call);
      return { rule, key: this.#only ? key : `${i}:${key}` };
    });
    const line = this.#lines.get(lineKey(call, all));
    if (line) return this.#queue(call, next, all, cost);
    const ruling = this.#spend(call, all, cost);
    return ruling instanceof Promise
      ? ruling.then((known) => this.#ruled(known, call, next, cost, all))
      : this.#ruled(ruling, call, next, cost, all);
  }

  #spend(call: Call, all: readonly Keyed[], cost: number): Awaitable<Ruling> {
    const store = this.#stores.of(call);
    const [only] = all;
    if (all.length > 1 || only === undefined) return spendAll(store, all, cost);
    const verdict = store.step(only.key, algorithms[only.rule.algorithm], quotaOf(only.rule, cost));
    return verdict instanceof Promise ? verdict.then((known) => ({ verdict: known, keyed: only })) : { verdict, keyed: only };
  }

  #ruled(ruling: Ruling, call: Call, next: Next, cost: number, all: readonly Keyed[] = [ruling.keyed]): Promise<unknown> {
    const { verdict, keyed } = ruling;
    if (verdict.allowed) return verdict.delay > 0 ? this.#takeTurn(ruling, call, next, cost, all) : next(call);
    if (this.#plan.wait && verdict.retryAfter <= this.#plan.maxWait && verdict.retryAfter !== Infinity) {
      return this.#queue(call, next, all, cost);
    }
    const retryAfter = verdict.retryAfter / 1000;
    this.#runtime.events.emit('throttled', call, { key: keyed.key, retryAfter });
    return Promise.reject(quotaExceeds(call.name, keyed.rule.quota, keyed.rule.duration, verdict.retryAfter, keyed.key));
  }

  /** Waits until the limit admits the call, behind those who wait already. */
  #queue(call: Call, next: Next, all: readonly Keyed[], cost: number): Promise<unknown> {
    const key = lineKey(call, all);
    let line = this.#lines.get(key);
    if (!line) this.#lines.set(key, (line = new Line(this.#runtime.clock, () => this.#lines.delete(key))));
    const started = this.#runtime.clock.monotonic();
    return line
      .wait(call, this.#plan.maxWait, () => this.#spend(call, all, cost))
      .then((ruling) => {
        if (!ruling.verdict.allowed) {
          const { quota, duration: span } = ruling.keyed.rule;
          this.#runtime.events.emit('throttled', call, { key: ruling.keyed.key, retryAfter: ruling.verdict.retryAfter / 1000 });
          throw quotaExceeds(call.name, quota, span, ruling.verdict.retryAfter, ruling.keyed.key);
        }
        const seconds = (this.#runtime.clock.monotonic() - started) / 1000;
        this.#runtime.events.emit('delayed', call, { key: ruling.keyed.key, seconds });
        return ruling.verdict.delay > 0 ? this.#takeTurn(ruling, call, next, cost, all) : next(call);
      });
  }

  /** Waits for the instant that a leaky bucket reserved. */
  #takeTurn({ verdict, keyed }: Ruling, call: Call, next: Next, cost: number, all: readonly Keyed[]): Promise<unknown> {
    const key = lineKey(call, all);
    let turns = this.#turns.get(key);
    if (!turns) this.#turns.set(key, (turns = new Turns(this.#runtime.clock, () => this.#turns.delete(key))));
    this.#runtime.events.emit('delayed', call, { key: keyed.key, seconds: verdict.delay / 1000 });
    const giveBack = (): void => {
      for (const { rule, key: spent } of all) {
        const given = this.#stores.of(call).step(spent, algorithms[rule.algorithm], quotaOf(rule, -cost));
        if (given instanceof Promise) given.catch(() => undefined);
      }
    };
    return turns.wait(call, verdict.delay, giveBack).then(() => next(call));
  }

  #cost(call: Call): number {
    const { cost } = this.#plan;
    if (typeof cost === 'number') return cost;
    const spent = cost.apply(call.self, [...call.args]);
    if (Number.isSafeInteger(spent) && spent >= 0) return spent;
    throw new OptionsError(`${call.name}: what "cost" returns must be a whole number of at least 0 (got ${String(spent)})`);
  }
}

const lineKey = (call: Call, all: readonly Keyed[]): string => `${call.name}\n${all.map(({ key }) => key).join('\n')}`;

function keyOf(keymaker: KeyMaker, call: Call): string {
  let key: unknown;
  try {
    key = keymaker.apply(call.self, call.args as unknown[]);
  } catch (cause) {
    throw new KeyError(`${call.name}: the keymaker threw: ${String(cause)}`, 'keymaker()', { cause });
  }
  if (typeof key === 'string') return key;
  if (key === undefined || key === null) {
    throw new KeyError(`${call.name}: the keymaker returned ${String(key)}; return a text for every caller`, 'keymaker()');
  }
  return encodeArgs([key]);
}

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
      return new Limiter(name, planOf([{ ...limitRule(name, algorithm, resolved), keymaker: resolved.keymaker }], resolved), runtime, place);
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

function planOf(rules: readonly KeyedRule[], { name, cost, onExceeded, maxWaitS }: Omit<ResolvedLimit, 'quota' | 'duration' | 'keymaker'>): Plan {
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
        group({ ...limitFields, burst: integer(1), bucketSize: integer(1), algorithm: withDefault(algorithmName, 'fixed_window' as const) }),
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
    const rules = (limits ?? [one]).map(
      (limit): KeyedRule => ({ ...limitRule('throttle', limit.algorithm, limit), keymaker: limit.keymaker ?? keymaker }),
    );
    return new Limiter('throttle', planOf(rules, options), runtime, place);
  },
});
