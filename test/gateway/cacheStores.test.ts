import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import type { Provider } from '../../src/core/provider.js';
import { invalidateHttp } from '../../src/gateway/features/cachePurge.js';
import { redis } from '../../src/redis/index.js';
import { type RedisServer, startRedis, until } from '../support/redisServer.js';
import { reply, settled, Stage } from './cacheStage.js';

let server: RedisServer;
let client: Redis;
before(async () => {
  server = await startRedis();
  client = new Redis(server.url);
});
after(async () => {
  client.disconnect();
  await server.stop();
});

const shared = (): Provider => redis({ client });

/** Waits until so many keys lie in Redis. */
function stored(keys: number): Promise<void> {
  return until(`${keys} keys`, async () => (await client.dbsize()) === keys);
}

test('two gateways on one Redis share answers byte by byte, their variants and what is dropped', async () => {
  await client.flushall();
  const [one, two] = [new Stage(shared), new Stage(shared)];
  const bytes = Buffer.from([0, 255, 10, 13, 128]);
  one.upstream = () => Promise.resolve(reply(bytes, ['Vary', 'X-A', 'ETag', '"é"', 'X-Two', '1', 'X-Two', '2']));
  two.upstream = () => Promise.resolve(reply('two', ['Vary', 'X-A']));
  const [first, second] = [one.path({ expire_s: 60 }), two.path({ expire_s: 60 })];
  assert.equal((await first.get('/a', { headers: ['X-A', '1'] })).cache, 'MISS');
  await stored(2);
  const { answer } = second.open('/a', { headers: ['X-A', '1'] });
  const hit = await answer;
  assert.ok(Buffer.from(hit.body as Uint8Array).equals(bytes));
  assert.deepEqual(hit.headers.slice(0, 8), ['Vary', 'X-A', 'ETag', '"é"', 'X-Two', '1', 'X-Two', '2']);
  assert.equal((await second.get('/a', { headers: ['X-A', '2'] })).body, 'two');
  for (const key of await client.keys('*')) assert.ok((await client.pttl(key)) > 0, key);
  await second.get('/a', { method: 'DELETE' });
  assert.equal((await first.get('/a', { headers: ['X-A', '1'] })).cache, 'MISS');
  await stored(4);
  await invalidateHttp(two.runtime, { path: '/a' });
  assert.equal((await first.get('/a', { headers: ['X-A', '1'] })).cache, 'MISS');
});

test('an answer that another gateway asked for before a change does not come back after it', async () => {
  await client.flushall();
  const [one, two] = [new Stage(shared), new Stage(shared)];
  let give: (answer: ReturnType<typeof reply>) => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    one.upstream = () => {
      resolve();
      return new Promise((done) => (give = done));
    };
  });
  const slow = one.path().get('/a');
  await asked;
  await two.path().get('/a', { method: 'PUT' });
  give(reply('old'));
  assert.equal((await slow).body, 'old');
  two.upstream = () => Promise.resolve(reply('new'));
  assert.equal((await two.path().get('/a')).body, 'new');
});

test('a store that is down is no error: every request goes up, and a change is not held up', async () => {
  const down = (): never => {
    throw new Error('unreachable');
  };
  const failing = (): Promise<never> => Promise.reject(new Error('down'));
  const store = { get: failing, set: failing, delete: failing, has: failing, step: failing, stepAll: failing };
  const broken: Provider = { ...store, clear: failing, close: down };
  const sharedDown: Provider = { ...broken, shared: { read: failing, begin: failing, put: failing, leave: failing } };
  for (const provider of [broken, sharedDown]) {
    const stage = new Stage(() => provider);
    const way = stage.path({ expire_s: 60 });
    for (let i = 0; i < 2; i++) assert.deepEqual([(await way.get('/a')).body, (await way.get('/a')).cache], ['hello', 'MISS']);
    assert.equal((await way.get('/a', { method: 'POST' })).status, 200);
    await settled();
  }
});
