import assert from 'node:assert/strict';
import { BentoCache, bentostore } from 'bentocache';
import { redisDriver } from 'bentocache/drivers/redis';
import { tiered } from '../../../dist/redis.mjs';
import { decorated, memory } from '../premier.mjs';
import { perTick, premierOn } from './clients.mjs';

const expireMs = 3_600_000;

/** A row as an application caches it: about 150 bytes of JSON. */
export const user = (key) => ({
  id: key,
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  country: 'GB',
  roles: ['admin', 'author'],
  visits: 1234,
  active: true,
  createdAt: '2024-05-01T10:00:00.000Z',
});

let named = 0;
const prefixed = () => `cache${named++}:`;

const handOver = (get) => (client, load) => {
  const read = get(client);
  const prefix = prefixed();
  return async (key) => {
    const text = await read(prefix + key);
    if (text !== null) return JSON.parse(text);
    const value = await load(key);
    await client.set(prefix + key, JSON.stringify(value), 'PX', expireMs);
    return value;
  };
};

const raw = async (client) => {
  const prefix = prefixed();
  return async (key) => (await client.get(prefix + key)) ?? client.set(prefix + key, JSON.stringify(user(key)), 'PX', expireMs);
};

const premier =
  (options = {}, around) =>
  (client, load) =>
    decorated(premierOn(client, around).cacheResult({ expireS: expireMs / 1000, ...options }), load);

const bentocache = (client, load) => {
  const prefix = prefixed();
  const bento = new BentoCache({ default: 'redis', stores: { redis: bentostore().useL2Layer(redisDriver({ connection: client })) } });
  return (key) => bento.getOrSet({ key: prefix + key, ttl: expireMs, factory: () => load(key) });
};

const on = (client) => (open) => ({ client, open });
const ioredis5 = on('ioredis 5');

/** What is measured, the line that the others are compared with first. All of them read what was stored before. */
export const caches = {
  GET: { ...ioredis5(raw), unchecked: true },
  'hand-written, GET and JSON.parse': ioredis5(handOver((client) => (key) => client.get(key))),
  'hand-written, one MGET a tick': ioredis5(handOver((client) => perTick((keys) => client.mget(keys)))),
  'Premier cacheResult': ioredis5(premier()),
  'Premier cacheResult, two tags': ioredis5(premier({ tags: (value, key) => ['users', `of:${key.at(-1)}`] })),
  'Premier cacheResult, tiered': ioredis5(premier({}, (remote) => tiered({ local: memory(), remote }))),
  'Premier cacheResult, ioredis 6': on('ioredis 6')(premier()),
  'Premier cacheResult, node-redis': on('node-redis')(premier()),
  bentocache: ioredis5(bentocache),
};

/** A candidate loads a key once, and brings back what was loaded. */
export async function checkCache({ open, unchecked }, client) {
  if (unchecked) return;
  let loads = 0;
  const call = await open(client, async (key) => {
    loads++;
    return user(key);
  });
  assert.deepEqual(await call('a'), user('a'));
  assert.deepEqual(await call('a'), user('a'), 'a hit brings back what was loaded');
  assert.equal(loads, 1, 'a hit loads nothing');
  assert.deepEqual(await call('b'), user('b'), 'another key is another value');
  assert.equal(loads, 2);
  assert.deepEqual(await Promise.all(['b', 'a', 'b'].map((key) => call(key))), ['b', 'a', 'b'].map(user), 'calls at once are not mixed up');
}
