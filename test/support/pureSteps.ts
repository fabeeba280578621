import assert from 'node:assert/strict';
import type { Provider } from 'premier';
import type { FakeClock } from 'premier/testing';
import { algorithms, type Quota } from '../../src/algorithms/index.js';
import { randomOf } from '../../src/testing/random.js';

const rules: readonly Omit<Quota, 'cost'>[] = [
  { quota: 3, duration: 1000, capacity: 3 },
  { quota: 7, duration: 60_000, capacity: 12 },
];

/** Lets a provider take random steps of every algorithm on many keys at once, and holds every decision to the pure step. */
export async function assertPureDecisions(
  provider: Provider,
  clock: FakeClock,
  prefix: string,
  { keys, rounds }: { readonly keys: number; readonly rounds: number },
): Promise<void> {
  const random = randomOf(3);
  const below = (limit: number): number => Math.floor(random() * limit);
  for (const [name, algorithm] of Object.entries(algorithms)) {
    const trials = Array.from({ length: keys }, (_, i) => {
      const rule = rules[i % rules.length] as Omit<Quota, 'cost'>;
      return { key: `${prefix}${name}:${i}`, rule, state: algorithm.create({ ...rule, cost: 1 }) };
    });
    for (let round = 0; round < rounds; round++) {
      await clock.advance(`${below(800)}ms`);
      await Promise.all(
        trials.map(async ({ key, rule, state }) => {
          const params = { ...rule, cost: below(5) - 1 };
          const expected = algorithm.step(state, params, clock.now());
          assert.deepEqual(await provider.step(key, algorithm, params), expected, `${name}, round ${round}, cost ${params.cost}`);
        }),
      );
    }
  }
}
