import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, afterEach, describe, test } from 'node:test';
import { Premier, StoreUnavailableError } from 'premier';
import { redis } from 'premier/redis';
import { outcome } from '../support/doubles.js';
import { type OpenClient, openClient } from '../support/redisClients.js';
import { type RedisServer, startRedis, until } from '../support/redisServer.js';

let server: RedisServer;
let clients: [OpenClient, OpenClient];
before(async () => {
  server = await startRedis();
});
after(() => server.stop());
beforeEach(() => {
  clients = [openClient('ioredis 6', server.url), openClient('ioredis 6', server.url)];
});
afterEach(() => {
  for (const { close } of clients) close();
});

interface Side {
  readonly premier: Premier;
  readonly changes: { downs: number; ups: number };
}

/** Two processes' worth of premiers, connected. */
async function setUp(): Promise<{ readonly keyspace: string; readonly mine: Side; readonly other: Side }> {
  const keyspace = randomUUID();
  const sideOf = async ({ client }: OpenClient): Promise<Side> => {
    const premier = new Premier({ provider: redis({ client, deadline: 0.5 }), keyspace });
    const changes = { downs: 0, ups: 0 };
    await until('a connection', async () => {
      await premier.cache.set('warm', 1);
      return (await premier.cache.get('warm')) === 1;
    });
    premier.on('storeDown', () => changes.downs++);
    premier.on('storeUp', () => changes.ups++);
    return { premier, changes };
  };
  const [one, two] = clients;
  return { keyspace, mine: await sideOf(one), other: await sideOf(two) };
}

/** Freezes Redis until something is done, and waits until it is used again. */
async function whileDown({ premier, changes }: Side, action: () => Promise<unknown>, noticed = true): Promise<void> {
  server.freeze();
  try {
    if (noticed) await until('the outage to be noticed', async () => (await premier.cache.get('x')) === undefined && changes.downs > 0);
    await action();
  } finally {
    server.thaw();
  }
  if (noticed) await until('Redis to be used again', async () => changes.ups === changes.downs);
}

const owed = { name: 'StoreUnavailableError' };
describe('what is invalidated while Redis is down', () => {
  const ways: Readonly<Record<string, (premier: Premier, load: (id: string) => Promise<number>) => Promise<unknown>>> = {
    invalidate: (premier, load) => premier.invalidate(load, ['a']),
    'invalidate of all': (premier, load) => premier.invalidate(load),
    invalidateTags: (premier) => premier.invalidateTags('t'),
    clearCache: (premier) => premier.clearCache(),
  };
  for (const [way, invalidate] of Object.entries(ways)) {
    for (const noticed of [true, false]) {
      test(`${way} ${noticed ? 'after' : 'before'} the outage was noticed rejects, and is done before anybody reads again`, async () => {
        const { mine, other } = await setUp();
        let loads = 0;
        const loader = ({ premier }: { premier: Premier }) =>
          premier.cacheResult<[string], number>({ name: 'f', tags: () => ['t'] })(async (_id: string) => ++loads);
        const [load, elsewhere] = [loader(mine), loader(other)];
        assert.deepEqual([await load('a'), await elsewhere('a')], [1, 1]);
        await whileDown(mine, () => assert.rejects(invalidate(mine.premier, load), owed), noticed);
        if (noticed) assert.equal(await elsewhere('a'), 2, 'another process sees it');
        else await until('the outage to be over', async () => (await load('b')) > 0 && mine.changes.ups === mine.changes.downs);
        assert.ok((await load('a')) >= 2, 'this process sees it');
      });
    }
  }

  test('clearCache alone is done too, though nothing else was asked during the outage', async () => {
    const { mine } = await setUp();
    await mine.premier.cache.set('k', 'old');
    await whileDown(mine, () => assert.rejects(mine.premier.clearCache(), owed), false);
    await until('an outage that is over', async () => mine.changes.downs === mine.changes.ups);
    assert.equal(mine.changes.downs, 1, 'the outage was told');
    assert.equal(await mine.premier.cache.get('k'), undefined);
  });

  test('clearing again and again queues up no commands', async () => {
    const { mine } = await setUp();
    const [{ waiting }] = clients;
    await whileDown(mine, async () => {
      const before = waiting();
      await Promise.all(Array.from({ length: 50 }, () => outcome(mine.premier.clearCache())));
      assert.ok(waiting() <= before + 2, `${waiting()} commands wait, ${before} did before`);
    });
  });

  test('delete and reset reject, and are done', async () => {
    const { mine, other } = await setUp();
    const limiters = [mine, other].map(({ premier }) => premier.limiter({ quota: 1, duration: 60, name: 'n' }));
    await mine.premier.cache.set('k', 'old');
    await limiters[0]?.consume('k');
    await whileDown(mine, async () => {
      await assert.rejects(mine.premier.cache.delete('k'), owed);
      await assert.rejects(limiters[0]?.reset('k') as Promise<void>, owed);
    });
    assert.equal(await other.premier.cache.get('k'), undefined);
    assert.equal((await limiters[1]?.consume('k'))?.allowed, true);
  });

  test('a method is dropped for every class that has called it', async () => {
    const { mine } = await setUp();
    let loads = 0;
    class Users {
      @mine.premier.cacheResult({ scope: 'class' })
      async find(_id: string): Promise<number> {
        return ++loads;
      }
    }
    class Admins extends Users {}
    const [users, admins] = [new Users(), new Admins()];
    await users.find('a');
    await admins.find('a');
    await whileDown(mine, () => assert.rejects(mine.premier.invalidate(Users.prototype.find, ['a']), owed));
    await users.find('a');
    await admins.find('a');
    assert.equal(loads, 4, 'each class loads anew');
  });

  test('cacheEvict returns its result, tells that it failed, and reaches names that only others keep', async () => {
    const { mine, other } = await setUp();
    let loads = 0;
    const elsewhere = other.premier.cacheResult({ name: 'theirs', cacheKey: 'k' })(async () => ++loads);
    await elsewhere();
    const failed: unknown[] = [];
    mine.premier.on('cacheFailed', ({ error }) => failed.push(error));
    const change = mine.premier.cacheEvict({ keys: ['k'] })(async () => 'changed');
    await whileDown(mine, async () => assert.equal(await change(), 'changed'));
    assert.ok(failed[0] instanceof StoreUnavailableError);
    // Whom else to tell is asked once Redis is back.
    await until('the key to be dropped elsewhere', async () => (await elsewhere()) === 2);
  });

  test('20,000 keys end up as a clear', async () => {
    const { mine, keyspace } = await setUp();
    await mine.premier.cache.set('19999', 'old');
    const monitor = await server.monitor();
    await whileDown(mine, () => Promise.all(Array.from({ length: 20_000 }, (_, i) => outcome(mine.premier.cache.delete(String(i))))));
    assert.equal(await mine.premier.cache.get('19999'), undefined);
    await server.command('PING');
    const asked = monitor.lines().filter((line) => line.includes(keyspace) && !/ lua\] /.test(line)).length;
    monitor.stop();
    assert.ok(asked < 1000, `${asked} commands`);
  });
});

test('what Redis forbids for good does not keep it down for good', async () => {
  const { mine } = await setUp();
  await server.command('ACL', 'SETUSER', 'default', '-scan');
  try {
    await assert.rejects(mine.premier.clearCache());
    await whileDown(mine, async () => undefined);
    assert.equal(mine.changes.ups, 1);
  } finally {
    await server.command('ACL', 'SETUSER', 'default', '+scan');
  }
});

test('after Redis was wiped, cacheEvict still reaches names that only others keep', async () => {
  const { mine, other } = await setUp();
  let loads = 0;
  const elsewhere = other.premier.cacheResult({ name: 'theirs', cacheKey: 'k' })(async () => ++loads);
  await elsewhere();
  await server.command('FLUSHALL');
  assert.equal(await elsewhere(), 2);
  await mine.premier.cacheEvict({ keys: ['k'] })(async () => 'changed')();
  assert.equal(await elsewhere(), 3);
});
