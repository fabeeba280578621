import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { Premier, StoreUnavailableError } from 'premier';
import { redis, type RedisOptions } from 'premier/redis';
import { type ClusterClientKind, keyOn, openClusterClient } from '../support/clusterClients.js';
import { outcome } from '../support/doubles.js';
import { type RedisCluster, startCluster } from '../support/redisCluster.js';
import { type RedisServer, until } from '../support/redisServer.js';

/** A process with one limit, and what it was told of the servers. */
const open = async (t: TestContext, cluster: RedisCluster, keyspace: string, options: RedisOptions = {}, kind?: ClusterClientKind) => {
  const { client, close } = await openClusterClient(kind ?? 'ioredis 6', cluster);
  t.after(close);
  // Long enough for a machine that is busy: only a server that is frozen is late.
  const provider = redis({ client, deadline: '500ms', ...options });
  const premier = new Premier({ keyspace, provider });
  t.after(() => premier.close());
  const told: string[] = [];
  premier.on('storeDown', ({ store }) => told.push(`down ${store}`));
  premier.on('storeUp', ({ store }) => told.push(`up ${store}`));
  const limiter = premier.limiter({ name: 'many', quota: 1_000_000, duration: 600 });
  return { premier, provider, limiter, told, toldOf: ({ port }: RedisServer) => told.filter((text) => text.endsWith(`:${port}`)) };
};

type Opened = Awaited<ReturnType<typeof open>>;

/** A key of the limit on each of the three shards. */
const keysOf = (keyspace: string): [string, string, string] => {
  const prefix = `${keyspace}:throttle:limiter/fixed_window/many:`;
  return [keyOn(0, prefix), keyOn(1, prefix), keyOn(2, prefix)];
};

/** Whether one process sees what another spends. */
const isShared = async ([here, there]: readonly [Opened, Opened], key: string): Promise<boolean> => {
  const { remaining } = await there.limiter.peek(key);
  await here.limiter.consume(key);
  return (await there.limiter.peek(key)).remaining === remaining - 1;
};

/** Calls again and again until it is stopped, which answers with the milliseconds of the longest call. */
const traffic = ({ limiter }: Opened, keys: readonly string[]): (() => Promise<number>) => {
  const stop = new AbortController();
  let longest = 0;
  const running = (async () => {
    while (!stop.signal.aborted) {
      const began = performance.now();
      await Promise.all([...keys.map((key) => limiter.consume(key)), new Promise((resolve) => setTimeout(resolve, 10))]);
      longest = Math.max(longest, performance.now() - began);
    }
  })();
  return async () => {
    stop.abort();
    await running;
    return longest;
  };
};

/** Other shards go on where one is lost. */
const serveInPart = async ({ nodes }: RedisCluster): Promise<void> => {
  await Promise.all(nodes.map((node) => node.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')));
};

let lone: RedisCluster;
let replicated: RedisCluster;
before(async () => {
  [lone, replicated] = await Promise.all([startCluster(), startCluster({ replicas: true })]);
  await Promise.all([lone, replicated].map(serveInPart));
});
after(() => Promise.all([lone, replicated].map((cluster) => cluster.stop())));

describe('a cluster that loses a master', () => {
  const masterAt = (place: number): RedisServer => lone.masters[place] as RedisServer;

  test('calls to other shards share their limits, calls to the lost one follow whenDown, and each change is told once', async (t) => {
    const keyspace = randomUUID();
    const [lost, ...others] = keysOf(keyspace);
    const local = await open(t, lone, keyspace);
    const admitting = await open(t, lone, keyspace, { whenDown: 'open' });
    const refusing = await open(t, lone, keyspace, { whenDown: 'closed' });
    const all = [local, admitting, refusing];
    for (const { limiter } of all) for (const key of [lost, ...others]) await limiter.consume(key, 10);
    masterAt(0).freeze();
    t.after(() => masterAt(0).thaw());
    assert.equal((await local.limiter.consume(lost)).remaining, 999_999);
    assert.equal((await local.limiter.consume(lost)).remaining, 999_998);
    for (let i = 0; i < 2; i++) assert.equal((await admitting.limiter.consume(lost)).remaining, 999_999);
    for (let i = 0; i < 2; i++) assert.ok((await outcome(refusing.limiter.consume(lost))).error instanceof StoreUnavailableError);
    for (const key of others) assert.equal(await isShared([local, refusing], key), true);
    masterAt(0).thaw();
    for (const { told } of all) await until('the server to be up', async () => told.length === 2);
    assert.equal(await isShared([local, refusing], lost), true);
    for (const { told, toldOf } of all) {
      assert.deepEqual(told, toldOf(masterAt(0)));
      assert.deepEqual(
        told.map((text) => text.split(' ')[0]),
        ['down', 'up'],
      );
    }
  });

  test('a server is up again while another, which is owed an invalidation, is still down', async (t) => {
    const { provider, toldOf } = await open(t, lone, randomUUID());
    const prefix = randomUUID();
    const keys = [0, 1].map((place) => `${prefix}${keyOn(place, prefix)}`);
    for (const key of keys) await provider.set(key, 'stale', 60_000);
    for (const place of [0, 1]) masterAt(place).freeze();
    t.after(() => masterAt(1).thaw());
    for (const { error } of await Promise.all(keys.map((key) => outcome(provider.delete(key))))) {
      assert.ok(error instanceof StoreUnavailableError);
    }
    masterAt(0).thaw();
    await until('a majority to serve', async () => String(await masterAt(2).command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
    await until('the first to be up', async () => toldOf(masterAt(0)).length === 2);
    assert.equal(await provider.get(keys[0] as string), undefined);
    masterAt(1).thaw();
    await until('the second to be up', async () => toldOf(masterAt(1)).length === 2);
    assert.equal(await provider.get(keys[1] as string), undefined);
  });

  test('what was spent locally is not forgotten when another server returns', async (t) => {
    const keyspace = randomUUID();
    const [first, second, third] = keysOf(keyspace);
    const { limiter, toldOf } = await open(t, lone, keyspace);
    for (const key of [first, second, third]) await limiter.peek(key);
    for (const place of [0, 1]) masterAt(place).freeze();
    t.after(() => masterAt(0).thaw());
    for (const key of [first, second, first]) await limiter.consume(key, 100);
    masterAt(1).thaw();
    await until('the second to be up', async () => toldOf(masterAt(1)).length === 2);
    assert.deepEqual([(await limiter.peek(first)).remaining, toldOf(masterAt(0)).length], [999_800, 1]);
    masterAt(0).thaw();
    await until('the first to be up', async () => toldOf(masterAt(0)).length === 2);
  });

  test('a cache that could not be cleared everywhere is cleared as soon as that is possible', async (t) => {
    const { premier } = await open(t, lone, randomUUID());
    const prefix = `${premier.keyspace}:cacheResult:`;
    const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
    for (const key of keys) await premier.cache.set(key, 'stale');
    masterAt(2).freeze();
    t.after(() => masterAt(2).thaw());
    assert.ok((await outcome(premier.clearCache())).error instanceof StoreUnavailableError);
    masterAt(2).thaw();
    await until('the cache to be cleared', async () => {
      const left = await Promise.all(lone.masters.map((master) => master.command('KEYS', `${prefix}*`)));
      return left.flat().length === 0;
    });
  });
});

describe('a cluster that fails over', () => {
  /** Loses a master in mid-traffic of two processes, whose limit has to be shared again while it is gone. */
  const failover = async (t: TestContext, place: number, lose: (master: RedisServer) => unknown, kinds: readonly ClusterClientKind[]) => {
    const keyspace = randomUUID();
    const keys = keysOf(keyspace);
    const opened = await Promise.all(kinds.map((kind) => open(t, replicated, keyspace, {}, kind)));
    for (const one of opened) await isShared([one, one], keys[place] as string);
    const stops = opened.map((one) => traffic(one, keys));
    try {
      await lose(replicated.masters[place] as RedisServer);
      for (const { told } of opened) await until('the server to be down', async () => told.length > 0);
      const replica = replicated.replicas[place] as RedisServer;
      await until('the replica to take over', async () => ((await replica.command('ROLE')) as string[])[0] === 'master');
      for (const { toldOf } of opened) {
        const lost = replicated.masters[place] as RedisServer;
        await until('the lost server to be replaced', async () => toldOf(lost).length > 1);
      }
    } finally {
      for (const longest of await Promise.all(stops.map((stop) => stop()))) assert.ok(longest < 10_000, `a call took ${longest} ms`);
    }
    const [here, there] = opened as [Opened, Opened];
    for (const key of keys) {
      assert.equal(await isShared([here, there], key), true);
      assert.equal(await isShared([there, here], key), true);
    }
    for (const { told } of opened) assert.equal(new Set(told).size, told.length, told.join(', '));
  };

  test('a killed master is replaced by its replica, and limits are shared again', (t) =>
    failover(t, 0, (master) => master.kill(), ['ioredis 6', 'ioredis 5', 'node-redis']));

  test('a master that hangs with its connections open is replaced by its replica, and limits are shared again', async (t) => {
    t.after(() => (replicated.masters[1] as RedisServer).thaw());
    await failover(t, 1, (master) => master.freeze(), ['ioredis 6', 'ioredis 5']);
  });
});
