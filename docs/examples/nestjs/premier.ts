import { memory, Premier } from 'premier';
import { redis } from 'premier/redis';

// With Redis, several processes share their limits, circuits and kept books.
const redisUrl = process.env['REDIS_URL'];

/** For decorators, which are made before any module is. The module gets the same one. */
export const premier = new Premier({ keyspace: 'shop', provider: redisUrl ? redis({ url: redisUrl }) : memory() });
