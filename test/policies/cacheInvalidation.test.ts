import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memory, OptionsError, Premier, type PremierOptions } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';

const setUp = (options: PremierOptions = {}) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock, random: () => 0.5, ...options });
  return { clock, premier };
};

describe('what is dropped does not come back', () => {
  const loading = () => {
    const { clock, premier } = setUp();
    const gates: ReturnType<typeof deferred<string>>[] = [];
    const load = premier.cacheResult({ cacheKey: (id: string) => id, tags: (_result: string, id: string) => [`tag ${id}`] })(function load(
      _id: string,
    ): Promise<string> {
      const gate = deferred<string>();
      gates.push(gate);
      return gate.promise;
    });
    const evict = premier.cacheEvict({ keys: (_result, id: string) => [id] })(async function evict(id: string) {
      return id;
    });
    const evictTag = premier.cacheEvict({ tags: (_result, id: string) => [`tag ${id}`] })(async function evictTag(id: string) {
      return id;
    });
    return { clock, premier, gates, load, evict, evictTag };
  };
  type Scene = ReturnType<typeof loading>;
  for (const [name, drop] of [
    ['invalidate with arguments', ({ premier, load }: Scene) => premier.invalidate(load, ['a'])],
    ['invalidate without', ({ premier, load }: Scene) => premier.invalidate(load)],
    ['invalidateTags', ({ premier }: Scene) => premier.invalidateTags('tag a')],
    ['clearCache', ({ premier }: Scene) => premier.clearCache()],
    ['cacheEvict by key', ({ evict }: Scene) => evict('a')],
    ['cacheEvict by tag', ({ evictTag }: Scene) => evictTag('a')],
  ] as const) {
    test(`${name}: a kept value is gone`, async () => {
      const scene = loading();
      const first = scene.load('a');
      scene.gates[0]?.resolve('old');
      await first;
      await drop(scene);
      const second = scene.load('a');
      scene.gates[1]?.resolve('new');
      assert.equal(await second, 'new');
      assert.equal(await scene.load('a'), 'new');
      assert.equal(scene.gates.length, 2);
    });

    test(`${name}: a load that began before is not kept, and who asks after starts a new one`, async () => {
      const scene = loading();
      const before = scene.load('a');
      await drop(scene);
      const after = scene.load('a');
      assert.equal(scene.gates.length, 2, 'a new load');
      scene.gates[1]?.resolve('new');
      assert.equal(await after, 'new');
      scene.gates[0]?.resolve('old');
      assert.equal(await before, 'old', 'who asked before gets what was loaded for it');
      assert.equal(await scene.load('a'), 'new');
    });
  }

  test('an explicit set wins over a load that began before', async () => {
    const { premier } = setUp();
    const gate = deferred<string>();
    const loaded = premier.cache.wrap('k', () => gate.promise);
    await Promise.resolve();
    await premier.cache.set('k', 'set');
    gate.resolve('loaded');
    assert.equal(await loaded, 'loaded');
    assert.equal(await premier.cache.get('k'), 'set');
  });

  test('other keys, other tags and other keyspaces stay', async () => {
    const clock = new FakeClock();
    const provider = memory({ clock });
    const cached = (keyspace: string) => {
      const premier = new Premier({ clock, provider, keyspace });
      let runs = 0;
      const load = premier.cacheResult({ tags: (_n: number, id: string) => [id] })(async function load(_id: string) {
        return ++runs;
      });
      return { premier, load };
    };
    const [app, app2] = [cached('app'), cached('app2')];
    for (const { load } of [app, app2]) for (const id of ['a', 'b']) await load(id);
    await app.premier.invalidateTags('a');
    assert.deepEqual([await app.load('a'), await app.load('b'), await app2.load('a')], [3, 2, 1]);
    await app.premier.clearCache();
    assert.deepEqual([await app.load('a'), await app.load('b'), await app2.load('b')], [4, 5, 2]);
    await app2.premier.invalidate(app2.load, ['a']);
    assert.deepEqual([await app2.load('a'), await app2.load('b')], [3, 2]);
  });

  test('cacheEvict leaves everything when the call failed, and when its callback throws', async () => {
    const { premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult({ cacheKey: 'k' })(async function load() {
      return ++runs;
    });
    await load();
    const failing = premier.cacheEvict({ keys: ['k'] })(async function failing() {
      throw new Error('no');
    });
    await outcome(failing());
    const throwing = premier.cacheEvict({
      keys: () => {
        throw new Error('mine');
      },
    })(async function throwing() {
      return 'done';
    });
    assert.equal(await throwing(), 'done');
    assert.equal(await load(), 1);
    assert.equal(await premier.cacheEvict({ keys: ['k'] })(async () => 'dropped')(), 'dropped');
    assert.equal(await load(), 2);
  });

  test('invalidate by object and method drops what that object’s class keeps', async () => {
    const { premier } = setUp();
    class Repository {
      runs = 0;
      @premier.cacheResult({ scope: 'instance' })
      async find(_id: string): Promise<number> {
        return ++this.runs;
      }
    }
    const [a, b] = [new Repository(), new Repository()];
    for (const one of [a, b]) await one.find('x');
    await premier.invalidate(a, 'find', ['x']);
    assert.deepEqual([await a.find('x'), await b.find('x')], [2, 1]);
    await assert.rejects(premier.invalidate(a, 'toString'), OptionsError);
  });
});
