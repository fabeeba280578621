import { Redis } from 'ioredis';
import { Premier } from 'premier';
import { redis } from 'premier/redis';

/** A process that loads a value under a lock, and says when. It never brings the value. */
const [, , url = '', keyspace = ''] = process.argv;
const premier = new Premier({ keyspace, provider: redis({ client: new Redis(url), deadline: 5 }) });
const load = premier.cacheResult({ name: 'load', cacheKey: (id: string) => id, lock: true })(function load(_id: string): Promise<string> {
  process.send?.('loading');
  return new Promise(() => undefined);
});
load('x').catch((error: unknown) => process.send?.(String(error)));
