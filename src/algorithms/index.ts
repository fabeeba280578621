import type { Algorithm } from '../core/provider.js';
import { leakyBucket, tokenBucket } from './bucket.js';
import { fixedWindow } from './fixedWindow.js';
import type { Quota } from './quota.js';
import { slidingWindow } from './slidingWindow.js';

export { ballot, type BallotAction, type BallotDecision } from './ballot.js';
export { lease } from './lease.js';
export { roster } from './roster.js';
export type { Quota } from './quota.js';

/** An algorithm over quotas, its state's type forgotten. */
export type QuotaAlgorithm = Algorithm<object, Quota>;

/** The names that `throttle({ algorithm })` takes. */
export type AlgorithmName = 'fixed_window' | 'sliding_window' | 'token_bucket' | 'leaky_bucket';

/** Every limiter algorithm, by name. */
export const algorithms: Readonly<Record<AlgorithmName, QuotaAlgorithm>> = {
  fixed_window: fixedWindow,
  sliding_window: slidingWindow,
  token_bucket: tokenBucket,
  leaky_bucket: leakyBucket,
};
