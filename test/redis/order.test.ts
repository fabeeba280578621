import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { Premier } from 'premier';
import { redis } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { type AlgorithmName, algorithms, type Quota } from '../../src/algorithms/index.js';
import { oneRedis } from '../support/oneRedis.js';

const names = Object.keys(algorithms) as readonly AlgorithmName[];
const { fixed_window: fixedWindow, token_bucket: tokenBucket } = algorithms;
const hour = { quota: 10, duration: 3600 };

const one = oneRedis();

const setUp = ({ clock, refuseLocally = true }: { readonly clock?: FakeClock; readonly refuseLocally?: boolean } = {}) => {
  const keyspace = randomUUID();
  const told = clock ? { clock } : {};
  const provider = redis({ client: one.client, deadline: 5, refuseLocally, ...told });
  const other = redis({ client: one.client, deadline: 5, refuseLocally, ...told });
  return {
    keyspace,
    provider,
    premier: new Premier({ provider, keyspace, ...told }),
    other: new Premier({ provider: other, keyspace, ...told }),
  };
};

/** How many scripts Redis ran while something happened. */
async function scriptsOf(action: () => Promise<unknown>): Promise<number> {
  const monitor = await one.server.monitor();
  await action();
  await one.server.command('PING');
  monitor.stop();
  return monitor.lines().filter((line) => /"eval(sha)?"/i.test(line)).length;
}

describe('what is asked in one tick is answered in its order', () => {
  test('consume, reset and consume again need no await between them', async () => {
    const limiter = setUp().premier.limiter({ quota: 1, duration: 60 });
    const [first, refused, , again] = await Promise.all([
      limiter.consume('k'),
      limiter.consume('k'),
      limiter.reset('k'),
      limiter.consume('k'),
    ]);
    assert.deepEqual([first.allowed, refused.allowed, again.allowed], [true, false, true]);
  });

  test('get, set, get, delete and get need no await between them', async () => {
    const { cache } = setUp().premier;
    await cache.set('k', 0);
    await cache.delete('k');
    const [before, , set, existed, deleted] = await Promise.all([
      cache.get('k'),
      cache.set('k', 1),
      cache.get('k'),
      cache.delete('k'),
      cache.get('k'),
    ]);
    assert.deepEqual([before, set, existed, deleted], [undefined, 1, true, undefined]);
  });

  test('get, set, get, delete and get keep their order although Redis forgot the script', async () => {
    const { cache } = setUp().premier;
    await cache.set('k', 0);
    await cache.delete('k');
    await one.server.command('SCRIPT', 'FLUSH');
    const [before, , set, existed, deleted] = await Promise.all([
      cache.get('k'),
      cache.set('k', 1),
      cache.get('k'),
      cache.delete('k'),
      cache.get('k'),
    ]);
    assert.deepEqual([before, set, existed, deleted], [undefined, 1, true, undefined]);
  });

  for (const algorithm of names) {
    test(`${algorithm}: different costs on one key decide as the pure step does, one after the other`, async () => {
      const clock = new FakeClock();
      const limiter = setUp({ clock, refuseLocally: false }).premier.limiter({ algorithm, ...hour });
      const costs = [3, 8, 0, 7, 1, -4, 4, 2, 1, -20, 10, 1, 11];
      const results = await Promise.all(costs.map((cost) => (cost < 0 ? limiter.refund('k', -cost) : limiter.consume('k', cost))));
      const { create, step } = algorithms[algorithm];
      const params = costs.map((cost): Quota => ({ quota: 10, duration: 3_600_000, capacity: 10, cost }));
      const state = create(params[0] as Quota);
      const expected = params.map((one) => step(state, one, clock.now()));
      assert.deepEqual(
        results.map(({ allowed, remaining, retryAfter, resetAfter, delay }) => [
          allowed,
          remaining,
          retryAfter * 1000,
          resetAfter * 1000,
          delay * 1000,
        ]),
        expected.map(({ allowed, remaining, retryAfter, resetAfter, delay }) => [allowed, remaining, retryAfter, resetAfter, delay]),
      );
    });
  }

  test('two algorithms that are asked with the same parameters decide each by itself', async () => {
    const { provider, keyspace } = setUp();
    const params: Quota = { quota: 4, duration: 60_000, capacity: 4, cost: 4 };
    const [window, bucket] = await Promise.all([
      provider.step(`${keyspace}:w`, fixedWindow, params),
      provider.step(`${keyspace}:b`, tokenBucket, params),
    ]);
    assert.equal(window.resetAfter, 60_000);
    assert.equal(bucket.resetAfter, 60_000);
    const one: Quota = { ...params, cost: 1 };
    const [windowAgain, bucketAgain] = await Promise.all([
      provider.step(`${keyspace}:w`, fixedWindow, one),
      provider.step(`${keyspace}:b`, tokenBucket, one),
    ]);
    assert.ok(windowAgain.retryAfter > 59_000, `the window frees all at its end (${windowAgain.retryAfter})`);
    assert.ok(bucketAgain.retryAfter <= 15_000, `the bucket frees one after the other (${bucketAgain.retryAfter})`);
  });

  test('more calls of one tick than a script takes keep their order', async () => {
    const limiter = setUp({ refuseLocally: false }).premier.limiter({ ...hour, quota: 700 });
    const results = await Promise.all(Array.from({ length: 1000 }, () => limiter.consume('k')));
    assert.deepEqual(
      results.map(({ allowed, remaining }) => [allowed, remaining]),
      results.map((_, i) => [i < 700, Math.max(0, 699 - i)]),
    );
  });
});

describe('a refusal that is known locally', () => {
  for (const algorithm of names) {
    test(`${algorithm}: says what the store would say, and ends when the store would admit`, async () => {
      const clock = new FakeClock();
      const { premier, other } = setUp({ clock });
      const options = { algorithm, quota: 10, duration: 5, name: 'n' };
      const [local, asked] = [premier.limiter(options), other.limiter(options)];
      await local.consume('k', 10);
      const first = await local.consume('k');
      assert.equal(first.allowed, false);
      const wait = Math.min(first.retryAfter, 0.9);
      await clock.advance(wait / 2);
      assert.equal(
        await scriptsOf(async () => assert.deepEqual(await local.consume('k'), await asked.consume('k'))),
        1,
        'only one of them asked Redis',
      );
      await clock.advance(first.retryAfter - wait / 2 - 0.001);
      assert.equal((await local.consume('k')).allowed, false);
      await clock.advance(0.001);
      assert.equal((await local.consume('k')).allowed, true);
    });
  }

  test('holds for its own cost only', async () => {
    const limiter = setUp().premier.limiter({ ...hour });
    await limiter.consume('k', 8);
    assert.equal((await limiter.consume('k', 3)).allowed, false);
    assert.equal((await limiter.consume('k', 2)).allowed, true);
  });

  test('lasts a second at most: by then what another process gave back is seen, even after the clock stepped back', async () => {
    const clock = new FakeClock();
    const { premier, other } = setUp({ clock });
    const options = { ...hour, name: 'n' };
    const [local, elsewhere] = [premier.limiter(options), other.limiter(options)];
    await local.consume('k', 10);
    assert.equal((await local.consume('k')).allowed, false);
    await elsewhere.reset('k');
    await clock.advance(1);
    assert.equal((await local.consume('k', 10)).allowed, true);
    assert.equal((await local.consume('k')).allowed, false);
    clock.step(-1_800_000);
    await elsewhere.reset('k');
    await clock.advance(1);
    assert.equal((await local.consume('k')).allowed, true);
  });

  const forget: Readonly<Record<string, (premier: Premier, limiter: ReturnType<Premier['limiter']>) => Promise<unknown>>> = {
    refund: (_premier, limiter) => limiter.refund('k', 10),
    reset: (_premier, limiter) => limiter.reset('k'),
    clearThrottle: (premier) => premier.clearThrottle(),
  };
  for (const [verb, undo] of Object.entries(forget)) {
    test(`${verb} drops it`, async () => {
      const { premier } = setUp();
      const limiter = premier.limiter({ ...hour });
      await limiter.consume('k', 10);
      assert.equal((await limiter.consume('k')).allowed, false);
      await undo(premier, limiter);
      assert.equal((await limiter.consume('k')).allowed, true);
    });

    test(`${verb} drops also the one that is still on its way`, async () => {
      const { premier } = setUp();
      const limiter = premier.limiter({ ...hour });
      await limiter.consume('k', 10);
      const onItsWay = limiter.consume('k');
      await undo(premier, limiter);
      assert.equal((await onItsWay).allowed, false);
      assert.equal((await limiter.consume('k')).allowed, true);
    });
  }

  test('does not exist with refuseLocally: false: every call asks', async () => {
    const limiter = setUp({ refuseLocally: false }).premier.limiter({ ...hour });
    await limiter.consume('k', 10);
    const asked = await scriptsOf(async () => {
      for (let i = 0; i < 5; i++) assert.equal((await limiter.consume('k')).allowed, false);
    });
    assert.equal(asked, 5);
  });
});
