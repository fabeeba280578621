import assert from 'node:assert/strict';
import { createCache as dedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache as cacheManager } from 'cache-manager';
import { Cacheable } from 'cacheable';
import { LRUCache } from 'lru-cache';
import pMemoize from 'p-memoize';
import { memoizeAsyncify } from 'utils-decorators';
import { decorated, memory, Premier } from '../premier.mjs';

const expireMs = 300_000;
const room = 10_000;

/** An async LRU lookup with an expiry, that runs a missing key's load once. */
const hand =
  (keyOf) =>
  (work, { max = room } = {}) => {
    const kept = new LRUCache({ max });
    const loads = new Map();
    const load = (key, x) => {
      const loading = work(x).then(
        (value) => {
          loads.delete(key);
          kept.set(key, { value, expiresAt: Date.now() + expireMs });
          return value;
        },
        (error) => {
          loads.delete(key);
          throw error;
        },
      );
      loads.set(key, loading);
      return loading;
    };
    return async function cached(x) {
      const key = keyOf(x);
      const entry = kept.get(key);
      if (entry !== undefined && Date.now() < entry.expiresAt) return entry.value;
      return loads.get(key) ?? load(key, x);
    };
  };

const premier = (work, { max = room } = {}) =>
  decorated(new Premier({ provider: memory({ maxEntries: max }) }).cacheResult({ expireS: expireMs / 1000 }), work);

const peers = (keyOf) => ({
  'p-memoize': { wrap: (work) => pMemoize(work, { cacheKey: ([x]) => keyOf(x) }) },
  'async-cache-dedupe': {
    wrap(work, { max = room } = {}) {
      const cache = dedupe({ ttl: expireMs / 1000, storage: { type: 'memory', options: { size: max } } });
      cache.define('find', (x) => work(x));
      return (x) => cache.find(x);
    },
  },
  'cache-manager': {
    late: true,
    wrap(work) {
      const cache = cacheManager({ ttl: expireMs });
      return (x) => cache.wrap(keyOf(x), () => work(x));
    },
  },
  'utils-decorators': { late: true, wrap: (work) => memoizeAsyncify(work, { expirationTimeMs: expireMs, keyResolver: keyOf }) },
  cacheable: {
    late: true,
    wrap(work) {
      const cache = new Cacheable();
      return (x) => cache.getOrSet(keyOf(x), () => work(x), { ttl: expireMs });
    },
  },
  bentocache: {
    late: true,
    wrap(work, { max = room } = {}) {
      const bento = new BentoCache({
        default: 'memory',
        stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: max })) },
      });
      return (x) => bento.getOrSet({ key: keyOf(x), ttl: expireMs, factory: () => work(x) });
    },
  },
});

/** Hits, content and a stampede. */
const checkWith =
  (argument, equal, other) =>
  async ({ wrap }) => {
    let runs = 0;
    const call = await wrap(async () => `run ${++runs}`);
    const together = await Promise.all(Array.from({ length: 100 }, () => call(argument)));
    assert.equal(runs, 1, '100 callers of a cold key run the function once');
    assert.equal(new Set(together).size, 1);
    assert.equal(await call(equal), 'run 1', 'an equal argument is a hit');
    assert.equal(runs, 1);
    assert.equal(await call(other), 'run 2', 'another argument is a miss');
  };

const ids = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
const filter = (i) => ({
  tenant: `tenant-${i % 7}`,
  page: i,
  size: 50,
  sort: 'createdAt',
  descending: true,
  status: 'active',
  country: 'NL',
  text: 'blue chairs',
});
const filters = Array.from({ length: 1000 }, (_, i) => filter(i));
const same = (x) => x;

export const cacheString = {
  name: 'cache-string',
  title: 'cache hit, one string argument',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.3 }],
  work: async (x) => x,
  args: ids,
  candidates: { 'hand-written': { wrap: hand(same) }, Premier: { wrap: premier }, ...peers(same) },
  check: checkWith('a', ['a'].join(''), 'b'),
};

export const cacheObject = {
  name: 'cache-object',
  title: 'cache hit, one object argument of 150 bytes; the hand-written key is JSON.stringify',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.6 }],
  work: async (x) => x,
  args: filters,
  candidates: { 'hand-written': { wrap: hand(JSON.stringify) }, Premier: { wrap: premier }, ...peers(JSON.stringify) },
  check: checkWith(filter(1), filter(1), filter(2)),
};

let fresh = 0;
const { 'async-cache-dedupe': dedupes, bentocache: bento } = peers(same);

export const cacheMiss = {
  name: 'cache-miss',
  title: 'cache miss that evicts another key; bounded caches only',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.5 }],
  work: async (x) => x,
  sliceMs: 60,
  options: { max: 1000 },
  args: [undefined],
  argument: () => `user-${fresh++}`,
  candidates: { 'hand-written': { wrap: hand(same) }, Premier: { wrap: premier }, 'async-cache-dedupe': dedupes, bentocache: bento },
  async check({ wrap }) {
    let runs = 0;
    const call = await wrap(
      async (x) => {
        runs++;
        return x;
      },
      { max: 100 },
    );
    for (let i = 0; i < 1000; i++) assert.equal(await call(`user-${i}`), `user-${i}`);
    assert.equal(runs, 1000);
    await call('user-999');
    assert.equal(runs, 1000, 'the newest key is kept');
    await call('user-0');
    assert.equal(runs, 1001, 'the oldest key has made room');
  },
};
