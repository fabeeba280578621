import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { Premier } from 'premier';
import { redis } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { oneRedis } from '../support/oneRedis.js';

const algorithms = ['fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket'] as const;

const one = oneRedis();
const { setUp, keysOf, everyKeyEnds } = one;

describe('durations', () => {
  for (const [text, seconds] of [
    ['50ms', 0.05],
    ['60d', 5_184_000],
  ] as const) {
    for (const algorithm of algorithms) {
      test(`${algorithm} is right for ${text}`, async () => {
        const clock = new FakeClock();
        const keyspace = randomUUID();
        const premier = new Premier({ provider: redis({ client: one.client, deadline: 5, clock }), keyspace, clock });
        const limiter = premier.limiter({ algorithm, quota: 2, duration: text });
        assert.equal((await limiter.consume('k', 2)).allowed, true);
        const refused = await limiter.consume('k');
        assert.equal(refused.allowed, false);
        assert.equal(refused.retryAfter, algorithm.endsWith('bucket') ? seconds / 2 : seconds);
        await clock.advance(refused.retryAfter - 0.001);
        assert.equal((await limiter.consume('k')).allowed, false);
        await clock.advance(0.001);
        assert.equal((await limiter.consume('k')).allowed, true);
      });

      test(`${algorithm} leaves no key much longer than ${text}`, async () => {
        const { premier, keyspace } = setUp();
        const limiter = premier.limiter({ algorithm, quota: 1000, duration: text });
        for (let i = 0; i < 5; i++) {
          const { resetAfter } = await limiter.consume('k', 200);
          const [key] = await keysOf(keyspace);
          if (key === undefined) continue;
          const ttl = Number(await one.server.command('PTTL', key)) / 1000;
          assert.ok(ttl <= Math.max(2 * seconds, 1) + 0.05, `${ttl} s is at most twice the duration, or a second`);
          assert.ok(ttl === -0.002 || text === '50ms' || ttl >= resetAfter - 1, `${ttl} s is no less than the state lives`);
        }
      });
    }
  }
});

describe('what somebody else wrote under one of our keys', () => {
  const foreign: Readonly<Record<string, readonly string[]>> = {
    'a list': ['RPUSH', 'KEY', 'x'],
    'a hash': ['HSET', 'KEY', 'x', '1'],
    'an empty text': ['SET', 'KEY', ''],
    'a short text': ['SET', 'KEY', 'hi'],
    'a text of 16 characters': ['SET', 'KEY', 'sixteen letters!'],
    'a long text': ['SET', 'KEY', 'garbage '.repeat(40)],
    JSON: ['SET', 'KEY', '{"count":1}'],
    'half a value': ['SET', 'KEY', '=x'],
  };
  for (const [what, command] of Object.entries(foreign)) {
    const write = (key: string): Promise<unknown> => one.server.command(...command.map((word) => (word === 'KEY' ? key : word)));

    for (const algorithm of algorithms) {
      test(`${what} is a fresh state of ${algorithm}, and does not touch the rest of the batch`, async () => {
        const { premier, keyspace } = setUp();
        const limiter = premier.limiter({ algorithm, quota: 2, duration: 60 });
        await limiter.consume('k');
        const [key] = (await keysOf(keyspace)) as [string];
        await one.server.command('DEL', key);
        await write(key);
        await limiter.consume('beside');
        const [mine, beside] = await Promise.all([limiter.consume('k'), limiter.consume('beside')]);
        assert.deepEqual([beside.allowed, beside.remaining], [true, 0]);
        assert.deepEqual([mine.allowed, mine.remaining], [true, 1]);
        assert.equal((await limiter.consume('k')).remaining, 0);
        assert.equal((await limiter.consume('k')).allowed, false);
      });
    }

    test(`${what} is a miss, and does not touch the rest of the batch`, async () => {
      const { premier, keyspace } = setUp();
      let loads = 0;
      const load = premier.cacheResult({ name: 'f' })(async () => ++loads);
      await load();
      const key = (await keysOf(keyspace)).find((known) => known.includes(':cacheResult:')) as string;
      await one.server.command('DEL', key);
      await write(key);
      await premier.cache.set('beside', 'here');
      assert.deepEqual(await Promise.all([load(), premier.cache.get('beside')]), [2, 'here']);
      assert.equal(await load(), 2);
      await everyKeyEnds(keyspace, 'a load over it');
    });
  }
});
