import Redis from 'ioredis';
import { caches, user } from './caches.mjs';
import { limiters } from './limiters.mjs';
import { premierOn } from './clients.mjs';

const keys = Array.from({ length: 100_000 }, (_, i) => `user:${i}`);
const limit = { quota: 100, durationMs: 3_600_000 };

const consumed =
  (algorithm, { quota, durationMs } = limit) =>
  (client) => {
    const limiter = premierOn(client).limiter({ algorithm, quota, duration: durationMs / 1000, name: 'api' });
    return (key) => limiter.consume(key);
  };
const peer = (name) => (client) => limiters[name].open(client, limit);
const cached = (name, load) => (client) => caches[name].open(client, load);

/** What lies in Redis after `calls` calls of each key. */
const stores = [
  { title: 'Premier fixed_window', open: consumed('fixed_window') },
  { title: 'Premier sliding_window, quota 100', open: consumed('sliding_window') },
  { title: 'Premier sliding_window, quota 100, 10 calls a key', open: consumed('sliding_window'), calls: 10 },
  { title: 'Premier sliding_window, quota 1M', open: consumed('sliding_window', { quota: 1_000_000, durationMs: 3_600_000 }) },
  { title: 'Premier token_bucket', open: consumed('token_bucket') },
  { title: 'Premier leaky_bucket', open: consumed('leaky_bucket') },
  { title: 'hand-written fixed window: INCR and PEXPIRE', open: peer('hand-written, a script a call') },
  { title: 'rate-limiter-flexible', open: peer('rate-limiter-flexible') },
  { title: 'rate-limit-redis', open: peer('rate-limit-redis') },
  { title: 'Premier cacheResult, a number', open: cached('Premier cacheResult', async () => 1) },
  { title: 'Premier cacheResult, 150 bytes of JSON', open: cached('Premier cacheResult', async (key) => user(key)) },
  { title: 'Premier cacheResult, 150 bytes of JSON, two tags', open: cached('Premier cacheResult, two tags', async (key) => user(key)) },
  { title: 'hand-written SET of 150 bytes of JSON', open: cached('hand-written, GET and JSON.parse', async (key) => user(key)) },
  { title: 'bentocache, 150 bytes of JSON', open: cached('bentocache', async (key) => user(key)) },
];

/** Bytes of Redis for a key, its name included, each store in an empty database. */
export async function bytesPerKey({ port, control }) {
  const rows = [];
  for (const { title, open, calls = 1 } of stores) {
    await control.send('FLUSHALL');
    const client = new Redis({ port });
    const call = await open(client);
    const visit = (some) => Promise.all(some.map((key) => call(key)));
    await visit(['user:0']);
    const before = await control.usedMemory();
    for (let n = 0; n < calls; n++) for (let i = 0; i < keys.length; i += 256) await visit(keys.slice(i, i + 256));
    const used = (await control.usedMemory()) - before;
    const [, some] = await control.send('SCAN', '0', 'MATCH', '*user:99999');
    const name = some[0] ?? (await control.send('KEYS', '*user:99999'))[0];
    const usage = await control.send('MEMORY', 'USAGE', name);
    const text = await control.send('STRLEN', name);
    rows.push({ title, used: used / keys.length, usage, name: name.length, text });
    client.disconnect();
  }
  return rows;
}
