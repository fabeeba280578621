import { caches, checkCache, user } from './caches.mjs';
import { checkLimiter, limiters } from './limiters.mjs';

const methods = Object.keys(limiters).filter((name) => /^Premier (slidingWindow|tokenBucket|consume)/.test(name));
const light = (of) => [
  { of, what: 'client', atMost: 0.3 },
  { of, what: 'server', atMost: 0.5 },
];

/** What is measured on Redis. A goal is a ratio to the first candidate, or to the one in `to`. */
export const redisOperations = [
  {
    name: 'redis-limiter',
    title: 'a limited call, admitted; x EVALSHA return 1 on ioredis 5',
    candidates: limiters,
    check: checkLimiter,
    goals: [
      { of: 'Premier fixedWindow', what: 'alone', atMost: 1.3 },
      { of: 'Premier fixedWindow', what: 'ops256', atLeast: 3 },
      ...light('Premier fixedWindow'),
      ...methods.flatMap((of) => [{ of, what: 'alone', atMost: 1.6 }, { of, what: 'ops256', atLeast: 2 }, ...light(of)]),
      { of: 'Premier fixedWindow', what: 'ops256', atLeast: 4, to: 'rate-limiter-flexible' },
      { of: 'Premier fixedWindow, node-redis', what: 'ops256', atLeast: 1.25, to: 'rate-limit-redis, node-redis' },
    ],
  },
  {
    name: 'redis-cache',
    title: 'a cache hit, 150 bytes of JSON; x GET on ioredis 5',
    candidates: caches,
    load: async (key) => user(key),
    check: checkCache,
    goals: [
      { of: 'Premier cacheResult', what: 'alone', atMost: 1.3 },
      { of: 'Premier cacheResult', what: 'ops256', atLeast: 3 },
      { of: 'Premier cacheResult, two tags', what: 'alone', atMost: 1.6 },
      { of: 'Premier cacheResult', what: 'ops256', atLeast: 5, to: 'bentocache' },
    ],
  },
];
