// Bytes per key at 10k, 100k and 1M keys, each store in a process of its own (`node --expose-gc memory.mjs fixedWindow`).
import { pathToFileURL } from 'node:url';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { decisions } from './decisions.mjs';
import { memory, Premier } from './premier.mjs';

const sizes = [10_000, 100_000, 1_000_000];
const room = 2_000_000;
const limit = { quota: 100, durationMs: 3_600_000 };

const premier = (policy, visits = 1) => ({
  title: `Premier ${policy}, ${visits === 1 ? 'one call' : `${visits} calls`} a key`,
  atMost: visits === 1 && policy !== 'slidingWindow' ? 175 : undefined,
  async open() {
    const step = await decisions(policy, limit, room);
    return (key) => {
      for (let i = 0; i < visits; i++) step(key);
    };
  },
});

/** What is measured, by the name that a child process gets. */
export const stores = {
  fixedWindow: premier('fixedWindow'),
  slidingWindow: { ...premier('slidingWindow'), atMost: 175 },
  tokenBucket: premier('tokenBucket'),
  leakyBucket: premier('leakyBucket'),
  'fixedWindow-2': premier('fixedWindow', 2),
  'slidingWindow-2': premier('slidingWindow', 2),
  'hand-limiter': {
    title: 'hand-written fixed window on lru-cache',
    open() {
      const states = new LRUCache({ max: sizes.at(-1) });
      return (key) => states.set(key, { end: Date.now() + limit.durationMs, count: 1 });
    },
  },
  'rate-limiter-flexible': {
    title: 'rate-limiter-flexible',
    open() {
      const limiter = new RateLimiterMemory({ points: limit.quota, duration: limit.durationMs / 1000 });
      return (key) => limiter.consume(key);
    },
  },
  cacheResult: {
    title: 'Premier cacheResult, a number a key',
    open: () =>
      new Premier({ provider: memory({ maxEntries: room }) }).cacheResult({ expireS: 3600 })(async function find() {
        return 1;
      }),
  },
  'hand-cache': {
    title: 'hand-written cache on lru-cache, a number a key',
    open() {
      const kept = new LRUCache({ max: sizes.at(-1) });
      return (key) => kept.set(key, { value: 1, expiresAt: Date.now() + limit.durationMs });
    },
  },
};

function used() {
  for (let i = 0; i < 3; i++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function bytesPerKey({ open }) {
  const warm = await open();
  for (let i = 0; i < 1000; i++) await warm(`warm:${i}`);
  const before = used();
  const visit = await open();
  const bytes = [];
  let done = 0;
  for (const size of sizes) {
    for (; done < size; done++) await visit(`user:${done}`);
    bytes.push((used() - before) / size);
  }
  // Still in use: nothing of it may have been collected.
  await visit('user:0');
  return bytes;
}

/** A memory with room for 1000 keys, asked for 200k. */
async function bounded() {
  const step = await decisions('fixedWindow', limit, 1000);
  const before = used();
  for (let i = 0; i < 200_000; i++) step(`user:${i}`);
  const bytes = used() - before;
  step('user:0');
  if (bytes > 2_000_000) throw new Error(`a memory with room for 1000 keys holds ${bytes} bytes after 200k`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name] = process.argv.slice(2);
  let report;
  try {
    if (name === 'fixedWindow') await bounded();
    report = { bytes: await bytesPerKey(stores[name]) };
  } catch (error) {
    report = { error: error.stack };
  }
  process.send(report, () => process.exit(0));
}
