import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { processes, rawClient } from '../support/processes.js';
import { openClient } from '../support/redisClients.js';
import { redis } from 'premier/redis';
import { type RedisServer, startRedis, until } from '../support/redisServer.js';

async function reads({ command }: RedisServer): Promise<number> {
  return Number(/cmdstat_mget:calls=(\d+)/.exec(String(await command('INFO', 'commandstats')))?.[1] ?? 0);
}

async function subscribers({ command }: RedisServer): Promise<number> {
  return String(await command('CLIENT', 'LIST', 'TYPE', 'PUBSUB'))
    .split('\n')
    .filter(Boolean).length;
}

for (const client of ['ioredis 6', 'node-redis'] as const) {
  describe(`a tier whose subscriber is cut off, over ${client}`, { concurrency: 3 }, () => {
    const scene = async (t: TestContext, deadline = 5) => {
      const server = await startRedis();
      t.after(() => server.stop());
      const [a] = processes(t, 1, { url: server.url, tiered: true, client, keyspace: 'app', redis: { deadline } });
      const [b] = processes(t, 1, { url: server.url, client, keyspace: 'app' });
      /** Until it reads `k` from its own tier. */
      const settled = async (): Promise<void> => {
        await until('the local tier', async () => {
          await a.premier.cache.set('settled', 1);
          await a.premier.cache.get('settled');
          const before = await reads(server);
          await a.premier.cache.get('settled');
          return (await reads(server)) === before;
        });
        await a.premier.cache.get('k');
      };
      return { server, a, b, settled };
    };

    test('it is heard again after each cut, and what changed in between is never served', async (t) => {
      const { server, a, b, settled } = await scene(t);
      for (let round = 0; round < 5; round++) {
        await b.premier.cache.set('k', round, { tags: ['t'] });
        await until('the value', async () => {
          await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
          return (await a.premier.cache.get('k')) === round;
        });
        await settled();
        // The other one is not tiered and tells nobody: only a new beginning finds out.
        await b.premier.cache.set('k', `changed ${round}`);
        assert.equal(await a.premier.cache.get('k'), round, 'it is kept here');
        assert.equal(await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub'), 1);
        await until('the change', async () => (await a.premier.cache.get('k')) === `changed ${round}`);
        await until('a subscriber', async () => (await subscribers(server)) === 1);
        await settled();
        assert.equal(await a.premier.cache.get('k'), `changed ${round}`);
      }
    });

    test('while it is known to be cut nothing is served from here, and a bump is not missed', async (t) => {
      const { server, a, b, settled } = await scene(t);
      await a.premier.cache.set('k', 'old', { tags: ['t'] });
      await settled();
      await server.command('ACL', 'SETUSER', 'default', 'resetchannels', '-subscribe');
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await b.premier.invalidateTags('t');
      await until('the bump', async () => (await a.premier.cache.get('k')) === undefined);
      for (let i = 0; i < 5; i++) {
        await b.premier.cache.set('k', i, { tags: ['t'] });
        assert.equal(await a.premier.cache.get('k'), i);
        await b.premier.invalidateTags('t');
        assert.equal(await a.premier.cache.get('k'), undefined);
      }
      await b.premier.cache.set('k', 'new');
      await server.command('ACL', 'SETUSER', 'default', 'allchannels', '+subscribe');
      await settled();
      assert.equal(await a.premier.cache.get('k'), 'new');
    });

    test('who may not subscribe does not pile up connections', async (t) => {
      const { server, a } = await scene(t);
      await a.premier.cache.set('k', 1);
      await server.command('ACL', 'SETUSER', 'default', 'resetchannels', '-subscribe');
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const refused = async (): Promise<number> =>
        Number(/cmdstat_subscribe:.*rejected_calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0);
      await until('ten refusals', async () => (await refused()) >= 10);
      const connections = String(await server.command('CLIENT', 'LIST'))
        .split('\n')
        .filter(Boolean).length;
      assert.ok(connections <= 6, `${connections} connections`);
      assert.equal(await a.premier.cache.get('k'), 1);
    });

    test('a restarted server is heard again, and nothing that it forgot is served', async (t) => {
      const { server, a, b, settled } = await scene(t);
      await a.premier.cache.set('k', 'old');
      await settled();
      await server.restart();
      await until('the loss', async () => (await a.premier.cache.get('k')) === undefined);
      await until('b', async () => {
        await b.premier.cache.set('k', 'new');
        return (await a.premier.cache.get('k')) === 'new';
      });
      await settled();
    });

    test('a server that hangs is no longer heard within seconds, and begun anew with when it goes on', async (t) => {
      const { server, a, settled } = await scene(t, 0.3);
      const raw = rawClient(t, server.url);
      await a.premier.cache.set('k', 'old');
      await settled();
      const [key] = await raw.keys('app:cacheResult:*:k');
      server.freeze();
      const deleted = raw.del(key as string);
      await until('the loss', async () => (await a.premier.cache.get('k')) !== 'old');
      server.thaw();
      assert.equal(await deleted, 1);
      await settled();
      assert.equal(await a.premier.cache.get('k'), undefined);
    });
  });
}

test('a subscription that is closed before it stands leaves no connection', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  for (const kind of ['ioredis 6', 'ioredis 5', 'node-redis'] as const) {
    const { client, close } = openClient(kind, server.url);
    const provider = redis({ client, deadline: 5 });
    await provider.set('k', 1);
    for (let i = 0; i < 10; i++) {
      const subscription = provider.bus.subscribe('c', { message: () => undefined, up: () => undefined, down: () => undefined });
      if (i % 2) await new Promise((resolve) => setImmediate(resolve));
      subscription.close();
    }
    await provider.close();
    close();
  }
  await until('no subscriber', async () => (await subscribers(server)) === 0);
  await until(
    'nobody',
    async () =>
      String(await server.command('CLIENT', 'LIST'))
        .split('\n')
        .filter(Boolean).length <= 1,
  );
});
