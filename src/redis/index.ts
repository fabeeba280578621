/** Premier on Redis: one state for many processes. */
export { type Codec, typedCodec } from './codec.js';
export { redis, type RedisOptions, type RedisProvider } from './redis.js';
export type { RedisClient } from './wire.js';
export { tiered, type TieredOptions } from '../providers/tiered.js';
