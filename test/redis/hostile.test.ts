import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { OptionsError, Premier, type PremierEvent } from 'premier';
import { redis } from 'premier/redis';
import { type AlgorithmName, algorithms } from '../../src/algorithms/index.js';
import { gated, processes, rawClient } from '../support/processes.js';
import { openClient } from '../support/redisClients.js';
import { type RedisServer, startRedis, until } from '../support/redisServer.js';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

describe('what others say on the channel of tiered', () => {
  for (const message of [
    'null',
    '5',
    '"x"',
    'no json',
    '{"key":5}',
    '{"prefix":{}}',
    '{"tags":{"prefix":"","names":5,"number":1}}',
    '{"from":"x","tags":{"prefix":"","names":["t"],"number":"zzz"}}',
  ]) {
    test(`is no end of a process, and nothing stale comes of it: ${message}`, async (t) => {
      const keyspace = randomUUID();
      const [{ premier: a }, { premier: b }] = processes(t, 2, { url: server.url, keyspace, tiered: true });
      await a.cache.set('k', 1, { tags: ['t'] });
      assert.equal(await b.cache.get('k'), 1);
      await server.command('PUBLISH', keyspace, message);
      assert.equal(await b.cache.get('k'), 1);
      await a.invalidateTags('t');
      await until('the bump to arrive', async () => (await b.cache.get('k')) === undefined);
    });
  }
});

test('a listener of the provider that throws keeps nobody from hearing, and Redis from nothing', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const { client, close } = openClient('ioredis 6', own.url);
  t.after(close);
  const provider = redis({ client });
  const heard: boolean[] = [];
  provider.watch(() => {
    throw new Error('mine');
  });
  provider.watch(({ up }) => heard.push(up));
  await until('a connection', async () => (await provider.has('k').catch(() => true)) === false);
  own.freeze();
  await until('the outage', async () => {
    await provider.get('k').catch(() => undefined);
    return heard.includes(false);
  });
  own.thaw();
  await until('the return', async () => heard.at(-1) === true);
  assert.equal(await provider.get('k'), undefined);
});

test('very many keys that could not be dropped through the provider itself cost nobody else a key', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const { client, close } = openClient('ioredis 6', own.url);
  t.after(close);
  const provider = redis({ client });
  await own.command('SET', 'somebody:elses', 'key');
  await until('a connection', async () => (await provider.has('k').catch(() => true)) === false);
  own.freeze();
  await Promise.all(Array.from({ length: 10_050 }, (_, i) => provider.delete(`k${i}`).catch(() => false)));
  own.thaw();
  await until('the debts to be paid', async () => (await provider.get('k').catch(() => null)) === undefined);
  assert.equal(await own.command('GET', 'somebody:elses'), 'key');
});

test('whatever is used first, Redis keeps the same few scripts', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const names = Object.keys(algorithms) as AlgorithmName[];
  for (let start = 0; start < names.length; start++) {
    const [{ premier }] = processes(t, 1, { url: own.url });
    const limiters = names.map((algorithm) => premier.limiter({ algorithm, quota: 5, duration: 1 }));
    for (let i = 0; i < limiters.length; i++) {
      const limiter = limiters[(start + i) % limiters.length];
      await Promise.all([limiter?.consume('a'), limiter?.consume('b'), premier.cache.set('k', 1)]);
    }
  }
  const info = String(await own.command('INFO', 'memory'));
  assert.equal(/number_of_cached_scripts:(\d+)/.exec(info)?.[1], '1');
});

test('a tag that Redis lost while a value was loaded does not make the value good', async (t) => {
  const keyspace = randomUUID();
  const [{ premier: a }, { premier: b }] = processes(t, 2, { url: server.url, keyspace });
  const client = rawClient(t, server.url);
  const source = gated();
  const load = a.cacheResult({ name: 'f', tags: () => ['t'] })(source.run);
  const old = load();
  await source.begun(1);
  await b.invalidateTags('t');
  await client.del(`${keyspace}:tags:=t`);
  source.gates[0]?.resolve('old');
  assert.equal(await old, 'old');
  const again = load();
  await source.begun(2);
  source.gates[1]?.resolve('new');
  assert.equal(await again, 'new');
});

test('a load that cannot be kept soon leaves nothing in Redis', async (t) => {
  const keyspace = randomUUID();
  const [{ premier }] = processes(t, 1, { url: server.url, keyspace });
  const client = rawClient(t, server.url);
  const failed: PremierEvent<'cacheFailed'>[] = [];
  premier.on('cacheFailed', (event) => failed.push(event));
  await premier.cacheResult({ name: 'f', expireS: 5 })(async () => () => 'a function')();
  assert.equal(failed.length, 1);
  const key = `${keyspace}:cacheResult:f:(`;
  await until('the placeholder to be let go', async () => (await client.pttl(key)) <= 310_000);
});

test('what a store says of an outage holds no keys and no values', async (t) => {
  const own = await startRedis({ args: ['--maxmemory', '1'] });
  t.after(() => own.stop());
  const [{ premier }] = processes(t, 1, { url: own.url, redis: { whenDown: 'closed' } });
  const downs: PremierEvent<'storeDown'>[] = [];
  premier.on('storeDown', (event) => downs.push(event));
  await assert.rejects(premier.cache.set('card', '4111-1111'), (error: Error) => {
    assert.ok(!JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)).includes('4111'));
    return true;
  });
  const [down] = downs;
  assert.ok(down?.error instanceof Error && !('command' in down.error));
  assert.match(down.error.message, /OOM/);
});

test('a codec that returns no text is told, and a wrong URL shows no password', async (t) => {
  const [{ premier }] = processes(t, 1, { url: server.url, redis: { codec: { encode: (async () => 'x') as never, decode: JSON.parse } } });
  await assert.rejects(premier.cache.set('k', 1), /must be a text \(got a promise\)/);
  assert.throws(
    () => redis({ url: 'default:s3cret@host:6379' }),
    (error) => error instanceof OptionsError && !error.message.includes('s3cret'),
  );
  assert.throws(() => redis({ url: server.url, deadline: '30d' }), OptionsError);
  assert.throws(() => new Premier({ keyspace: 'app:throttle' }), OptionsError);
});
