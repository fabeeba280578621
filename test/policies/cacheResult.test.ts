import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KeyError, OptionsError, Premier, type PremierOptions } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';

const setUp = (options: PremierOptions = {}) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock, random: () => 0.5, ...options });
  return { clock, premier };
};

describe('cacheResult', () => {
  test('runs once for a key, until it expires', async () => {
    const { clock, premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult({ expireS: 10 })(async function load(id: string) {
      return `${id}${++runs}`;
    });
    assert.deepEqual([await load('a'), await load('a'), await load('b')], ['a1', 'a1', 'b2']);
    await clock.advance('9999ms');
    assert.equal(await load('a'), 'a1');
    await clock.advance('1ms');
    assert.equal(await load('a'), 'a3');
    assert.deepEqual(premier.cache.stats(), { hits: 2, misses: 3, stale: 0, failures: 0, hitRate: 0.4 });
  });

  test('null, undefined, 0, false and the empty text are kept', async () => {
    const { premier } = setUp();
    for (const value of [null, undefined, 0, false, '']) {
      let runs = 0;
      const load = premier.cacheResult({ name: String(value) || 'empty' })(async () => {
        runs++;
        return value;
      });
      await load();
      assert.equal(await load(), value);
      assert.equal(runs, 1);
    }
  });

  test('a hundred callers of a cold key run it once; an error reaches them all and is not kept', async () => {
    const { premier } = setUp();
    let runs = 0;
    const gate = deferred<string>();
    const load = premier.cacheResult()(async function load(_id: string) {
      runs++;
      return gate.promise;
    });
    const failing = Array.from({ length: 100 }, () => outcome(load('a')));
    gate.reject(new Error('no'));
    const errors = new Set((await Promise.all(failing)).map(({ error }) => error));
    assert.deepEqual([errors.size, runs], [1, 1]);
    await outcome(load('a'));
    assert.equal(runs, 2);
  });

  test('a stale value is served while one refresh runs', async () => {
    const { clock, premier } = setUp();
    let runs = 0;
    let gate = deferred();
    const load = premier.cacheResult({ expireS: 10, staleS: 5 })(async function load() {
      const run = ++runs;
      if (run > 1) await gate.promise;
      return run;
    });
    await load();
    await clock.advance(12);
    assert.deepEqual(await Promise.all([load(), load(), load()]), [1, 1, 1]);
    assert.equal(runs, 2);
    gate.resolve();
    await clock.advance(0);
    assert.equal(await load(), 2);
    await clock.advance(15);
    gate = deferred();
    const fresh = load();
    gate.resolve();
    assert.equal(await fresh, 3, 'after staleS the caller waits');
  });

  test('a refresh that fails in the background is told, and nobody’s unhandled rejection', async () => {
    const { clock, premier } = setUp();
    const told: unknown[] = [];
    premier.on('cacheFailed', ({ error }) => told.push((error as Error).message));
    let works = true;
    const load = premier.cacheResult({ expireS: 10, staleS: 50 })(async function load() {
      if (!works) throw new Error('no');
      return 'old';
    });
    await load();
    works = false;
    await clock.advance(20);
    assert.equal(await load(), 'old');
    await clock.advance(0);
    assert.deepEqual(told, ['no']);
  });

  test('an expired value is served when loading fails, for staleIfErrorS', async () => {
    const { clock, premier } = setUp();
    let works = true;
    const load = premier.cacheResult({ expireS: 10, staleIfErrorS: 100 })(async function load() {
      if (!works) throw new Error('no');
      return 'old';
    });
    await load();
    works = false;
    await clock.advance(109);
    assert.equal(await load(), 'old');
    await clock.advance(1);
    assert.equal(((await outcome(load())).error as Error).message, 'no');
  });

  test('jitter shortens a life by at most its share', async () => {
    const { clock, premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult({ expireS: 10, jitter: 0.2 })(async function load() {
      return ++runs;
    });
    await load();
    await clock.advance('8999ms');
    assert.equal(await load(), 1);
    await clock.advance('1ms');
    assert.equal(await load(), 2, '10 s less half of a fifth, by a random number of 0.5');
  });

  test('earlyBeta refreshes before the end, the sooner the longer loading took', async () => {
    const { clock, premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult({ expireS: 100, earlyBeta: 1 })(async function load() {
      runs++;
      await new Promise<void>((resolve) => void clock.setTimer(resolve, 10_000));
      return runs;
    });
    const first = load();
    await clock.advance(10);
    await first;
    await clock.advance(93);
    await load();
    assert.equal(runs, 1, 'more than 10 s × ln 2 before the end');
    await clock.advance(1);
    assert.equal(await load(), 1);
    assert.equal(runs, 2, 'less than that: a refresh runs beside');
  });

  test('shouldCache, bypass and what they throw', async () => {
    const { premier } = setUp();
    let runs = 0;
    const count = async (_how: string) => ++runs;
    const picky = premier.cacheResult({ shouldCache: (n: number) => n > 1, name: 'picky' })(count);
    await picky('a');
    assert.deepEqual([await picky('a'), await picky('a')], [2, 2]);
    const passing = premier.cacheResult({ bypass: (how: string) => how === 'fresh', name: 'passing' })(count);
    assert.deepEqual([await passing('fresh'), await passing('fresh')], [3, 4]);
    const throwing = () => {
      throw new Error('mine');
    };
    const broken = premier.cacheResult({ bypass: throwing, name: 'broken' })(count);
    assert.deepEqual([await broken('a'), await broken('a')], [5, 6]);
    const unsure = premier.cacheResult({ shouldCache: throwing, tags: throwing, name: 'unsure' })(count);
    assert.deepEqual([await unsure('a'), await unsure('a')], [7, 8]);
    const untagged = premier.cacheResult({ tags: throwing, name: 'untagged' })(count);
    assert.deepEqual([await untagged('a'), await untagged('a')], [9, 10], 'what could not be dropped by its tags is not kept');
  });

  test('clone gives each caller its own', async () => {
    const { premier } = setUp();
    const load = premier.cacheResult({ clone: true })(async function load() {
      return { items: [1] };
    });
    const [one, two] = await Promise.all([load(), load()]);
    one.items.push(2);
    assert.deepEqual([two, await load()], [{ items: [1] }, { items: [1] }]);
  });

  test('a result that cannot be cloned is returned as it is, told, and not kept', async () => {
    const { premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult({ clone: true })(async function load() {
      runs++;
      return () => runs;
    });
    assert.equal((await load())(), 1);
    assert.equal((await load())(), 2);
    assert.equal(premier.cache.stats().failures, 2);
  });

  test('a key function gets the arguments and `this`, and returns a text or parts', async () => {
    const { premier } = setUp();
    class Repository {
      runs = 0;
      constructor(readonly tenant: string) {}
      @premier.cacheResult({
        scope: 'class',
        cacheKey(this: Repository, request: { id: string }) {
          return [this.tenant, request.id];
        },
      })
      async find(_request: { id: string; trace: () => void }): Promise<string> {
        this.runs++;
        return this.tenant;
      }
    }
    const [a, b] = [new Repository('a'), new Repository('b')];
    const request = { id: '1', trace: () => undefined };
    assert.deepEqual([await a.find(request), await a.find(request), await b.find(request)], ['a', 'a', 'b']);
    assert.deepEqual([a.runs, b.runs], [1, 1]);
  });

  test('a text as key is one key for all calls; a key function that throws or returns nothing is a KeyError', async () => {
    const { premier } = setUp();
    const same = premier.cacheResult({ cacheKey: 'the key' })(async function same(n: number) {
      return n;
    });
    assert.deepEqual([await same(1), await same(2)], [1, 1]);
    for (const cacheKey of [() => undefined as unknown as string, () => (undefined as unknown as { id: string }).id]) {
      const load = premier.cacheResult({ cacheKey, name: 'load' })(async () => 1);
      assert.ok((await outcome(load())).error instanceof KeyError);
    }
  });

  test('arguments that have no key are a KeyError that names the path, and never a shared key', async () => {
    const { premier } = setUp();
    const load = premier.cacheResult()(async function load(..._args: unknown[]) {
      return 1;
    });
    const { error } = await outcome(load('x', { user: { conn: () => undefined } }));
    assert.ok(error instanceof KeyError);
    assert.equal(error.path, 'args[1].user.conn');
  });

  for (const options of [{ staleS: 5 }, { expireS: 0 }, { expireS: '5' }, { jitter: 2 }, { scope: 'tenant' }, { ttl: 5 }]) {
    test(`wrong options are refused when decorating: ${JSON.stringify(options)}`, () => {
      assert.throws(() => new Premier().cacheResult(options as never), OptionsError);
    });
  }
});
