import assert from 'node:assert/strict';
import { circuitBreaker as cockatiel, CountBreaker, handleAll } from 'cockatiel';
import CircuitBreaker from 'opossum';
import { HandBreaker } from '../hand.mjs';
import { decorated, Premier } from '../premier.mjs';

const size = 100;
const rate = 0.5;
const minCalls = 10;
const recoveryS = 600;

const candidates = {
  'hand-written': {
    wrap: (work) => {
      const breaker = new HandBreaker({ size, rate, minCalls, recoveryMs: recoveryS * 1000 });
      return async function guarded(x) {
        breaker.admit();
        try {
          const value = await work(x);
          breaker.record(0);
          return value;
        } catch (error) {
          breaker.record(1);
          throw error;
        }
      };
    },
  },
  Premier: {
    wrap: (work) =>
      decorated(new Premier().circuitBreaker({ window: { calls: size, minCalls, failureRate: rate }, recoveryTimeout: recoveryS }), work),
  },
  cockatiel: {
    wrap: (work) => {
      const breaker = new CountBreaker({ threshold: rate * 0.999, size, minimumNumberOfCalls: minCalls });
      const policy = cockatiel(handleAll, { halfOpenAfter: recoveryS * 1000, breaker });
      return (x) => policy.execute(() => work(x));
    },
  },
  opossum: {
    wrap: (work) => {
      const breaker = new CircuitBreaker(work, {
        timeout: false,
        errorThresholdPercentage: 49,
        volumeThreshold: minCalls,
        resetTimeout: recoveryS * 1000,
      });
      return (x) => breaker.fire(x);
    },
  },
};

async function trip(call) {
  for (let i = 0; i < 2 * minCalls; i++) await Promise.resolve(call('a')).catch(() => undefined);
}

async function check({ wrap }) {
  let runs = 0;
  let failing = false;
  const call = await wrap(async (x) => {
    runs++;
    if (failing) throw new Error('down');
    return x;
  });
  assert.equal(await call('a'), 'a');
  failing = true;
  await trip(call);
  runs = 0;
  failing = false;
  await assert.rejects(Promise.resolve(call('a')), 'an open circuit refuses');
  assert.equal(runs, 0, 'an open circuit does not call');
}

export const breakerClosed = {
  name: 'breaker-closed',
  title: 'circuit breaker over the last 100 calls, closed',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.1 }],
  work: async (x) => x,
  args: ['a'],
  candidates,
  check,
};

/** The same breakers, open: what a call costs that is refused and caught. */
function opened({ wrap }) {
  return {
    async wrap() {
      const call = await wrap(async () => {
        throw new Error('down');
      });
      await trip(call);
      return async (x) => {
        try {
          return await call(x);
        } catch (error) {
          return error;
        }
      };
    },
  };
}

export const breakerOpen = {
  name: 'breaker-open',
  title: 'circuit breaker, open; the hand-written one makes a new Error for each call',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 0.5 }],
  work: async (x) => x,
  args: ['a'],
  candidates: Object.fromEntries(Object.entries(candidates).map(([name, made]) => [name, opened(made)])),
  async check({ wrap }) {
    const call = await wrap();
    const error = await call('a');
    assert.ok(error instanceof Error && error.message !== 'down');
  },
};
