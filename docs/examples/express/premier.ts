import { memory, Premier } from 'premier';
import { redis } from 'premier/redis';

// With Redis, several processes share their limits, circuits and kept answers.
const redisUrl = process.env['REDIS_URL'];
const provider = redisUrl ? redis({ url: redisUrl }) : memory();

/** For the decorators of services. */
export const premier = new Premier({ keyspace: 'weather', provider });

/** For the policies of routes. Only these proxies are asked who the client is. */
export const shared = { keyspace: 'weather', provider, trustedProxies: ['10.0.0.0/8'] };
