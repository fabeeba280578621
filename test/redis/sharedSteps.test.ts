import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type Algorithm, memory } from 'premier';
import { redis } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { ballot, type BallotAction, lease, roster } from '../../src/algorithms/index.js';
import { randomOf } from '../../src/testing/random.js';
import { openClient } from '../support/redisClients.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();
type Random = ReturnType<typeof randomOf>;
const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

const actions: readonly BallotAction[] = ['look', 'trip', 'probe', 'good', 'bad', 'trip', 'probe'];
const nodes = ['a', 'b', 'c', 'node: {é} 👩‍🚀', ''];
const traffics: readonly (readonly [
  string,
  Algorithm<object, never, { resetAfter: number }>,
  (random: Random, sequence: number) => unknown,
  number,
])[] = [
  [
    'ballot',
    ballot,
    (random, sequence) => ({
      node: pick(random, nodes),
      action: pick(random, actions),
      span: [50, 1000, 10_000, 60_000, 3_600_000][sequence % 5],
    }),
    0.3,
  ],
  ['lease', lease, (random) => ({ holder: pick(random, nodes.slice(0, 4)), ttl: pick(random, [0, 1, 50, 1000, 60_000]) }), 0.5],
  [
    'roster',
    roster,
    (random) => ({ name: random() < 0.3 ? '' : `${pick(random, ['n', '/', '"\\', 'é\n'])}${Math.floor(random() * 8)}` }),
    0.5,
  ],
];

for (const [name, algorithm, params, still] of traffics) {
  test(`${name}: random sequences decide the same in the pure step, in memory and in Redis`, async (t) => {
    const { client, close } = openClient('ioredis 6', url);
    t.after(close);
    const clock = new FakeClock();
    const here = memory({ clock });
    const there = redis({ client, clock, deadline: 5 });
    t.after(() => there.close());
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = randomOf(seed);
    for (let sequence = 0; sequence < 30; sequence++) {
      const key = `${randomUUID()}:`;
      let pure: object | undefined;
      for (let i = 0; i < 60; i++) {
        if (random() > still) await clock.advance(`${Math.floor(random() ** 3 * pick(random, [100, 2000, 40_000, 400_000]))}ms`);
        if (random() < 0.03) clock.step(-Math.floor(random() * 500));
        const asked = params(random, sequence) as never;
        pure ??= algorithm.create(asked);
        const decisions = [
          algorithm.step(pure, asked, clock.now()),
          await here.step(key, algorithm, asked),
          await there.step(key, algorithm, asked),
        ];
        const place = `seed ${seed}, sequence ${sequence}, step ${i}: ${JSON.stringify(asked)}`;
        assert.deepEqual(decisions[1], decisions[0], place);
        assert.deepEqual(decisions[2], decisions[0], place);
      }
    }
  });
}

test('a hundred at once: one gets the lease, one may probe', async (t) => {
  const { client, close } = openClient('ioredis 6', url);
  t.after(close);
  const clock = new FakeClock();
  const there = redis({ client, clock, deadline: 5 });
  t.after(() => there.close());
  const key = randomUUID();
  const holders = Array.from({ length: 100 }, (_, i) => `holder ${i}`);
  const verdicts = await Promise.all(holders.map((holder) => there.step(`${key}:lease`, lease, { holder, ttl: 1000 })));
  assert.deepEqual(verdicts.filter(({ allowed }) => allowed).length, 1);
  for (const node of ['holder 0', 'holder 1']) await there.step(`${key}:ballot`, ballot, { node, action: 'trip', span: 1000 });
  await clock.advance(1);
  const decisions = await Promise.all(holders.map((node) => there.step(`${key}:ballot`, ballot, { node, action: 'probe', span: 1000 })));
  assert.equal(decisions.filter(({ granted }) => granted).length, 1);
});
