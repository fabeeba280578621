import assert from 'node:assert/strict';
import { algorithms, type AlgorithmName, type Quota, type QuotaAlgorithm } from '../algorithms/index.js';
import type { Provider, Verdict } from '../core/provider.js';
import { FakeClock } from './fakeClock.js';
import { randomOf } from './random.js';
import { traces } from './traces.js';

/** One named check, for any test runner: `for (const { name, check } of providerLaws(…)) test(name, check)`. */
export interface Law {
  readonly name: string;
  check(): Promise<void>;
}

/** How to make the provider that has to prove itself. */
export interface ProviderUnderTest {
  /** An empty provider on that clock; `close` is called when the check is over. */
  make(clock: FakeClock): Provider | Promise<Provider>;
}

const names = Object.keys(algorithms) as AlgorithmName[];
const quota = (of: Partial<Quota> & { quota: number; duration: number }): Quota => ({ capacity: of.quota, cost: 1, ...of });

/** What every provider must do: keep values, forget them in time, keep keys apart, and step exactly as the algorithms say. */
export function providerLaws({ make }: ProviderUnderTest): readonly Law[] {
  const law = (name: string, check: (provider: Provider, clock: FakeClock) => Promise<void>): Law => ({
    name,
    async check() {
      const clock = new FakeClock();
      const provider = await make(clock);
      try {
        await check(provider, clock);
      } finally {
        await provider.close();
      }
    },
  });
  return [
    law('a value that was set is there until it is deleted', async (provider) => {
      assert.equal(await provider.get('k'), undefined);
      assert.equal(await provider.has('k'), false);
      await provider.set('k', { a: [1, 'two'] });
      assert.deepEqual(await provider.get('k'), { a: [1, 'two'] });
      assert.equal(await provider.has('k'), true);
      assert.equal(await provider.delete('k'), true);
      assert.equal(await provider.delete('k'), false);
      assert.equal(await provider.get('k'), undefined);
    }),
    law('a value is gone when its time to live has passed, not before', async (provider, clock) => {
      await provider.set('short', 1, 50);
      await provider.set('long', 2, 60 * 86_400_000);
      await clock.advance('49ms');
      assert.equal(await provider.get('short'), 1);
      await clock.advance('1ms');
      assert.equal(await provider.get('short'), undefined);
      await clock.advance('59d');
      assert.equal(await provider.get('long'), 2);
      await clock.advance('1d');
      assert.equal(await provider.get('long'), undefined);
    }),
    law('setting again replaces the value and its time to live', async (provider, clock) => {
      await provider.set('k', 1, 100);
      await provider.set('k', 2);
      await clock.advance(1);
      assert.equal(await provider.get('k'), 2);
    }),
    law('clearing a prefix leaves its neighbours', async (provider) => {
      for (const key of ['app:a', 'app:b:c', 'app2:a', 'ap']) await provider.set(key, key);
      await provider.clear('app:');
      const left = await Promise.all(['app:a', 'app:b:c', 'app2:a', 'ap'].map((key) => provider.get(key)));
      assert.deepEqual(left, [undefined, undefined, 'app2:a', 'ap']);
    }),
    law('a store below a prefix and the whole provider see the same keys', async (provider) => {
      await provider.set('p:q:k', 'early');
      const store = provider.open?.('p:q:') ?? provider;
      const key = store === provider ? 'p:q:k' : 'k';
      assert.equal(await store.get(key), 'early');
      await store.set(key, 'late');
      assert.equal(await provider.get('p:q:k'), 'late');
      await provider.clear('p:');
      assert.equal(await store.get(key), undefined);
    }),
    law('keys may hold anything', async (provider) => {
      const keys = ['', ' ', ':', '{}', '*', 'a\nb', '\0', 'é', '👩‍🚀', 'x'.repeat(10_000)];
      for (const [i, key] of keys.entries()) await provider.set(`p:${key}`, i);
      for (const [i, key] of keys.entries()) assert.equal(await provider.get(`p:${key}`), i, JSON.stringify(key.slice(0, 20)));
    }),
    ...names.map((name) =>
      law(`${name}: random traffic decides as the pure step does, a clock that steps back included`, (provider, clock) =>
        sameDecisions(name, provider, clock),
      ),
    ),
    law('several steps are written all or none', async (provider) => {
      const step = (key: string, of: number) => ({
        key,
        algorithm: algorithms.fixed_window as never,
        params: quota({ quota: of, duration: 60_000 }),
      });
      const both = [step('wide', 3), step('narrow', 1)];
      assert.deepEqual(
        (await provider.stepAll(both)).map(({ allowed }) => allowed),
        [true, true],
      );
      assert.deepEqual(
        (await provider.stepAll(both)).map(({ allowed }) => allowed),
        [true, false],
      );
      const wide = await provider.step('wide', algorithms.fixed_window, quota({ quota: 3, duration: 60_000, cost: 0 }));
      assert.equal(wide.remaining, 2, 'the limit that would have admitted was not charged');
    }),
    law('a hundred steps at once admit exactly the quota', async (provider) => {
      for (const name of names) {
        const params = quota({ quota: 10, duration: 60_000 });
        const verdicts = await Promise.all(Array.from({ length: 100 }, () => provider.step(`burst:${name}`, algorithms[name], params)));
        assert.equal(verdicts.filter(({ allowed }) => allowed).length, 10, name);
      }
    }),
  ];
}

/** The laws of the algorithms themselves, on the pure step. */
export function algorithmLaws(): readonly Law[] {
  const law = (name: string, check: () => void): Law => ({ name, check: async () => check() });
  return [
    ...traces.map(({ name, algorithm, params, steps }) =>
      law(`${algorithm}: ${name}`, () => {
        const state = algorithms[algorithm].create(params);
        for (const { at, cost = 1, ...expected } of steps) {
          const verdict = algorithms[algorithm].step(state, { ...params, cost }, epoch + at);
          for (const [key, value] of Object.entries(expected)) assert.equal(verdict[key as keyof Verdict], value, `${key} at ${at} ms`);
        }
      }),
    ),
    ...names.flatMap((name) => [
      law(`${name}: retryAfter is exact to the millisecond`, () => forRandomTraffic(name, retryAfterIsExact)),
      law(`${name}: a refused call costs nothing`, () => forRandomTraffic(name, refusalsAreFree)),
      law(`${name}: an expired state decides like none at all`, () => forRandomTraffic(name, expiredIsNone)),
      law(`${name}: what is refunded can be spent again`, () => forRandomTraffic(name, refundsAreSpendable)),
      law(`${name}: a cost over the limit never passes`, () => {
        const state = algorithms[name].create(quota({ quota: 3, duration: 1000 }));
        const verdict = algorithms[name].step(state, quota({ quota: 3, duration: 1000, cost: 4 }), epoch);
        assert.deepEqual([verdict.allowed, verdict.retryAfter], [false, Infinity]);
      }),
    ]),
    law('sliding_window: never more than the quota in any span', neverMoreThanQuota),
    law('token_bucket: loses no fraction over fifteen minutes of odd traffic', noFractionLost),
    law('leaky_bucket: calls leave in order, one interval apart', leavesInOrder),
  ];
}

const epoch = 1_700_000_000_000;

/** One moment of random traffic. */
interface Moment {
  readonly state: object;
  readonly params: Quota;
  readonly now: number;
  readonly verdict: Verdict;
  readonly algorithm: QuotaAlgorithm;
}

function forRandomTraffic(name: AlgorithmName, check: (moment: Moment, before: object) => void): void {
  const algorithm = algorithms[name];
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomOf(seed);
    const base = randomQuota(random);
    const state = algorithm.create(base);
    let now = epoch;
    for (let i = 0; i < 60; i++) {
      now += Math.floor((random() * 3 * base.duration) / base.quota);
      if (random() < 0.05) now -= Math.floor(random() * base.duration);
      const params = { ...base, cost: random() < 0.8 ? 1 : 1 + Math.floor(random() * base.capacity) };
      const before = algorithm.copy(state);
      const verdict = algorithm.step(state, params, now);
      check({ state, params, now, verdict, algorithm }, before);
    }
  }
}

function randomQuota(random: () => number): Quota {
  const limit = 1 + Math.floor(random() ** 3 * 300);
  const duration = [50, 1000, 60_000, 7919, 60 * 86_400_000][Math.floor(random() * 5)] as number;
  return { quota: limit, duration, capacity: limit, cost: 1 };
}

function retryAfterIsExact({ state, params, now, verdict, algorithm }: Moment): void {
  if (verdict.allowed) return;
  const ask = (at: number): boolean => algorithm.step(algorithm.copy(state), params, at).allowed;
  assert.ok(Number.isInteger(verdict.retryAfter) && verdict.retryAfter > 0, `retryAfter ${verdict.retryAfter}`);
  assert.equal(ask(now + verdict.retryAfter), true, 'admitted at that instant');
  assert.equal(ask(now + verdict.retryAfter - 1), false, 'refused a millisecond earlier');
}

function refusalsAreFree({ state, verdict }: Moment, before: object): void {
  if (!verdict.allowed) assert.deepEqual(state, before);
}

function expiredIsNone({ state, params, now, verdict, algorithm }: Moment): void {
  const later = now + verdict.resetAfter;
  const expired = algorithm.step(algorithm.copy(state), params, later);
  const fresh = algorithm.step(algorithm.create(params), params, later);
  assert.deepEqual(expired, fresh);
}

function refundsAreSpendable({ state, params, now, verdict, algorithm }: Moment): void {
  if (!verdict.allowed) return;
  const copy = algorithm.copy(state);
  algorithm.step(copy, { ...params, cost: -params.cost }, now);
  assert.equal(algorithm.step(copy, params, now).allowed, true);
}

function neverMoreThanQuota(): void {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomOf(seed);
    const params = { ...randomQuota(random), cost: 1 };
    const state = algorithms.sliding_window.create(params);
    const admitted: number[] = [];
    let now = epoch;
    for (let i = 0; i < params.quota * 6; i++) {
      now += Math.floor((random() ** 2 * 1.5 * params.duration) / params.quota);
      if (algorithms.sliding_window.step(state, params, now).allowed) admitted.push(now);
    }
    for (let i = params.quota; i < admitted.length; i++) {
      const span = (admitted[i] as number) - (admitted[i - params.quota] as number);
      assert.ok(span >= params.duration, `${params.quota + 1} calls within ${span} of ${params.duration} ms`);
    }
  }
}

function noFractionLost(): void {
  const params = quota({ quota: 10, duration: 1000, capacity: 10 });
  const state = algorithms.token_bucket.create(params);
  const random = randomOf(7);
  let admitted = 0;
  const end = epoch + 900_000;
  for (let now = epoch; now < end; now += 60 + Math.floor(random() * 60))
    if (algorithms.token_bucket.step(state, params, now).allowed) admitted++;
  assert.ok(admitted >= 8_990, `admitted ${admitted} of some 9,010`);
  assert.ok(admitted <= 9_010, `admitted ${admitted} of some 9,010`);
}

function leavesInOrder(): void {
  const params = quota({ quota: 3, duration: 1000, capacity: 50 });
  const state = algorithms.leaky_bucket.create(params);
  const random = randomOf(3);
  let last = -Infinity;
  let now = epoch;
  for (let i = 0; i < 400; i++) {
    now += Math.floor(random() * 500);
    const { allowed, delay } = algorithms.leaky_bucket.step(state, params, now);
    if (!allowed) continue;
    // A third of a second is no whole number of milliseconds: each instant is rounded up for itself.
    assert.ok(now + delay - last >= 333, `leaves ${now + delay - last} ms after the one before`);
    last = now + delay;
  }
}

async function sameDecisions(name: AlgorithmName, provider: Provider, clock: FakeClock): Promise<void> {
  const algorithm = algorithms[name];
  for (let seed = 1; seed <= 8; seed++) {
    const random = randomOf(seed);
    const base = randomQuota(random);
    const state = algorithm.create(base);
    for (let i = 0; i < 50; i++) {
      await clock.advance(`${Math.floor((random() * 2 * base.duration) / base.quota)}ms`);
      if (random() < 0.05) clock.step(-Math.floor(random() * base.duration));
      const params = { ...base, cost: random() < 0.7 ? 1 : Math.floor(random() * (base.capacity + 2)) };
      const expected = algorithm.step(state, params, clock.now());
      assert.deepEqual(await provider.step(`same:${seed}`, algorithm, params), expected, `seed ${seed}, step ${i}`);
    }
  }
}
