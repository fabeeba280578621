import { algorithms, type AlgorithmName, type Quota } from '../algorithms/index.js';
import type { Awaitable, Step, Store, Verdict } from '../core/provider.js';

/** One limit: an algorithm with its numbers. Times in milliseconds. */
export interface LimitRule {
  readonly algorithm: AlgorithmName;
  readonly quota: number;
  readonly duration: number;
  readonly capacity: number;
}

/** Where a limit applies: its key below the limiter's prefix. */
export interface Keyed {
  readonly rule: LimitRule;
  readonly key: string;
}

/** A verdict together with the limit that it comes from. */
export interface Ruling {
  readonly verdict: Verdict;
  readonly keyed: Keyed;
}

/** What a rule asks of its algorithm for a cost. */
export function quotaOf({ quota, duration, capacity }: LimitRule, cost: number): Quota {
  return { quota, duration, capacity, cost };
}

/** Spends `cost` of every limit, or of none; rules by the limit that binds: the longest wait, or the fewest calls left. */
export function spendAll(store: Store, all: readonly Keyed[], cost: number): Awaitable<Ruling> {
  const steps = all.map(
    ({ rule, key }): Step => ({ key, algorithm: algorithms[rule.algorithm] as unknown as Step['algorithm'], params: quotaOf(rule, cost) }),
  );
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
  return { keyed: all[chosen] as Keyed, verdict: { ...verdict, allowed, delay } };
}
