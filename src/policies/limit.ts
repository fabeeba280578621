import { algorithms, type AlgorithmName, type Quota } from '../algorithms/index.js';
import { OptionsError } from '../core/errors.js';
import { prefixOf } from '../core/keyspace.js';
import type { Runtime } from '../core/policy.js';
import { type Awaitable, openStore, type Step, type Store, type Verdict } from '../core/provider.js';

/** One limit: an algorithm with its numbers. Times in milliseconds. */
export interface LimitRule {
  readonly algorithm: AlgorithmName;
  readonly quota: number;
  readonly duration: number;
  readonly capacity: number;
}

/** Checks numbers that only fit together: the algorithms calculate in whole numbers below 2^53. */
export function limitRule(
  policy: string,
  algorithm: AlgorithmName,
  options: {
    readonly quota: number;
    readonly duration: number;
    readonly burst?: number | undefined;
    readonly bucketSize?: number | undefined;
  },
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

/** Under which name the state of several limits lies. */
export function limitName(policy: string, rules: readonly LimitRule[], name: string): string {
  return `${policy}/${rules.map(({ algorithm }) => algorithm).join('+')}/${name}`;
}

/** The store of a limiter. Throws `OptionsError` when another limiter of that name has other numbers: they cannot share a state. */
export function openLimit(runtime: Runtime, name: string, rules: readonly LimitRule[]): Store {
  const numbers = rules.map(({ quota, duration, capacity }) => `${quota} per ${duration} ms, at most ${capacity} at once`).join('; ');
  const known = runtime.registry.get('limit', name, () => numbers);
  if (known !== numbers) {
    throw new OptionsError(`${name}: limiters of one name share a state and need equal numbers (${numbers}, but the other has ${known})`);
  }
  return openStore(runtime.provider, prefixOf(runtime.keyspace, 'throttle', name));
}

/** Where a limit applies: its key below the limiter's prefix. */
export interface Keyed {
  readonly rule: LimitRule;
  readonly key: string;
  /** Whose quota it is, as errors and events tell it. */
  readonly whose: string;
}

/** A verdict together with the limit that it comes from. */
export interface Ruling {
  readonly verdict: Verdict;
  readonly keyed: Keyed;
  /** What each of several limits says, in their order. */
  readonly all?: readonly Verdict[];
}

/** What a rule asks of its algorithm for a cost of 1. One object for each rule: a provider may remember what it made of it. */
const ones = new WeakMap<LimitRule, Quota>();

/** What a rule asks of its algorithm for a cost. */
export function quotaOf(rule: LimitRule, cost: number): Quota {
  const { quota, duration, capacity } = rule;
  if (cost !== 1) return { quota, duration, capacity, cost };
  let one = ones.get(rule);
  if (!one) ones.set(rule, (one = { quota, duration, capacity, cost }));
  return one;
}

/** Spends `cost` of every limit, or of none; rules by the limit that binds: the longest wait, or the fewest calls left. */
export function spendAll(store: Store, all: readonly Keyed[], cost: number): Awaitable<Ruling> {
  const steps = all.map(({ rule, key }): Step => ({
    key,
    algorithm: algorithms[rule.algorithm] as unknown as Step['algorithm'],
    params: quotaOf(rule, cost),
  }));
  const verdicts = store.stepAll(steps);
  return verdicts instanceof Promise ? verdicts.then((known) => binding(all, known)) : binding(all, verdicts);
}

function binding(all: readonly Keyed[], verdicts: readonly Verdict[]): Ruling {
  const allowed = verdicts.every((verdict) => verdict.allowed);
  let chosen = 0;
  verdicts.forEach((verdict, i) => {
    const best = verdicts[chosen] as Verdict;
    if (allowed ? verdict.remaining < best.remaining : verdict.retryAfter > best.retryAfter) chosen = i;
  });
  const verdict = verdicts[chosen] as Verdict;
  const delay = Math.max(...verdicts.map((one) => one.delay));
  return { keyed: all[chosen] as Keyed, verdict: { ...verdict, allowed, delay }, all: verdicts };
}
