import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { Premier } from 'premier';
import { redis, type RedisClient } from 'premier/redis';
import { createSentinel } from 'redis';
import { type RedisSentinel, startSentinel } from '../support/redisSentinel.js';
import { type RedisServer, until } from '../support/redisServer.js';

type Kind = 'ioredis 6' | 'ioredis 5' | 'node-redis';

/** A client that knows nothing but the sentinels. */
const clientOf = async (t: TestContext, kind: Kind, { name, sentinels }: RedisSentinel): Promise<RedisClient> => {
  if (kind === 'node-redis') {
    const client = createSentinel({ name, sentinelRootNodes: [...sentinels] });
    client.on('error', () => undefined);
    await client.connect();
    t.after(() => client.destroy());
    return client;
  }
  const options = { name, sentinels: [...sentinels] };
  const client = kind === 'ioredis 6' ? new Redis(options) : new Redis5(options);
  client.on('error', () => undefined);
  t.after(() => client.disconnect());
  return client;
};

/** A process with a limit and a cache, and what it was told. */
const open = async (t: TestContext, kind: Kind, sentinel: RedisSentinel, keyspace: string) => {
  const premier = new Premier({ keyspace, provider: redis({ client: await clientOf(t, kind, sentinel), deadline: 0.5 }) });
  t.after(() => premier.close());
  const told: string[] = [];
  premier.on('storeDown', () => told.push('down'));
  premier.on('storeUp', () => told.push('up'));
  const limiter = premier.limiter({ name: 'many', quota: 1_000_000, duration: 600 });
  let loads = 0;
  const load = premier.cacheResult<[string]>({ name: 'load', tags: () => ['all'] })(async (id: string) => `${id} ${++loads}`);
  return { premier, limiter, load, told };
};

type Opened = Awaited<ReturnType<typeof open>>;

/** Whether one process sees what the other spends. */
const isShared = async (here: Opened, there: Opened): Promise<boolean> => {
  const { remaining } = await there.limiter.peek('key');
  await here.limiter.consume('key');
  return (await there.limiter.peek('key')).remaining === remaining - 1;
};

/** Loses the master in mid-traffic of several processes, which have to share their state again while it is gone. */
const failover = async (t: TestContext, kinds: readonly Kind[], lose: (master: RedisServer) => unknown) => {
  const sentinel = await startSentinel();
  t.after(() => sentinel.stop());
  const keyspace = randomUUID();
  const opened = await Promise.all(kinds.map((kind) => open(t, kind, sentinel, keyspace)));
  const [here, there] = opened as [Opened, Opened];
  assert.equal(await isShared(here, there), true);
  const stop = new AbortController();
  let longest = 0;
  const traffic = opened.map(async ({ limiter, load }) => {
    while (!stop.signal.aborted) {
      const began = performance.now();
      await Promise.all([limiter.consume('key'), load(String(began)), new Promise((resolve) => setTimeout(resolve, 10))]);
      longest = Math.max(longest, performance.now() - began);
    }
  });
  try {
    await lose(sentinel.master);
    for (const { told } of opened) await until('the server to be up again', async () => told.includes('up'));
  } finally {
    stop.abort();
    await Promise.all(traffic);
  }
  assert.ok(longest < 1500, `a call took ${longest} ms`);
  for (const { told } of opened) assert.deepEqual(told, ['down', 'up']);
  assert.equal(await isShared(here, there), true);
  const before = await here.load('same');
  assert.equal(await there.load('same'), before);
  await there.premier.invalidateTags('all');
  assert.notEqual(await here.load('same'), before);
  assert.equal(((await sentinel.replica.command('ROLE')) as string[])[0], 'master');
};

describe('sentinel', () => {
  let sentinel: RedisSentinel;
  before(async () => (sentinel = await startSentinel()));
  after(() => sentinel.stop());

  for (const kind of ['ioredis 6', 'ioredis 5', 'node-redis'] as const) {
    test(`limits and values are shared, with ${kind}`, async (t) => {
      const keyspace = randomUUID();
      const [here, there] = [await open(t, kind, sentinel, keyspace), await open(t, kind, sentinel, keyspace)];
      assert.equal(await isShared(here, there), true);
      assert.deepEqual([await here.load('a'), await there.load('a')], ['a 1', 'a 1']);
      await there.premier.invalidateTags('all');
      assert.equal(await here.load('a'), 'a 2');
      await here.premier.clearCache();
      assert.equal(await here.load('a'), 'a 3');
      assert.deepEqual([...here.told, ...there.told], []);
    });
  }

  test('a killed master is replaced by its replica, and everything is shared again', (t) =>
    failover(t, ['ioredis 6', 'ioredis 5', 'node-redis'], (master) => master.kill()));

  test('a master that hangs with its connections open is replaced by its replica, and everything is shared again', (t) =>
    failover(t, ['ioredis 6', 'ioredis 5', 'node-redis'], (master) => master.freeze()));
});
