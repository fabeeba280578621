import { memory, Premier } from 'premier';
import { redis } from 'premier/redis';

// With Redis, several processes share their limits, circuits and kept rates.
const redisUrl = process.env['REDIS_URL'];

/** Where state lives: of the decorators, of the gateway and of the policies of routes. */
export const provider = redisUrl ? redis({ url: redisUrl }) : memory();

/** For the decorators of services. */
export const premier = new Premier({ keyspace: 'money', provider });
