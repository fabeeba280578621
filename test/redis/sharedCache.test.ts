import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { memory, Premier, TimeoutError } from 'premier';
import type { Codec } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';
import { gated, processes, rawClient } from '../support/processes.js';
import { until } from '../support/redisServer.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();

const values: Readonly<Record<string, unknown>> = {
  Date: new Date(1_700_000_000_123),
  Map: new Map<unknown, unknown>([
    ['a', new Date(1)],
    [2, new Set([3n])],
  ]),
  Set: new Set(['a', undefined, null]),
  BigInt: 2n ** 70n,
  undefined: undefined,
  null: null,
  NaN,
  '-0': -0,
  Infinity: -Infinity,
  RegExp: /a\/b/giu,
  URL: new URL('https://example.org/a?b=c#d'),
  Error: new RangeError('too far', { cause: new Date(2) }),
  Buffer: Buffer.from([0, 255, 10, 13]),
  Uint16Array: Uint16Array.from([1, 65_535]),
  text: '=1;2;~ \0 \n é 👩‍🚀 \ud800',
  nested: { list: [undefined, { when: new Date(3) }], 'key: with = ;': true },
  empty: '',
  false: false,
};

describe('values in Redis', () => {
  for (const [name, value] of Object.entries(values)) {
    test(`${name} comes back with its type, through a function and by hand`, async (t) => {
      const [a, b] = processes(t, 2, { url });
      const [here, there] = [a, b].map(({ premier }, i) =>
        premier.cacheResult({ name: 'load', expireS: 60 })(async function load() {
          return i === 0 ? value : 'loaded again';
        }),
      ) as [() => Promise<unknown>, () => Promise<unknown>];
      assert.deepEqual(await here(), value);
      assert.deepEqual(await there(), value);
      await a.premier.cache.set('k', value);
      assert.deepEqual(await b.premier.cache.get('k'), value);
      assert.deepEqual(await b.premier.cache.wrap('k', () => 'loaded again'), value);
    });
  }

  test('what cannot be stored is returned and told, and nothing is stored', async (t) => {
    const [{ premier }] = processes(t, 1, { url });
    const errors: unknown[] = [];
    premier.on('cacheFailed', ({ error }) => errors.push(error));
    let runs = 0;
    const load = premier.cacheResult({ expireS: 60 })(async function load() {
      runs++;
      return { deep: [() => 'a function'] };
    });
    assert.equal((await load()).deep[0]?.(), 'a function');
    assert.equal((await load()).deep[0]?.(), 'a function');
    assert.equal(runs, 2);
    assert.equal(errors.length, 2);
    assert.match(String(errors[0]), /deep/);
    await assert.rejects(
      premier.cache.set('k', () => 1),
      TypeError,
    );
    assert.equal(await premier.cache.get('k'), undefined);
  });

  for (const garbage of [
    '',
    '=',
    '=;;',
    '=a;b',
    '=fence;;t["',
    '=fence;99999999999999;j{"v":',
    'garbage',
    '~',
    '\u0000',
    '=f;;x{"v":1}',
    '=f;;j[1]',
    '=f;;j7',
  ]) {
    test(`what nobody can read is a miss, and is replaced: ${JSON.stringify(garbage)}`, async (t) => {
      const keyspace = randomUUID();
      const [a, b] = processes(t, 2, { url, keyspace });
      const client = rawClient(t, url);
      let runs = 0;
      const [load, there] = [a, b].map(({ premier }) => premier.cacheResult({ name: 'load', expireS: 60 })(async () => ++runs)) as [
        () => Promise<number>,
        () => Promise<number>,
      ];
      await load();
      const [key] = await client.keys(`${keyspace}:cacheResult:load:*`);
      await client.set(key as string, garbage);
      assert.deepEqual([await load(), await load(), await there()], [2, 2, 2]);
    });
  }

  test('a key of another type is a miss that is told, and the call succeeds', async (t) => {
    const keyspace = randomUUID();
    const [{ premier }] = processes(t, 1, { url, keyspace });
    const client = rawClient(t, url);
    let runs = 0;
    const load = premier.cacheResult({ name: 'load', expireS: 60 })(async () => ++runs);
    await load();
    const [key] = await client.keys(`${keyspace}:cacheResult:load:*`);
    await client.del(key as string);
    await client.lpush(key as string, 'a list');
    await load();
    assert.ok((await load()) >= 2);
  });

  test('another codec is used for every value, and what the built-in one wrote is a miss', async (t) => {
    const keyspace = randomUUID();
    const codec: Codec = {
      encode: (value) => `mine${JSON.stringify(value)}`,
      decode: (text) => {
        if (!text.startsWith('mine')) throw new Error('not mine');
        return JSON.parse(text.slice(4)) as unknown;
      },
    };
    const [built] = processes(t, 1, { url, keyspace });
    const [own, other] = processes(t, 2, { url, keyspace, redis: { codec } });
    await built.premier.cache.set('k', 'theirs');
    assert.equal(await own.premier.cache.get('k'), undefined);
    await own.premier.cache.set('k', { a: 1 });
    assert.deepEqual(await other.premier.cache.get('k'), { a: 1 });
    assert.equal(await built.premier.cache.get('k'), undefined);
    const client = rawClient(t, url);
    const [key] = await client.keys(`${keyspace}:cacheResult:*`);
    assert.match(String(await client.get(key as string)), /;mine\{/);
  });
});

describe('a cache of several processes', () => {
  test('a hundred callers of a cold key run it once; an error reaches them all and is kept by nobody', async (t) => {
    const [a, b] = processes(t, 2, { url });
    const load = gated<number>();
    const cached = a.premier.cacheResult({ name: 'load' })(load.run);
    const calls = Array.from({ length: 100 }, () => outcome(cached()));
    await load.begun(1);
    load.gates[0]?.reject(new Error('no'));
    for (const { error } of await Promise.all(calls)) assert.match(String(error), /no/);
    assert.equal(load.gates.length, 1);
    const again = Array.from({ length: 100 }, () => cached());
    await load.begun(2);
    load.gates[1]?.resolve(7);
    assert.deepEqual(new Set(await Promise.all(again)), new Set([7]));
    assert.equal(load.gates.length, 2);
    assert.equal(await b.premier.cacheResult({ name: 'load' })(async () => 8)(), 7);
  });

  test('stale values, expiry and failures are as in memory, also in another process', async (t) => {
    const clock = new FakeClock();
    const inMemory = memory({ clock });
    const shared = processes(t, 2, { url, clock });
    const local = [0, 1].map(() => ({ premier: new Premier({ clock, provider: inMemory, random: () => 0.5 }) }));
    const logs = [shared, local].map(() => [] as string[]);
    const worlds = [shared, local].map((sides, w) =>
      sides.map(({ premier }, i) => {
        for (const event of ['cacheHit', 'cacheMiss', 'cacheStale', 'cacheFailed'] as const)
          premier.on(event, () => logs[w]?.push(`${i} ${event}`));
        return {
          premier,
          call: premier.cacheResult({ name: 'load', expireS: 10, staleIfErrorS: 20, staleS: 5 })(async function load(
            _id: string,
          ): Promise<string> {
            const { answers } = world[w] as { answers: (string | Error)[] };
            const answer = answers.shift();
            if (answer instanceof Error) throw answer;
            return answer ?? 'none left';
          }),
        };
      }),
    );
    const world = [0, 1].map(() => ({ answers: [] as (string | Error)[] }));
    const no = new Error('no');
    const script: readonly (readonly [number, number, readonly (string | Error)[]])[] = [
      [0, 0, ['one']],
      [9.999, 1, []],
      [0.001, 0, ['two']],
      [0, 1, []],
      [14, 0, [no]],
      [4, 1, [no]],
      [2, 0, [no]],
      [10, 1, [no]],
      [0, 0, [no]],
      [0, 0, ['three']],
      [1, 1, []],
    ];
    for (const [i, [seconds, side, answers]] of script.entries()) {
      await clock.advance(seconds);
      const ends: unknown[] = [];
      for (const [w, sides] of worlds.entries()) {
        world[w]?.answers.push(...answers);
        const { value, error } = await outcome((sides[side] as { call: (id: string) => Promise<string> }).call('x'));
        ends.push(value ?? String(error));
        await until('the refresh', async () => world[w]?.answers.length === 0);
      }
      assert.equal(ends[0], ends[1], `step ${i}`);
      assert.deepEqual(logs[0], logs[1], `step ${i}`);
    }
    assert.deepEqual(shared[0].premier.cache.stats(), local[0]?.premier.cache.stats());
  });

  test('an early refresh is shared', async (t) => {
    const clock = new FakeClock();
    const [a, b] = processes(t, 2, { url, clock, premier: { random: () => 0.999 } });
    const slow = async (text: string): Promise<string> => {
      await clock.advance(1);
      return text;
    };
    let runs = 0;
    const refreshed = deferred();
    const load = a.premier.cacheResult({ name: 'load', expireS: 60, earlyBeta: 1 })(async () => {
      const text = await slow(`value ${++runs}`);
      if (runs === 2) refreshed.resolve();
      return text;
    });
    assert.equal(await load(), 'value 1');
    await clock.advance(57);
    assert.equal(await load(), 'value 1');
    await refreshed.promise;
    const there = b.premier.cacheResult({ name: 'load', expireS: 60 })(async () => 'loaded again');
    await until('the refreshed value', async () => (await there()) === 'value 2');
  });

  test('the last who gives up ends the load', async (t) => {
    const clock = new FakeClock();
    const [{ premier }] = processes(t, 1, { url, clock });
    const begun = deferred<AbortSignal>();
    const call = premier.pipe(
      premier.timeout(1),
      premier.cacheResult({ expireS: 60 }),
    )(function call(): Promise<string> {
      begun.resolve(premier.signal);
      return new Promise(() => undefined);
    });
    const calls = [outcome(call()), outcome(call())];
    const signal = await begun.promise;
    assert.equal(signal.aborted, false);
    await clock.advance(1);
    for (const { error } of await Promise.all(calls)) assert.ok(error instanceof TimeoutError);
    assert.equal(signal.aborted, true);
  });

  test('who gives up before the function begins ends it as well', async (t) => {
    const clock = new FakeClock();
    const [{ premier }] = processes(t, 1, { url, clock });
    let runs = 0;
    const call = premier.pipe(
      premier.timeout(1),
      premier.cacheResult({ expireS: 60 }),
    )(async function call(id: string) {
      runs++;
      return id;
    });
    await call('warm');
    const early = outcome(call('x'));
    await clock.advance(1);
    assert.ok((await early).error instanceof TimeoutError);
    await premier.cache.get('another round trip');
    await premier.cache.get('and another');
    assert.equal(runs, 1);
  });
});
