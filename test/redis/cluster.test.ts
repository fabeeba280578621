import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { Cluster } from 'ioredis';
import { Premier, QuotaExceedsError } from 'premier';
import { redis, type RedisOptions, type RedisProvider } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { slotOf } from '../../src/redis/slot.js';
import { clusterClientKinds, type ClusterClientKind, openClusterClient } from '../support/clusterClients.js';
import { outcome } from '../support/doubles.js';
import { assertPureDecisions } from '../support/pureSteps.js';
import { type RedisCluster, startCluster } from '../support/redisCluster.js';

let cluster: RedisCluster;
before(async () => (cluster = await startCluster()));
after(() => cluster.stop());

/** A process: a client of its own, and a provider that is not told down by a busy machine. */
const open = async (t: TestContext, kind: ClusterClientKind = 'ioredis 6', options: RedisOptions = {}): Promise<RedisProvider> => {
  const { client, close } = await openClusterClient(kind, cluster);
  t.after(close);
  return redis({ client, deadline: 5, whenDown: 'closed', ...options });
};

/** All keys of a keyspace, by node. */
const stored = async (keyspace: string): Promise<readonly string[][]> =>
  Promise.all(
    cluster.masters.map(async (master) => {
      const keys = (await master.command('KEYS', '*')) as string[];
      return keys.filter((key) => key.startsWith(keyspace));
    }),
  );

const awkwardKeys = ['', '}', '{', '{}', '{}{', '}{', 'a}b', '{user}', ':', '*', 'é\n'];

for (const kind of clusterClientKinds) {
  describe(`a cluster, with ${kind}`, () => {
    test('every algorithm decides as its pure step, on keys of all shards', async (t) => {
      const clock = new FakeClock();
      const prefix = randomUUID();
      await assertPureDecisions(await open(t, kind, { clock, refuseLocally: false }), clock, prefix, { keys: 24, rounds: 15 });
      for (const keys of await stored(prefix)) assert.ok(keys.length > 0, 'a shard holds nothing');
    });

    test('256 calls of one tick over many slots are decided one by one, in their order', async (t) => {
      const premier = new Premier({ keyspace: randomUUID(), provider: await open(t, kind) });
      const limiter = premier.limiter({ algorithm: 'sliding_window', quota: 2, duration: 60 });
      const calls = Array.from({ length: 256 }, (_, i) => limiter.consume(`key ${i % 64}`));
      const allowed = (await Promise.all(calls)).map((result) => result.allowed);
      assert.deepEqual(
        allowed,
        calls.map((_, i) => i < 128),
      );
    });

    test('several limits are spent all or none, whatever the callers are called, and lie in one slot', async (t) => {
      const keyspace = randomUUID();
      const [one, other] = await Promise.all([open(t, kind), open(t, kind)]);
      const limited = [one, other].map((provider) => {
        const premier = new Premier({ keyspace, provider });
        const minute = { quota: 2, duration: 60 };
        const hour = { algorithm: 'sliding_window', quota: 3, duration: 3600 } as const;
        const byCaller = premier.throttle<[string]>({ name: 'by caller', keymaker: (caller) => caller, limits: [minute, hour] });
        const byBoth = premier.throttle<[string]>({
          name: 'by both',
          limits: [
            { ...minute, keymaker: (caller) => caller },
            { ...hour, quota: awkwardKeys.length + 1, keymaker: () => 'all' },
          ],
        });
        return { byCaller: byCaller(async (_caller: string) => 'done'), byBoth: byBoth(async (_caller: string) => 'done') };
      });
      const [here, there] = limited as [(typeof limited)[0], (typeof limited)[0]];
      for (const caller of awkwardKeys) {
        await here.byCaller(caller);
        await there.byCaller(caller);
        assert.ok((await outcome(here.byCaller(caller))).error instanceof QuotaExceedsError, `of the caller '${caller}'`);
        await here.byBoth(caller);
      }
      await there.byBoth('one more');
      assert.ok((await outcome(here.byBoth('one too many'))).error instanceof QuotaExceedsError);
      const slots = new Map<string, Set<number>>();
      for (const key of (await stored(keyspace)).flat()) {
        const limit = /^(.*)\d:(fixed|sliding)_window:/s.exec(key)?.[1] ?? '';
        slots.set(limit, (slots.get(limit) ?? new Set()).add(slotOf(key)));
      }
      assert.equal(slots.size, awkwardKeys.length + 1);
      for (const [limit, found] of slots) assert.equal(found.size, 1, limit);
    });

    test('cached values, tags and clearing reach all shards, and no neighbour', async (t) => {
      const keyspace = randomUUID();
      const providers = await Promise.all([open(t, kind), open(t, kind)]);
      const runs = { loads: 0 };
      const [here, there, neighbour] = [keyspace, keyspace, `${keyspace}2`].map((space, i) => {
        const premier = new Premier({ keyspace: space, provider: providers[i % 2] as RedisProvider });
        const cached = premier.cacheResult<[number]>({ name: 'load', expireS: 60, tags: (_, id) => [`all ${space}`, `id ${id}`] });
        const load = cached(async (id: number) => {
          runs.loads++;
          return { id, at: new Date(id) };
        });
        const loads = async (): Promise<number> => {
          const before = runs.loads;
          const values = await Promise.all(Array.from({ length: 50 }, (_, id) => load(id)));
          values.forEach((value, id) => assert.deepEqual(value, { id, at: new Date(id) }));
          return runs.loads - before;
        };
        return { premier, loads };
      }) as [Cached, Cached, Cached];
      assert.deepEqual([await here.loads(), await neighbour.loads(), await there.loads()], [50, 50, 0]);
      for (const keys of await stored(`${keyspace}:`)) assert.ok(keys.length > 5, 'a shard holds nothing');
      await there.premier.invalidateTags('id 7', 'id 8');
      assert.equal(await here.loads(), 2);
      await here.premier.invalidateTags(`all ${keyspace}`);
      assert.deepEqual([await there.loads(), await here.loads()], [50, 0]);
      await there.premier.clearCache();
      assert.deepEqual([await here.loads(), await neighbour.loads()], [50, 0]);
    });

    test('scripts that all nodes forgot are sent again', async (t) => {
      const premier = new Premier({ keyspace: randomUUID(), provider: await open(t, kind) });
      const limiter = premier.limiter({ quota: 2, duration: 60 });
      const round = async () => Promise.all(Array.from({ length: 30 }, (_, i) => limiter.consume(`${i}`)));
      await round();
      await Promise.all(cluster.masters.map((master) => master.command('SCRIPT', 'FLUSH')));
      assert.ok((await round()).every(({ remaining }) => remaining === 0));
    });
  });
}

interface Cached {
  readonly premier: Premier;
  readonly loads: () => Promise<number>;
}

test('braces in a keyspace or in the name of a limiter do not tear several limits apart', async (t) => {
  const provider = await open(t);
  const limits = [
    { quota: 1, duration: 60 },
    { quota: 5, duration: 600 },
  ];
  for (const [keyspace, name] of ['{}', '}', '{', 'GET /users/{}', 'GET /users/{id}'].flatMap((text) => [
    [`${randomUUID()}${text}`, 'plain'],
    [randomUUID(), text],
  ]) as [string, string][]) {
    const premier = new Premier({ keyspace, provider });
    const together = premier.throttle({ name, limits })(async () => 'done');
    const apart = premier.throttle({ name: `${name}2`, limits: limits.map((limit, i) => ({ ...limit, keymaker: () => `${i}` })) });
    const each = apart(async () => 'done');
    for (const call of [together, each]) {
      assert.equal((await outcome(call())).error, undefined, `keyspace ${keyspace}, name ${name}`);
      assert.ok((await outcome(call())).error instanceof QuotaExceedsError);
    }
  }
});

test("a client's own prefix of keys belongs to what a slot is calculated of", async (t) => {
  const keyPrefix = `${randomUUID()}:`;
  const client = new Cluster([...cluster.seeds], { keyPrefix });
  t.after(() => client.disconnect());
  const provider = redis({ client, deadline: 5, whenDown: 'closed' });
  const [one, other] = keysThatMeetWithout(keyPrefix);
  await Promise.all([provider.set(one, 1, 60_000), provider.set(other, 2, 60_000)]);
  assert.deepEqual(await Promise.all([provider.get(one), provider.get(other)]), [1, 2]);
  await provider.clear('');
  assert.deepEqual((await stored(keyPrefix)).flat(), []);
});

/** Two keys of one slot that lie in two slots behind a prefix. */
function keysThatMeetWithout(prefix: string): [string, string] {
  const known = new Map<number, string>();
  for (let i = 0; ; i++) {
    const key = `key ${i}`;
    const met = known.get(slotOf(key));
    if (met !== undefined && slotOf(prefix + met) !== slotOf(prefix + key)) return [met, key];
    known.set(slotOf(key), key);
  }
}

test('the slot of a key is the one that Redis calculates', async (t) => {
  const client = new Cluster([...cluster.seeds]);
  t.after(() => client.disconnect());
  const random = Array.from({ length: 400 }, (_, i) => {
    const text = randomBytes(i % 24).toString(i % 2 ? 'latin1' : 'base64');
    return i % 3 ? `${text.slice(0, 3)}{${text.slice(3, i % 7)}}${text.slice(6)}` : text;
  });
  const chosen = [
    '',
    '{',
    '}',
    '{}',
    '{}a',
    'a{}{b}',
    '{a',
    'a}',
    '}{a}',
    '{{a}}',
    '{a}{b}',
    '{a}b',
    'foo{{bar}}zap',
    '🦜{日本}é',
    'x'.repeat(10_000),
  ];
  for (const key of [...chosen, ...random]) assert.equal(slotOf(key), await client.cluster('KEYSLOT', key), JSON.stringify(key));
});
