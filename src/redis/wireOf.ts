import { OptionsError } from '../core/errors.js';
import { ioredisWire } from './ioredis.js';
import { nodeRedisWire } from './nodeRedis.js';
import type { RedisClient, Wire } from './wire.js';

/** Wraps a client. Throws `OptionsError` for what is none. */
export function wireOf(client: RedisClient): Wire {
  const wire = ioredisWire(client) ?? nodeRedisWire(client);
  if (wire) return wire;
  throw new OptionsError(
    'redis: option "client" must be a client of ioredis or node-redis (got an object with neither "call" nor "sendCommand")',
  );
}
