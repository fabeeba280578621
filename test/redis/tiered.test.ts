import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, describe, test, type TestContext } from 'node:test';
import { memory, OptionsError, Premier, tiered } from 'premier';
import { redis, tiered as alsoTiered } from 'premier/redis';
import { type FakeClock, providerLaws } from 'premier/testing';
import { outcome } from '../support/doubles.js';
import { gated, processes, type ProcessOptions } from '../support/processes.js';
import { type ClientKind, openClient } from '../support/redisClients.js';
import { startRedis, until } from '../support/redisServer.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();

describe('tiered is a provider', async () => {
  const server = await startRedis();
  after(() => server.stop());
  /** The laws' keys have no keyspace. */
  const make = async (kind: ClientKind, clock: FakeClock) => {
    await server.command('FLUSHALL');
    const { client, close } = openClient(kind, server.url);
    const provider = tiered({ local: memory({ clock }), remote: redis({ client, clock, deadline: 5 }), clock });
    const end = provider.close.bind(provider);
    provider.close = async () => {
      await end();
      close();
    };
    return provider;
  };
  for (const kind of ['ioredis 6', 'node-redis'] as const) {
    for (const { name, check } of providerLaws({ make: (clock) => make(kind, clock) })) test(`${kind}: ${name}`, check);
  }

  test('wrong options are refused', () => {
    const remote = redis({ client: { call() {}, duplicate() {} } });
    const wrong = [{}, { local: memory() }, { remote }, { local: memory(), remote: memory() }, { local: memory(), remote, channel: 7 }];
    for (const options of wrong) assert.throws(() => tiered(options as never), OptionsError, JSON.stringify(Object.keys(options)));
    assert.equal(tiered, alsoTiered);
  });
});

/** How many commands a server of one's own has read keys with. */
async function reads(command: (...args: readonly string[]) => Promise<unknown>): Promise<number> {
  return Number(/cmdstat_mget:calls=(\d+)/.exec(String(await command('INFO', 'commandstats')))?.[1] ?? 0);
}

async function scene(t: TestContext, options: Partial<ProcessOptions> = {}) {
  const server = await startRedis();
  t.after(() => server.stop());
  const [a, b] = processes(t, 2, { url: server.url, tiered: true, ...options });
  const asked = async (read: () => Promise<unknown>): Promise<boolean> => {
    const before = await reads(server.command);
    await read();
    return (await reads(server.command)) > before;
  };
  /** Until it reads from its own tier. */
  const settled = (read: () => Promise<unknown>) => until('the local tier', async () => !(await asked(read)));
  return { server, a, b, asked, settled };
}

for (const client of ['ioredis 6', 'node-redis'] as const) {
  describe(`two tiers over ${client}`, { concurrency: 3 }, () => {
    test('what was read once is read without Redis, tags and misses of others included', async (t) => {
      const { a, asked, settled } = await scene(t, { client });
      await a.premier.cache.set('k', { when: new Date(0) }, { tags: ['t', 'u'], expireS: 60 });
      await settled(() => a.premier.cache.get('k'));
      assert.equal(await asked(() => Promise.all(Array.from({ length: 50 }, () => a.premier.cache.get('k')))), false);
      assert.deepEqual(await a.premier.cache.get('k'), { when: new Date(0) });
      assert.equal(await asked(() => a.premier.cache.get('unknown')), true);
    });

    const changes: readonly (readonly [string, (premier: Premier) => Promise<unknown>, unknown])[] = [
      ['set', (premier) => premier.cache.set('k', 'new'), 'new'],
      ['delete', (premier) => premier.cache.delete('k'), undefined],
      ['bump of a tag', (premier) => premier.invalidateTags('t'), undefined],
      ['clear', (premier) => premier.clearCache(), undefined],
      ['cacheEvict by key', (premier) => premier.cacheEvict({ keys: ['k'] })(async () => 1)(), undefined],
      ['cacheEvict by tag', (premier) => premier.cacheEvict({ tags: ['t'] })(async () => 1)(), undefined],
      ['load after a drop', async (premier) => (await premier.cache.delete('k'), premier.cache.wrap('k', () => 'loaded')), 'loaded'],
    ];
    for (const [name, change, now] of changes) {
      test(`another process’s ${name} reaches this one`, async (t) => {
        const [a, b] = processes(t, 2, { url, tiered: true, client });
        await a.premier.cache.set('k', 'old', { tags: ['t'] });
        for (const { premier } of [a, b]) for (let i = 0; i < 3; i++) assert.equal(await premier.cache.get('k'), 'old');
        await change(b.premier);
        assert.equal(await b.premier.cache.get('k'), now, 'itself sees it at once');
        await until('the change', async () => (await a.premier.cache.get('k')) === now);
        for (let i = 0; i < 3; i++) for (const { premier } of [a, b]) assert.equal(await premier.cache.get('k'), now);
      });
    }

    test('limits are always asked of Redis', async (t) => {
      const [a, b] = processes(t, 2, { url, tiered: true, client });
      const [here, there] = [a, b].map(({ premier }) => premier.limiter({ name: 'l', algorithm: 'fixed_window', quota: 3, duration: 60 }));
      const verdicts = await Promise.all([here, there, here, there, here].map((limiter) => limiter?.consume('k')));
      assert.equal(verdicts.filter((verdict) => verdict?.allowed).length, 3);
    });

    test('a read that is on its way when its key is dropped does not fill the local tier', async (t) => {
      const { server, a, b, settled } = await scene(t, { client });
      await a.premier.cache.set('k', 0);
      await settled(() => a.premier.cache.get('k'));
      for (let round = 1; round <= 30; round++) {
        const readers = Array.from({ length: 20 }, () => a.premier.cache.get('k'));
        const written = b.premier.cache.set('k', round);
        for (let i = 0; i < 20; i++) readers.push(a.premier.cache.get('k'));
        await Promise.all([...readers, written]);
        await server.command('PING');
        await until('the last value', async () => (await a.premier.cache.get('k')) === round);
        assert.equal(await a.premier.cache.get('k'), round);
      }
    });
  });
}

describe('two tiers', () => {
  test('two Premiers of one process and one tier agree', async (t) => {
    const { client, close } = openClient('ioredis 6', url);
    t.after(close);
    const [keyspace, other] = [randomUUID(), randomUUID()];
    const provider = tiered({ local: memory(), remote: redis({ client, deadline: 5 }), channel: keyspace });
    t.after(() => provider.close());
    const [one, two, three] = [keyspace, keyspace, other].map((of) => new Premier({ keyspace: of, provider })) as [
      Premier,
      Premier,
      Premier,
    ];
    for (const premier of [one, three]) await premier.cache.set('k', 1, { tags: ['t'] });
    assert.equal(await two.cache.get('k'), 1);
    await two.cache.set('k', 2, { tags: ['t'] });
    assert.equal(await one.cache.get('k'), 2);
    await one.invalidateTags('t');
    assert.deepEqual([await two.cache.get('k'), await three.cache.get('k')], [undefined, 1]);
  });

  test('a local tier that is small forgets and asks again', async (t) => {
    const { client, close } = openClient('ioredis 6', url);
    t.after(close);
    const provider = tiered({ local: memory({ maxEntries: 5 }), remote: redis({ client, deadline: 5 }), channel: randomUUID() });
    const premier = new Premier({ keyspace: randomUUID(), provider });
    t.after(() => premier.close());
    for (let i = 0; i < 50; i++) await premier.cache.set(`k${i}`, i);
    for (let round = 0; round < 3; round++) for (let i = 0; i < 50; i++) assert.equal(await premier.cache.get(`k${i}`), i);
  });

  test('a bump that overtakes a load makes its value stale here too', async (t) => {
    const [a, b] = processes(t, 2, { url, tiered: true });
    const load = gated();
    const cached = a.premier.cacheResult({ name: 'load', tags: () => ['t'] })(load.run);
    const before = cached();
    await load.begun(1);
    await b.premier.invalidateTags('t');
    load.gates[0]?.resolve('old');
    await before;
    const after = cached();
    await load.begun(2);
    load.gates[1]?.resolve('new');
    assert.equal(await after, 'new');
    assert.equal(await b.premier.cacheResult({ name: 'load', tags: () => ['t'] })(async () => 'again')(), 'new');
  });

  test('real processes hear each other, and one that closes ends', async (t) => {
    const keyspace = randomUUID();
    const children = [0, 1].map(() => fork(new URL('../support/tieredChild.js', import.meta.url), [url, keyspace]));
    t.after(() => children.forEach((child) => child.kill('SIGKILL')));
    const [one, two] = children as [(typeof children)[0], (typeof children)[0]];
    const heard = async (child: typeof one): Promise<unknown> => ((await once(child, 'message')) as [{ value?: unknown }])[0].value;
    const tell = (child: typeof one, action: string, value?: string): Promise<unknown> => {
      const answer = heard(child);
      child.send({ action, key: 'k', value });
      return answer;
    };
    await Promise.all(children.map(heard));
    await tell(one, 'set', 'first');
    for (let i = 0; i < 3; i++) for (const child of children) assert.equal(await tell(child, 'get'), 'first');
    await tell(two, 'set', 'second');
    await until('the set', async () => (await tell(one, 'get')) === 'second');
    await tell(one, 'bump');
    await until('the bump', async () => (await tell(two, 'get')) === undefined);
    const ends = children.map((child) => once(child, 'exit'));
    for (const child of children) child.send({ action: 'close' });
    for (const end of ends) assert.deepEqual(await end, [0, null]);
  });

  test('a Premier that is closed hears nothing more and still answers from Redis', async (t) => {
    const [a, b] = processes(t, 2, { url, tiered: true });
    await a.premier.cache.set('k', 1);
    await a.premier.close();
    await b.premier.cache.set('k', 2);
    const { value, error } = await outcome(a.premier.cache.get('k'));
    assert.ok(error !== undefined || value === 2);
  });
});
