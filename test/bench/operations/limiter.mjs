import assert from 'node:assert/strict';
import Bottleneck from 'bottleneck';
import { RateLimiter } from 'limiter';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { decisions } from '../decisions.mjs';
import { decorated, Premier } from '../premier.mjs';

const room = 2_000_000;
const plenty = { quota: 1_000_000_000, durationMs: 60_000 };

/** Hand-written decisions on lru-cache. Each returns how many milliseconds to stay away: 0 admits. */
const hand = {
  fixedWindow({ quota, durationMs }) {
    const states = new LRUCache({ max: 200_000 });
    return (key) => {
      const now = Date.now();
      const state = states.get(key);
      if (state === undefined || now >= state.end) {
        states.set(key, { end: now + durationMs, count: 1 });
        return 0;
      }
      if (state.count >= quota) return state.end - now;
      state.count++;
      return 0;
    };
  },
  /** Two counters: the last window weighs by how much of it still overlaps. */
  slidingWindow({ quota, durationMs }) {
    const states = new LRUCache({ max: 200_000 });
    return (key) => {
      const now = Date.now();
      const window = Math.floor(now / durationMs);
      let state = states.get(key);
      if (state === undefined) states.set(key, (state = { window, count: 0, before: 0 }));
      else if (state.window !== window) {
        state.before = state.window === window - 1 ? state.count : 0;
        state.count = 0;
        state.window = window;
      }
      const passed = now - window * durationMs;
      if (state.count + state.before * (1 - passed / durationMs) >= quota) return durationMs - passed;
      state.count++;
      return 0;
    };
  },
  /** The generic cell rate algorithm: one number, the theoretical arrival time. */
  tokenBucket({ quota, durationMs }) {
    const states = new LRUCache({ max: 200_000 });
    const each = durationMs / quota;
    return (key) => {
      const now = Date.now();
      const state = states.get(key);
      if (state === undefined) {
        states.set(key, { arrival: now + each });
        return 0;
      }
      const arrival = (state.arrival > now ? state.arrival : now) + each;
      if (arrival - now > durationMs) return arrival - now - durationMs;
      state.arrival = arrival;
      return 0;
    };
  },
};
hand.leakyBucket = hand.tokenBucket;

/** An exact log of instants in a ring, for small quotas. */
const handLog = ({ quota, durationMs }) => {
  const states = new LRUCache({ max: 200_000 });
  return (key) => {
    const now = Date.now();
    let state = states.get(key);
    if (state === undefined) states.set(key, (state = { ring: new Float64Array(quota), at: 0 }));
    const { ring, at } = state;
    const oldest = ring[at];
    if (oldest + durationMs > now) return oldest + durationMs - now;
    ring[at] = now;
    state.at = at + 1 === quota ? 0 : at + 1;
    return 0;
  };
};

const peers = {
  limiter: {
    sync: true,
    refuses: (admitted) => !admitted,
    wrap(_work, { quota, durationMs } = plenty) {
      const limiters = new Map();
      return (key) => {
        let one = limiters.get(key);
        if (one === undefined) limiters.set(key, (one = new RateLimiter({ tokensPerInterval: quota, interval: durationMs })));
        return one.tryRemoveTokens(1);
      };
    },
  },
  'rate-limiter-flexible': {
    refuses: () => false,
    wrap(_work, { quota, durationMs } = plenty) {
      const limiter = new RateLimiterMemory({ points: quota, duration: durationMs / 1000 });
      return (key) => limiter.consume(key);
    },
  },
};
const bottleneck = {
  late: true,
  refuses: () => false,
  wrap(_work, { quota, durationMs } = plenty) {
    const limiter = new Bottleneck({
      reservoir: quota,
      reservoirRefreshAmount: quota,
      reservoirRefreshInterval: Math.ceil(durationMs / 250) * 250,
      highWater: 0,
      strategy: Bottleneck.strategy.OVERFLOW,
    });
    return (key) => limiter.schedule(async () => key);
  },
};

async function check({ wrap, refuses }) {
  const call = await wrap(async (x) => x, { quota: 3, durationMs: 60_000 });
  const admitted = async () => {
    try {
      return !refuses(await call('a'));
    } catch {
      return false;
    }
  };
  for (let i = 0; i < 3; i++) assert.ok(await admitted(), 'what is within the quota is admitted');
  assert.ok(!(await admitted()), 'what is over it is refused');
}

const premierWrap = (name) => (_work, options) => decisions(name, { ...plenty, ...options }, room);
const common = { work: async (x) => x, check };
const shuffled = (count) => {
  const keys = Array.from({ length: count }, (_, i) => `user:${i}`);
  let seed = 1;
  for (let i = count - 1; i > 0; i--) {
    seed = (seed * 48_271) % 2_147_483_647;
    const j = seed % (i + 1);
    [keys[i], keys[j]] = [keys[j], keys[i]];
  }
  return keys;
};

const handRefuses = (wait) => wait > 0;
const premierRefuses = (verdict) => !verdict.allowed;

const decision = (name, label, keys) => ({
  ...common,
  name: `limiter-${label}`,
  title: `decision of ${name}, ${keys === 1 ? 'one key' : `${keys / 1000}k keys`}`,
  goals: [
    { of: 'Premier', to: 'hand-written', atMost: 1.3 },
    { of: 'Premier', to: 'rate-limiter-flexible', atMost: 1 / 3 },
  ],
  sliceMs: keys === 1 ? 25 : 40,
  get args() {
    return keys === 1 ? ['user:1'] : shuffled(keys);
  },
  candidates: {
    'hand-written': { sync: true, refuses: handRefuses, wrap: (_work, options = plenty) => hand[name](options) },
    Premier: { sync: true, refuses: premierRefuses, wrap: premierWrap(name) },
    limiter: { ...peers.limiter, late: keys > 1 },
    'rate-limiter-flexible': { ...peers['rate-limiter-flexible'], late: keys > 1 },
    ...(keys === 1 && name === 'fixedWindow' ? { bottleneck } : {}),
  },
});

const method = (name, label) => ({
  ...common,
  name: `limiter-${label}-method`,
  title: `method under ${name}, one key`,
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.5 }],
  args: ['user:1'],
  candidates: {
    'hand-written': {
      refuses: () => false,
      wrap(_work, options = plenty) {
        const waitOf = hand[name](options);
        return async function limited(key) {
          if (waitOf(key) > 0) throw new Error('over the quota');
          return key;
        };
      },
    },
    Premier: {
      refuses: () => false,
      wrap: (work, { quota, durationMs } = plenty) =>
        decorated(new Premier()[name]({ quota, duration: durationMs / 1000, keymaker: (key) => key }), work),
    },
  },
});

/** A quota that is kept exactly; 100k keys in turn never use it up. */
const small = { quota: 128, durationMs: 1000 };
const exact = {
  ...decision('slidingWindow', 'sliding-exact-100k', 100_000),
  title: 'decision of slidingWindow, quota 128, 100k keys; the hand-written one is a ring of instants',
  candidates: {
    'hand-written': { sync: true, refuses: handRefuses, wrap: (_work, options = small) => handLog(options) },
    Premier: { sync: true, refuses: premierRefuses, wrap: (_work, options = small) => decisions('slidingWindow', options, room) },
    'rate-limiter-flexible': {
      ...peers['rate-limiter-flexible'],
      late: true,
      wrap: (work, options = small) => peers['rate-limiter-flexible'].wrap(work, options),
    },
  },
};

const algorithms = { fixed: 'fixedWindow', sliding: 'slidingWindow', token: 'tokenBucket', leaky: 'leakyBucket' };
export const limiters = [
  ...Object.entries(algorithms).map(([label, name]) => decision(name, `${label}-1`, 1)),
  ...Object.entries(algorithms).map(([label, name]) => decision(name, `${label}-100k`, 100_000)),
  exact,
  ...Object.entries(algorithms)
    .filter(([label]) => label !== 'leaky')
    .map(([label, name]) => method(name, label)),
];
