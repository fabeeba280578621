import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { type NamedLimiter, OptionsError, type Premier } from 'premier';
import { oneRedis } from '../support/oneRedis.js';

const one = oneRedis();
const { setUp, keysOf } = one;

describe('keyspaces are apart', () => {
  const unique = randomUUID();
  const neighbours: Readonly<Record<string, readonly string[]>> = {
    app: ['app2', 'ap', 'xapp', 'app:x'],
    'a*': ['a', 'ab', 'a*b', 'aa*'],
    'a?': ['ab', 'a', 'a??'],
    '[x]': ['x', '[xx]'],
    'a\\b': ['ab', 'a\\\\b'],
    'a^-': ['a^', 'a-'],
    '[^a-z]': ['b', '0', '^'],
    'ключ😀': ['ключ', '😀'],
  };
  for (const [keyspace, others] of Object.entries(neighbours)) {
    test(`clearing '${keyspace}' leaves ${others.map((other) => `'${other}'`).join(', ')}`, async () => {
      const premiers = [keyspace, ...others].map((name) => setUp(`${unique}${name}`).premier);
      const [mine, ...rest] = premiers as [Premier, ...Premier[]];
      const limiters = premiers.map((premier) => premier.limiter({ quota: 1, duration: 60 }));
      await Promise.all(premiers.map((premier) => premier.cache.set('k', 1)));
      await Promise.all(limiters.map((limiter) => limiter.consume('k')));
      await mine.clearCache();
      await mine.clearThrottle();
      assert.equal(await mine.cache.get('k'), undefined);
      assert.equal((await (limiters[0] as NamedLimiter).consume('k')).allowed, true);
      assert.deepEqual(
        await Promise.all(rest.map((premier) => premier.cache.get('k'))),
        others.map(() => 1),
      );
      assert.deepEqual(
        (await Promise.all(limiters.slice(1).map((limiter) => limiter.consume('k')))).map(({ allowed }) => allowed),
        others.map(() => false),
      );
    });
  }
});

test('a keyspace that would lie inside another one is refused', () => {
  const inside = (keyspace: string) => () => setUp(keyspace);
  for (const kind of ['cacheResult', 'throttle', 'circuit', 'tags', 'lock', 'names']) assert.throws(inside(`app:${kind}`), OptionsError);
  for (const keyspace of ['app:prod', 'cacheResult', 'app:cacheResults']) assert.doesNotThrow(inside(keyspace));
});

const odd = [
  '',
  ' ',
  ':',
  '::',
  '{',
  '}',
  '{}',
  '{a}',
  '{a}b',
  '{a}c',
  '*',
  '?',
  '[a]',
  '\\',
  '\n',
  '\r\n',
  '\0',
  'a\0',
  '\0a',
  '😀',
  '😀😀',
  'é',
  'e\u0301',
  '\ud800',
  '\ud801',
  '\udc00',
  '\ufffd',
  '\ufffe',
  '\uffff',
  '\ufffed800',
  '%',
  '%3A',
  '$1',
  '-1',
  '1',
  '=1;2;j3',
  '~x',
  '__proto__',
  'x'.repeat(10_000),
  `${'x'.repeat(9999)}y`,
];

describe('keys of any text', () => {
  test('stay apart in the cache', async () => {
    const { premier } = setUp();
    let loads = 0;
    const load = premier.cacheResult({ name: 'f' })(async (key: string) => `${loads++}${key}`);
    const first = await Promise.all(odd.map((key) => load(key)));
    assert.equal(new Set(first).size, odd.length);
    assert.deepEqual(await Promise.all(odd.map((key) => load(key))), first);
    await Promise.all(odd.map((key, i) => premier.cache.set(key, i)));
    assert.deepEqual(
      await Promise.all(odd.map((key) => premier.cache.get(key))),
      odd.map((_, i) => i),
    );
  });

  test('stay apart in limiters, one by one and several together', async () => {
    const { premier } = setUp();
    const limiter = premier.limiter({ quota: 1, duration: 60 });
    assert.deepEqual(
      (await Promise.all(odd.map((key) => limiter.consume(key)))).map(({ allowed }) => allowed),
      odd.map(() => true),
    );
    assert.deepEqual(
      (await Promise.all(odd.map((key) => limiter.consume(key)))).map(({ allowed }) => allowed),
      odd.map(() => false),
    );
    const limits = [
      { quota: 1, duration: 60 },
      { quota: 1, duration: 60, algorithm: 'token_bucket' as const },
    ];
    const call = premier.throttle<[string]>({ limits, keymaker: (key) => key, name: 'f' })(async (key: string) => key);
    assert.deepEqual(await Promise.all(odd.map((key) => call(key))), odd);
  });

  test('are never longer in the cache than their hash', async () => {
    const { premier, keyspace } = setUp();
    const load = premier.cacheResult({ name: 'f' })(async (...args: readonly unknown[]) => args.length);
    await Promise.all([load('x'.repeat(10_000)), load('x', 'y'.repeat(10_000)), load({ a: Array.from({ length: 5000 }, (_, i) => i) })]);
    for (const key of await keysOf(keyspace)) assert.ok(key.length < 700, `${key.slice(0, 80)}… is short`);
  });

  test('stay apart as tags', async () => {
    const { premier } = setUp();
    const tags = odd.filter((tag) => tag !== '');
    await Promise.all(tags.map((tag, i) => premier.cache.set(`k${i}`, i, { tags: [tag] })));
    await premier.invalidateTags('{a}b');
    const left = await Promise.all(tags.map((_, i) => premier.cache.get(`k${i}`)));
    assert.deepEqual(
      tags.filter((_, i) => left[i] === undefined),
      ['{a}b'],
    );
  });
});
