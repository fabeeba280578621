import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { type NamedLimiterOptions, Premier } from 'premier';
import { redis } from 'premier/redis';

/** What a child process is told to do. */
export interface Orders {
  readonly url: string;
  readonly keyspace: string;
  readonly ioredis: 5 | 6;
  readonly limits: readonly NamedLimiterOptions[];
  readonly calls: number;
  /** Goes on for so many milliseconds, `calls` at a time. */
  readonly forMs: number;
}

const { url, keyspace, ioredis, limits, calls, forMs } = JSON.parse(process.argv[2] ?? '') as Orders;
const client = ioredis === 6 ? new Redis(url) : new Redis5(url);
await client.ping();
// A busy machine is no outage.
const premier = new Premier({ provider: redis({ client, deadline: 10 }), keyspace });
const limited = premier.throttle({ limits, name: 'shared' })(async () => 'done');
process.send?.('ready');
await new Promise((resolve) => process.once('message', resolve));
let admitted = 0;
const end = performance.now() + forMs;
do {
  const results = await Promise.allSettled(Array.from({ length: calls }, () => limited()));
  admitted += results.filter(({ status }) => status === 'fulfilled').length;
  if (forMs > 0) await sleep(2);
} while (performance.now() < end);
process.send?.(admitted);
client.disconnect();
process.disconnect();
