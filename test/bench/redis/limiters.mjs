import assert from 'node:assert/strict';
import { RedisStore } from 'rate-limit-redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { decorated } from '../premier.mjs';
import { perTick, premierOn } from './clients.mjs';

/** A limit that no candidate uses up here, and that fills up slowly, as most do. */
const plenty = { quota: 100_000, durationMs: 86_400_000 };

const scripts = {
  one: 'return 1',
  fixed: `local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count`,
  tick: `local counts = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  if count == 1 then redis.call('PEXPIRE', key, ARGV[1]) end
  counts[i] = count
end
return counts`,
};

/** Keys that nobody asked before. */
let named = 0;
const prefixed = () => `limit${named++}:`;

const raw = async (client) => {
  const sha = await client.script('LOAD', scripts.one);
  return (key) => client.evalsha(sha, 1, key);
};

const hand = async (client, { quota, durationMs } = plenty) => {
  const sha = await client.script('LOAD', scripts.fixed);
  const prefix = prefixed();
  return async (key) => {
    if ((await client.evalsha(sha, 1, prefix + key, durationMs)) > quota) throw new Error('over the quota');
    return key;
  };
};

const handPerTick = async (client, { quota, durationMs } = plenty) => {
  const sha = await client.script('LOAD', scripts.tick);
  const prefix = prefixed();
  const count = perTick((keys) => client.evalsha(sha, keys.length, ...keys, durationMs));
  return async (key) => {
    if ((await count(prefix + key)) > quota) throw new Error('over the quota');
    return key;
  };
};

const work = async (key) => key;
const keymaker = (key) => key;

/** A method under one of Premier's policies. */
const method =
  (policy, usual = plenty) =>
  async (client, { quota, durationMs } = usual) =>
    decorated(premierOn(client)[policy]({ quota, duration: durationMs / 1000, keymaker }), work);

/** Premier's limiter, asked by hand. */
const consume =
  (algorithm) =>
  async (client, { quota, durationMs } = plenty) => {
    const limiter = premierOn(client).limiter({ algorithm, quota, duration: durationMs / 1000, name: 'api' });
    return (key) => limiter.consume(key);
  };

const throttle = async (client, { quota, durationMs } = plenty) => {
  const limits = [
    { quota, duration: durationMs / 1000 },
    { quota: quota * 2, duration: (durationMs * 10) / 1000 },
  ];
  return decorated(premierOn(client).throttle({ limits, keymaker }), work);
};

/** Every key has used up its quota: what is measured is a refusal that this process knows of. */
const refusal = async (client, { quota, durationMs } = { quota: 1, durationMs: 3_600_000 }) => {
  const limited = await method('fixedWindow')(client, { quota, durationMs });
  return (key) => limited(key).catch((error) => ({ allowed: false, error }));
};

const flexible = async (client, { quota, durationMs } = plenty) => {
  const limiter = new RateLimiterRedis({ storeClient: client, points: quota, duration: durationMs / 1000, keyPrefix: prefixed() });
  return (key) => limiter.consume(key);
};

const express = (send) =>
  async function rateLimitRedis(client, { quota, durationMs } = plenty) {
    const store = new RedisStore({ sendCommand: (...args) => send(client, args), prefix: prefixed() });
    await store.init({ windowMs: durationMs });
    return async (key) => {
      const { totalHits } = await store.increment(key);
      if (totalHits > quota) throw new Error('over the quota');
      return key;
    };
  };

const on = (client) => (open) => ({ client, open });
const ioredis5 = on('ioredis 5');

/** What is measured, the line that the others are compared with first. Five calls of a key within the quota are admitted, and no more. */
export const limiters = {
  'EVALSHA return 1': { ...ioredis5(raw), unchecked: true },
  'hand-written, a script a call': ioredis5(hand),
  'hand-written, a script a tick': ioredis5(handPerTick),
  'Premier fixedWindow': ioredis5(method('fixedWindow')),
  'Premier slidingWindow, quota 100': ioredis5(method('slidingWindow', { quota: 100, durationMs: 200 })),
  'Premier slidingWindow, quota 1M': ioredis5(method('slidingWindow', { quota: 1_000_000, durationMs: 60_000 })),
  'Premier tokenBucket': ioredis5(method('tokenBucket')),
  'Premier consume, fixed_window': ioredis5(consume('fixed_window')),
  'Premier consume, leaky_bucket': ioredis5(consume('leaky_bucket')),
  'Premier throttle, two limits': ioredis5(throttle),
  'Premier refusal, known here': ioredis5(refusal),
  'Premier fixedWindow, ioredis 6': on('ioredis 6')(method('fixedWindow')),
  'Premier fixedWindow, node-redis': on('node-redis')(method('fixedWindow')),
  'rate-limiter-flexible': ioredis5(flexible),
  'rate-limit-redis': ioredis5(express((client, [command, ...args]) => client.call(command, args))),
  'rate-limit-redis, node-redis': on('node-redis')(express((client, args) => client.sendCommand(args))),
};

/** A candidate admits exactly its quota, of calls at once and of calls in turn. */
export async function checkLimiter({ open, unchecked }, client) {
  if (unchecked) return;
  const call = await open(client, { quota: 5, durationMs: 600_000 });
  const admitted = (key) =>
    call(key).then(
      (result) => result?.allowed !== false,
      () => false,
    );
  const atOnce = await Promise.all(Array.from({ length: 20 }, () => admitted('at once')));
  assert.equal(atOnce.filter(Boolean).length, 5, '20 calls at once: 5 are admitted');
  const inTurn = [];
  for (let i = 0; i < 20; i++) inTurn.push(await admitted('in turn'));
  assert.deepEqual(inTurn, [...Array(5).fill(true), ...Array(15).fill(false)], '20 calls in turn: the first 5 are admitted');
}
