import { algorithms, ballot, lease, roster } from '../algorithms/index.js';
import type { Algorithm } from '../core/provider.js';

/** Any algorithm, its types forgotten. */
export type AnyAlgorithm = Algorithm<object, unknown, { readonly resetAfter: number }>;

/** A step as it travels: the algorithm by its name. */
export type StepText = readonly [key: string, algorithm: string, params: unknown];

/** What a worker asks of the counters that the primary process holds. */
export type StoreAsk =
  | readonly [kind: 'step', step: StepText]
  | readonly [kind: 'all', steps: readonly StepText[]]
  | readonly [kind: 'has' | 'drop' | 'clear', key: string];

/** What it is answered: the value, or why there is none. */
export type StoreReply = readonly [value: unknown] | readonly [value: undefined, failed: string];

/** Every algorithm that may travel. */
export const travelling: ReadonlyMap<string, AnyAlgorithm> = new Map(
  [...Object.values(algorithms), lease, ballot, roster].map((one) => [one.name, one as unknown as AnyAlgorithm]),
);
