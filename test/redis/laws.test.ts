import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { memory, type Provider } from 'premier';
import { redis, type RedisClient, tiered } from 'premier/redis';
import { FakeClock, providerLaws } from 'premier/testing';
import { algorithms, ballot, lease, type Quota, type QuotaAlgorithm, roster } from '../../src/algorithms/index.js';
import type { Algorithm } from '../../src/core/provider.js';
import { randomOf } from '../../src/testing/random.js';
import { clientKinds, type OpenClient, openClient } from '../support/redisClients.js';
import { type RedisServer, startRedis } from '../support/redisServer.js';

let server: RedisServer;
const clients = new Map<string, OpenClient>();
const clientOf = (kind: string): RedisClient => (clients.get(kind) as OpenClient).client;
before(async () => {
  server = await startRedis();
  for (const kind of clientKinds) clients.set(kind, openClient(kind, server.url));
});
after(async () => {
  for (const { close } of clients.values()) close();
  await server.stop();
});

const providers: Readonly<Record<string, (clock: FakeClock) => Provider>> = {
  ...Object.fromEntries(clientKinds.map((kind) => [kind, (clock: FakeClock) => redis({ client: clientOf(kind), clock, deadline: 5 })])),
  'ioredis 6 that asks for every refusal': (clock) => redis({ client: clientOf('ioredis 6'), clock, deadline: 5, refuseLocally: false }),
  tiered: (clock) => tiered({ local: memory({ clock }), remote: redis({ client: clientOf('ioredis 6'), clock, deadline: 5 }), clock }),
};

for (const [name, make] of Object.entries(providers)) {
  describe(`redis over ${name}`, () => {
    const laws = providerLaws({
      async make(clock) {
        await server.command('FLUSHALL');
        return make(clock);
      },
    });
    for (const { name: law, check } of laws) test(law, check);
  });
}

/** Steps of one tick, and the decisions of the pure step one after the other. */
async function sameInOneTick<P>(seed: number, algorithm: Algorithm<object, P>, params: () => P): Promise<number> {
  const clock = new FakeClock();
  const random = randomOf(seed);
  const provider = redis({ client: clientOf('ioredis 6'), clock, deadline: 5, refuseLocally: false });
  const states = new Map<string, object>();
  let compared = 0;
  for (let tick = 0; tick < 12; tick++) {
    await clock.advance(`${Math.floor(random() ** 4 * 120_000)}ms`);
    if (random() < 0.1) clock.step(-Math.floor(random() * 60_000));
    const steps = Array.from({ length: 1 + Math.floor(random() * 20) }, () => ({
      key: `${algorithm.name}:${seed}:${Math.floor(random() * 3)}`,
      params: params(),
    }));
    const decisions = await Promise.all(steps.map((step) => provider.step(step.key, algorithm, step.params)));
    for (const [i, step] of steps.entries()) {
      const state = states.get(step.key) ?? algorithm.create(step.params);
      states.set(step.key, state);
      assert.deepEqual(decisions[i], algorithm.step(state, step.params, clock.now()), `seed ${seed}, tick ${tick}, step ${i}`);
      compared++;
    }
  }
  return compared;
}

describe('steps of one tick decide as the pure step does, one after the other', () => {
  beforeEachFlush();
  for (const [name, algorithm] of Object.entries<QuotaAlgorithm>(algorithms)) {
    test(`${name}: random quotas, costs, refunds, keys and clocks`, async () => {
      let compared = 0;
      for (let seed = 1; seed <= 25; seed++) {
        const random = randomOf(seed * 7);
        const quota = 1 + Math.floor(random() ** 3 * 400);
        const duration = [50, 1000, 60_000, 7919, 60 * 86_400_000][Math.floor(random() * 5)] as number;
        const capacity = name.includes('bucket') ? 1 + Math.floor(random() * 2 * quota) : quota;
        compared += await sameInOneTick<Quota>(seed, algorithm, () => {
          const kind = random();
          const cost = kind < 0.6 ? 1 : kind < 0.75 ? -1 - Math.floor(random() * 5) : Math.floor(random() * (capacity + 2));
          return { quota, duration, capacity, cost };
        });
      }
      assert.ok(compared > 2000, `only ${compared} decisions`);
    });
  }

  const erased = (algorithm: unknown): Algorithm<object, unknown> => algorithm as Algorithm<object, unknown>;
  const pick = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

  test('lease: random holders and spans', async () => {
    const random = randomOf(3);
    for (let seed = 1; seed <= 20; seed++) {
      await sameInOneTick(seed, erased(lease), () => ({
        holder: pick(random, ['a', 'b', '1e3']),
        ttl: pick(random, [0, 50, 3000, 60_000]),
      }));
    }
  });

  test('ballot: random nodes and words', async () => {
    const random = randomOf(4);
    for (let seed = 1; seed <= 20; seed++) {
      await sameInOneTick(seed, erased(ballot), () => ({
        node: pick(random, ['a', 'b', 'c', 'd']),
        action: pick(random, ['look', 'trip', 'probe', 'good', 'bad']),
        span: 5000,
      }));
    }
  });

  test('roster: random names', async () => {
    const random = randomOf(5);
    for (let seed = 1; seed <= 5; seed++)
      await sameInOneTick(seed, erased(roster), () => ({ name: pick(random, ['', 'a', 'é:%', '[]', 'x"y']) }));
  });
});

describe('several limits', () => {
  beforeEachFlush();
  test('are spent all or none, many calls in one tick, as one after the other in memory', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const clock = new FakeClock();
      const random = randomOf(seed);
      const remote = redis({ client: clientOf('ioredis 6'), clock, deadline: 5 });
      const local = memory({ clock });
      const rules = [1, 2, 3].map(() => ({
        algorithm: algorithms[pickOf(random, Object.keys(algorithms)) as keyof typeof algorithms],
        quota: 1 + Math.floor(random() * 20),
        duration: 1 + Math.floor(random() * 5000),
      }));
      for (let tick = 0; tick < 10; tick++) {
        await clock.advance(`${Math.floor(random() * 3000)}ms`);
        const calls = Array.from({ length: 15 }, () => {
          const key = Math.floor(random() * 2);
          const cost = random() < 0.8 ? 1 : Math.floor(random() * 5);
          return rules.map(({ algorithm, quota, duration }, i) => ({
            key: `${seed}:${i}:${key}`,
            algorithm: algorithm as never,
            params: { quota, duration, capacity: quota, cost },
          }));
        });
        const decided = await Promise.all(calls.map((steps) => remote.stepAll(steps)));
        for (const [i, steps] of calls.entries())
          assert.deepEqual(decided[i], await local.stepAll(steps), `seed ${seed}, tick ${tick}, call ${i}`);
      }
    }
  });
});

const pickOf = (random: () => number, from: readonly string[]): string => from[Math.floor(random() * from.length)] as string;

function beforeEachFlush(): void {
  before(() => server.command('FLUSHALL'));
}
