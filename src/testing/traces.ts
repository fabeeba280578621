import type { AlgorithmName, Quota } from '../algorithms/index.js';
import type { Verdict } from '../core/provider.js';

/** What an algorithm answers at an instant, in milliseconds from the first call. Only what is named is compared. */
interface TraceStep extends Partial<Verdict> {
  readonly at: number;
  readonly cost?: number;
}

/** A conversation with an algorithm over one key. */
export interface Trace {
  readonly name: string;
  readonly algorithm: AlgorithmName;
  readonly params: Quota;
  readonly steps: readonly TraceStep[];
}

const three = { quota: 3, duration: 10_000, capacity: 3, cost: 1 };

/** Each algorithm on the traffic that tells it from the others: a quota of 3 in 10 seconds. */
export const traces: readonly Trace[] = [
  {
    name: 'the window starts at the first call and ends after its duration',
    algorithm: 'fixed_window',
    params: three,
    steps: [
      { at: 0, allowed: true, remaining: 2, retryAfter: 0, resetAfter: 10_000 },
      { at: 1000, allowed: true, remaining: 1, resetAfter: 9000 },
      { at: 2000, allowed: true, remaining: 0 },
      { at: 3000, allowed: false, remaining: 0, retryAfter: 7000, resetAfter: 7000 },
      { at: 9999, allowed: false, retryAfter: 1 },
      { at: 10_000, allowed: true, remaining: 2, resetAfter: 10_000 },
    ],
  },
  {
    name: 'each place frees when its own call is a duration old',
    algorithm: 'sliding_window',
    params: three,
    steps: [
      { at: 0, allowed: true, remaining: 2, resetAfter: 10_000 },
      { at: 9800, allowed: true, remaining: 1 },
      { at: 9900, allowed: true, remaining: 0 },
      { at: 9950, allowed: false, retryAfter: 50, resetAfter: 9950 },
      { at: 10_000, allowed: true, remaining: 0 },
      { at: 10_001, allowed: false, retryAfter: 9799 },
      { at: 19_800, allowed: true, remaining: 0 },
    ],
  },
  {
    name: 'a dear call waits until enough places are free',
    algorithm: 'sliding_window',
    params: three,
    steps: [
      { at: 0, cost: 1, allowed: true },
      { at: 4000, cost: 2, allowed: true, remaining: 0 },
      { at: 5000, cost: 2, allowed: false, retryAfter: 9000 },
      { at: 5000, cost: 1, allowed: false, retryAfter: 5000 },
      { at: 14_000, cost: 2, allowed: true, remaining: 1 },
    ],
  },
  {
    name: 'refills continuously and keeps fractions',
    algorithm: 'token_bucket',
    params: three,
    steps: [
      { at: 0, cost: 3, allowed: true, remaining: 0, resetAfter: 10_000 },
      { at: 1000, allowed: false, retryAfter: 2334, resetAfter: 9000 },
      { at: 3333, allowed: false, retryAfter: 1 },
      { at: 3334, allowed: true, remaining: 0 },
      { at: 6667, allowed: true },
      { at: 10_000, allowed: true },
      { at: 10_001, allowed: false },
    ],
  },
  {
    name: 'a clock that steps back pays nothing off and adds nothing to what is owed',
    algorithm: 'token_bucket',
    params: three,
    steps: [
      { at: 0, cost: 2, allowed: true, remaining: 1 },
      { at: -5000, allowed: true, remaining: 0, resetAfter: 15_000 },
      { at: -5000, allowed: false, retryAfter: 8334 },
      { at: 3334, allowed: true },
    ],
  },
  {
    name: 'the first leaves at once, the others in turn, and the bucket has a brim',
    algorithm: 'leaky_bucket',
    params: { quota: 1, duration: 1000, capacity: 3, cost: 1 },
    steps: [
      { at: 0, allowed: true, delay: 0, remaining: 2 },
      { at: 0, allowed: true, delay: 1000 },
      { at: 0, allowed: true, delay: 2000, remaining: 0 },
      { at: 0, allowed: false, retryAfter: 1000 },
      { at: 1000, allowed: true, delay: 2000 },
      { at: 4000, allowed: true, delay: 0 },
    ],
  },
];
