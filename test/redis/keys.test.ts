import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { oneRedis } from '../support/oneRedis.js';
import { until } from '../support/redisServer.js';

const algorithms = ['fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket'] as const;

const one = oneRedis();
const { setUp, keysOf, everyKeyEnds } = one;

/** What Redis was asked while something happened. */
async function commandsOf(action: () => Promise<unknown>): Promise<readonly string[]> {
  const monitor = await one.server.monitor();
  await action();
  await one.server.command('PING');
  monitor.stop();
  return monitor
    .lines()
    .filter((line) => !/ lua\] /.test(line) && !line.includes('"PING"'))
    .map((line) => (/\] "([^"]+)"/.exec(line)?.[1] ?? line).toUpperCase());
}

describe('every key has a time to live', () => {
  for (const algorithm of algorithms) {
    test(`after every operation of ${algorithm}`, async () => {
      const { premier, keyspace } = setUp();
      const limiter = premier.limiter({ algorithm, quota: 3, duration: 60 });
      const steps: readonly [string, () => Promise<unknown>][] = [
        ['a peek', () => limiter.peek('k')],
        ['consume', () => limiter.consume('k', 2)],
        ['consume again', () => limiter.consume('k')],
        ['a refusal', () => limiter.consume('k')],
        ['a peek at a full key', () => limiter.peek('k')],
        ['refund', () => limiter.refund('k')],
        ['a refund of everything', () => limiter.refund('k', 9)],
        ['consume after that', () => limiter.consume('k')],
        ['reset', () => limiter.reset('k')],
        ['a refund of nothing', () => limiter.refund('new')],
      ];
      for (const [what, step] of steps) {
        await step();
        await everyKeyEnds(keyspace, what);
      }
      assert.deepEqual(await keysOf(keyspace), []);
    });
  }

  test('a peek and a refusal make no key', async () => {
    const { premier, keyspace } = setUp();
    const limiter = premier.limiter({ quota: 3, duration: 60 });
    await limiter.peek('k');
    await limiter.consume('k', 0);
    await limiter.consume('k', 4);
    assert.deepEqual(await keysOf(keyspace), []);
  });

  test('after several limits were spent together, and refused together', async () => {
    const { premier, keyspace } = setUp();
    const limits = algorithms.map((algorithm) => ({ algorithm, quota: 2, duration: 60 }));
    const call = premier.throttle({ limits, cost: 2, name: 'all' })(async () => 'done');
    await Promise.allSettled([call(), call()]);
    assert.equal((await keysOf(keyspace)).length, 4);
    await everyKeyEnds(keyspace, 'several limits');
  });

  test('after everything that the cache does', async () => {
    const { premier, keyspace } = setUp();
    let fails = false;
    const load = async (id: string): Promise<string> => {
      if (fails) throw new Error('no');
      return id;
    };
    const forever = premier.cacheResult({ name: 'forever' })(load);
    const brief = premier.cacheResult({ name: 'brief', expireS: 5, staleS: 5, staleIfErrorS: 60 })(load);
    const tagged = premier.cacheResult<[string], string>({ name: 'tagged', tags: (id) => ['all', id] })(load);
    const locked = premier.cacheResult({ name: 'locked', expireS: 5, lock: true })(load);
    const evict = premier.cacheEvict({ keys: ['a'], tags: ['b'] })(async () => 'done');
    const failing = async (): Promise<void> => {
      fails = true;
      await Promise.allSettled([forever('x'), brief('x'), tagged('x'), locked('x')]);
      fails = false;
    };
    const steps: readonly [string, () => Promise<unknown>][] = [
      ['a load without an end', () => forever('a')],
      ['a load', () => brief('a')],
      ['a load with tags', () => tagged('a')],
      ['a load under a lock', () => locked('a')],
      ['loads that fail', failing],
      ['a value by hand', () => premier.cache.set('a', 1)],
      ['a value by hand with tags', () => premier.cache.set('b', 1, { expireS: 1, tags: ['c'] })],
      ['wrap', () => premier.cache.wrap('c', () => 1, { tags: ['d'] })],
      ['delete', () => premier.cache.delete('a')],
      ['invalidate', () => premier.invalidate(brief, ['a'])],
      ['tags that nobody knows', () => premier.invalidateTags('all', 'unknown')],
      ['cacheEvict', () => evict()],
      ['a load after that', () => Promise.all([forever('a'), tagged('a'), locked('a')])],
    ];
    for (const [what, step] of steps) {
      await step();
      await everyKeyEnds(keyspace, what);
    }
    assert.ok((await keysOf(keyspace)).length > 5);
  });

  test('while a load runs, and under its lock', async () => {
    const { premier, keyspace } = setUp();
    let done: (value: string) => void = () => undefined;
    const load = premier.cacheResult({ name: 'slow', lock: true })(() => new Promise<string>((resolve) => (done = resolve)));
    const running = load();
    await until('a lock', async () => (await keysOf(keyspace)).some((key) => key.includes(':lock:')));
    await everyKeyEnds(keyspace, 'the beginning of a load');
    done('done');
    assert.equal(await running, 'done');
    await everyKeyEnds(keyspace, 'the end of a load');
  });

  test('after the votes of a shared circuit', async () => {
    const { premier, keyspace } = setUp();
    const call = premier.circuitBreaker({ failureThreshold: 1, recoveryTimeout: 60, shared: true, name: 'c' })(async () => {
      throw new Error('no');
    });
    await Promise.allSettled([call(), call()]);
    await until('a vote', async () => (await keysOf(keyspace)).length > 0);
    await everyKeyEnds(keyspace, 'a vote');
    premier.breakers.reset('c');
    await call().catch(() => undefined);
    await everyKeyEnds(keyspace, 'a reset');
  });
});

describe('Redis is asked once', () => {
  test('for all decisions of a tick', async () => {
    const { premier } = setUp();
    const limiter = premier.limiter({ quota: 50, duration: 60 });
    await limiter.consume('warm');
    await Promise.all([limiter.consume('warm'), limiter.consume('warmer')]);
    const calls = (): Promise<unknown> => Promise.all(Array.from({ length: 100 }, (_, i) => limiter.consume(`k${i % 7}`)));
    assert.deepEqual(await commandsOf(calls), ['EVALSHA']);
    assert.deepEqual(await commandsOf(() => limiter.consume('k')), ['EVALSHA']);
    assert.deepEqual(await commandsOf(() => limiter.peek('k')), ['EVALSHA']);
  });

  test('for all limits of a call', async () => {
    const { premier } = setUp();
    const limits = algorithms.slice(0, 3).map((algorithm) => ({ algorithm, quota: 20, duration: 60 }));
    const call = premier.throttle({ limits, name: 'all' })(async () => 'done');
    await call();
    assert.deepEqual(await commandsOf(() => Promise.all(Array.from({ length: 10 }, () => call()))), ['EVALSHA']);
  });

  test('for all cache reads of a tick', async () => {
    const { premier } = setUp();
    const load = premier.cacheResult({ name: 'f' })(async (id: number) => id);
    const all = (): Promise<unknown> => Promise.all(Array.from({ length: 100 }, (_, i) => load(i)));
    await all();
    assert.deepEqual(await commandsOf(all), ['MGET']);
    assert.deepEqual(await commandsOf(() => load(1)), ['MGET']);
    assert.deepEqual(await commandsOf(() => Promise.all([premier.cache.get('a'), load(1), load(1)])), ['MGET']);
  });

  test('and never for all its keys, but by clear', async () => {
    const { premier } = setUp();
    const load = premier.cacheResult<[number], number>({ name: 'f', tags: () => ['t'], lock: true })(async (id) => id);
    const limiter = premier.limiter({ quota: 1, duration: 60 });
    const everything = async (): Promise<void> => {
      await Promise.all([load(1), load(2), limiter.consume('k'), limiter.consume('k'), premier.cache.set('k', 1)]);
      await premier.invalidateTags('t');
      await premier.invalidate(load, [1]);
      await Promise.all([limiter.reset('k'), premier.cache.delete('k'), load(1)]);
    };
    const commands = await commandsOf(everything);
    const allowed = new Set(['EVALSHA', 'EVAL', 'MGET']);
    assert.deepEqual(
      commands.filter((command) => !allowed.has(command)),
      [],
    );
    const clearing = await commandsOf(async () => {
      await premier.clearCache();
      await premier.clearThrottle();
      await premier.invalidate(load);
    });
    assert.deepEqual([...new Set(clearing)].toSorted(), ['SCAN', 'UNLINK']);
  });
});
