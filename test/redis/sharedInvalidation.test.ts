import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { FakeClock } from 'premier/testing';
import { outcome } from '../support/doubles.js';
import { gated, processes, rawClient } from '../support/processes.js';
import { startRedis, until } from '../support/redisServer.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();

describe('what is set or dropped elsewhere', () => {
  test('a value set by hand wins over a load that began before, everywhere', async (t) => {
    const [a, b] = processes(t, 2, { url });
    const load = gated();
    const loaded = a.premier.cache.wrap('k', load.run);
    await load.begun(1);
    await b.premier.cache.set('k', 'set');
    assert.equal(await a.premier.cache.wrap('k', load.run), 'set');
    load.gates[0]?.resolve('loaded');
    assert.equal(await loaded, 'loaded');
    assert.deepEqual([await a.premier.cache.get('k'), await b.premier.cache.get('k')], ['set', 'set']);
  });

  test('a value deleted by hand is not brought back by a load that began before', async (t) => {
    const [a, b] = processes(t, 2, { url });
    const load = gated();
    const loaded = a.premier.cache.wrap('k', load.run);
    await load.begun(1);
    assert.equal(await b.premier.cache.delete('k'), false);
    load.gates[0]?.resolve('old');
    await loaded;
    assert.deepEqual([await a.premier.cache.get('k'), await b.premier.cache.get('k')], [undefined, undefined]);
    await a.premier.cache.set('k', 1);
    assert.deepEqual([await b.premier.cache.delete('k'), await a.premier.cache.delete('k')], [true, false]);
  });

  test('of two loads under way, one before and one after an invalidation, the later one is kept whichever ends first', async (t) => {
    for (const order of [
      [0, 1],
      [1, 0],
    ] as const) {
      const [a, b] = processes(t, 2, { url });
      const load = gated();
      const [old] = [a.premier.cache.wrap('k', load.run)];
      await load.begun(1);
      await b.premier.cache.delete('k');
      const young = b.premier.cache.wrap('k', load.run);
      await load.begun(2);
      for (const i of order) {
        load.gates[i]?.resolve(i === 0 ? 'old' : 'young');
        await (i === 0 ? old : young);
      }
      assert.deepEqual([await a.premier.cache.get('k'), await b.premier.cache.get('k')], ['young', 'young']);
    }
  });

  test('cacheEvict drops keys of functions that its process never called, or does not even have', async (t) => {
    const [a, b] = processes(t, 2, { url });
    let runs = 0;
    const users = a.premier.cacheResult({ name: 'users', cacheKey: (id: string) => id })(async (_id: string) => `user ${++runs}`);
    const names = a.premier.cacheResult({ name: 'names: of %', cacheKey: (id: string) => id })(async (_id: string) => `name ${++runs}`);
    assert.deepEqual([await users('x'), await names('x'), await users('y')], ['user 1', 'name 2', 'user 3']);
    await b.premier.cacheEvict({ keys: ['x'] })(async () => 'done')();
    assert.deepEqual([await users('x'), await names('x'), await users('y')], ['user 4', 'name 5', 'user 3']);
  });

  test('cacheEvict still knows every name after Redis lost its memory', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const [a, b] = processes(t, 2, { url: server.url });
    let runs = 0;
    const users = a.premier.cacheResult({ name: 'users', cacheKey: (id: string) => id })(async (_id: string) => ++runs);
    assert.equal(await users('x'), 1);
    await server.command('FLUSHALL');
    assert.equal(await users('x'), 2);
    await b.premier.cacheEvict({ keys: ['x'] })(async () => 'done')();
    assert.equal(await users('x'), 3);
  });

  test('keys that were evicted while Redis was down are dropped when it is back, under every name', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const [a] = processes(t, 1, { url: server.url, keyspace: 'app' });
    const [b] = processes(t, 1, { url: server.url, keyspace: 'app', redis: { deadline: 0.2 } });
    let runs = 0;
    const users = a.premier.cacheResult({ name: 'users', cacheKey: (id: string) => id })(async (_id: string) => ++runs);
    assert.equal(await users('x'), 1);
    await b.premier.cache.get('warm');
    const up = new Promise((resolve) => b.premier.on('storeUp', resolve));
    server.freeze();
    assert.equal(await b.premier.cacheEvict({ keys: ['x'] })(async () => 'done')(), 'done');
    server.thaw();
    await up;
    await until('the drop', async () => (await users('x')) === 2);
  });

  test('a load that began while Redis was down is not shared with who asks after an invalidation', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const [a, b] = processes(t, 2, { url: server.url, redis: { deadline: 0.2 } });
    const load = gated();
    const cached = a.premier.cacheResult({ name: 'load' })(load.run);
    const up = new Promise((resolve) => a.premier.on('storeUp', resolve));
    server.freeze();
    const before = cached();
    await load.begun(1);
    server.thaw();
    await up;
    const evicting = b.premier.cacheResult({ name: 'load' })(async () => 'of b');
    await evicting();
    await b.premier.invalidate(evicting);
    const after = cached();
    const begun = await Promise.race([load.begun(2).then(() => true), new Promise((resolve) => void setTimeout(resolve, 500, false))]);
    for (const gate of load.gates) gate.resolve('loaded');
    await Promise.all([before, after]);
    assert.equal(begun, true);
  });

  test('a failing refresh in one process leaves the value to the others', async (t) => {
    const clock = new FakeClock();
    const [a, b] = processes(t, 2, { url, clock });
    const load = gated();
    const options = { name: 'load', expireS: 10, staleIfErrorS: 100 };
    const [here, there] = [a, b].map(({ premier }) => premier.cacheResult(options)(load.run)) as [
      () => Promise<string>,
      () => Promise<string>,
    ];
    const first = here();
    await load.begun(1);
    load.gates[0]?.resolve('old');
    await first;
    await clock.advance(11);
    const second = here();
    await load.begun(2);
    load.gates[1]?.reject(new Error('no'));
    assert.equal(await second, 'old');
    const third = there();
    await load.begun(3);
    load.gates[2]?.resolve('new');
    assert.equal(await third, 'new');
    assert.equal(await here(), 'new');
  });
});

describe('tags in Redis', () => {
  test('a tag bumped before anything carried it changes nothing', async (t) => {
    const [a, b] = processes(t, 2, { url });
    await b.premier.invalidateTags('t');
    let runs = 0;
    const load = a.premier.cacheResult({ name: 'load', tags: () => ['t'] })(async () => ++runs);
    assert.deepEqual([await load(), await load()], [1, 1]);
    await b.premier.invalidateTags('t');
    assert.deepEqual([await load(), await load()], [2, 2]);
  });

  test('any one of a thousand tags drops the value, and tags may be any text', async (t) => {
    const [a, b] = processes(t, 2, { url });
    const odd = ['', ' ', '{}', '{a}', '*', '#', '=', ':', '\n', '\0', 'é', '👩‍🚀', '\ud800', 'x'.repeat(10_000), '__proto__'];
    const tags = [...odd, ...Array.from({ length: 1000 }, (_, i) => `tag ${i}`)];
    let runs = 0;
    const load = a.premier.cacheResult({ name: 'load', tags: () => tags })(async () => ++runs);
    assert.equal(await load(), 1);
    for (const [i, tag] of [...odd, 'tag 0', 'tag 999'].entries()) {
      assert.equal(await load(), i + 1, 'kept until then');
      await b.premier.invalidateTags(tag);
      assert.equal(await load(), i + 2, JSON.stringify(tag.slice(0, 20)));
    }
    await b.premier.invalidateTags('tag 1000', '# ', 'X');
    assert.equal(await load(), odd.length + 3);
  });

  test('a value whose tag Redis no longer knows is a miss, and stays one when another value brings the tag back', async (t) => {
    const keyspace = randomUUID();
    const [a, b] = processes(t, 2, { url, keyspace });
    const client = rawClient(t, url);
    let runs = 0;
    const load = a.premier.cacheResult({ name: 'load', tags: () => ['t'] })(async (_id: string) => ++runs);
    assert.deepEqual([await load('x'), await load('x')], [1, 1]);
    await b.premier.invalidateTags('t');
    await client.del(`${keyspace}:tags:=t`);
    assert.equal(await load('y'), 2, 'holds the tag again');
    assert.equal(await load('x'), 3, 'was dropped, and stays so');
  });

  test('tags set by hand drop what functions keep, and the other way round', async (t) => {
    const [a, b] = processes(t, 2, { url });
    await a.premier.cache.set('k', 1, { tags: ['t', 'u'] });
    assert.equal(await b.premier.cache.get('k'), 1);
    await b.premier.cacheEvict({ tags: (result: string) => [result] })(async () => 'u')();
    assert.deepEqual([await a.premier.cache.get('k'), await b.premier.cache.get('k')], [undefined, undefined]);
  });

  test('other keyspaces and their tags stay', async (t) => {
    const keyspace = randomUUID();
    const [app] = processes(t, 1, { url, keyspace });
    const [app2] = processes(t, 1, { url, keyspace: `${keyspace}2` });
    for (const { premier } of [app, app2]) await premier.cache.set('k', 1, { tags: ['t'] });
    await app.premier.invalidateTags('t');
    assert.deepEqual([await app.premier.cache.get('k'), await app2.premier.cache.get('k')], [undefined, 1]);
    await app.premier.clearCache();
    assert.equal(await app2.premier.cache.get('k'), 1);
    assert.match(String((await outcome(app.premier.clearCache(`${keyspace}2`))).error ?? 'done'), /done/);
    assert.equal(await app2.premier.cache.get('k'), undefined);
  });

  test('a load that began before a bump does not push out the value of one that began after', async (t) => {
    const [a, b] = processes(t, 2, { url });
    const [mine, its] = [gated(), gated()];
    const here = a.premier.cacheResult({ name: 'load', tags: () => ['t'] })(mine.run);
    const there = b.premier.cacheResult({ name: 'load', tags: () => ['t'] })(its.run);
    const before = here();
    await mine.begun(1);
    await b.premier.invalidateTags('t');
    const after = there();
    await its.begun(1);
    its.gates[0]?.resolve('new');
    assert.equal(await after, 'new');
    mine.gates[0]?.resolve('old');
    assert.equal(await before, 'old');
    const again = there();
    const more = await Promise.race([its.begun(2).then(() => true), again.then(() => false)]);
    its.gates[1]?.resolve('new again');
    await again;
    assert.equal(more, false, 'the new value is still there');
  });
});
