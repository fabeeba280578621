import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import * as cockatiel from 'cockatiel';
import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import { HandBreaker, HandDeadlines, withDeadline } from '../hand.mjs';
import { decorated, Premier } from '../premier.mjs';

const maxAttempts = 3;
const breakerRules = { size: 100, rate: 0.5, minCalls: 10, recoveryMs: 600_000 };
const spanMs = 600_000;

/** One function that does all three: a loop, a ring, and a list of deadlines with one timer. */
function fused(work, { ms = spanMs } = {}) {
  const breaker = new HandBreaker(breakerRules);
  const deadlines = new HandDeadlines(ms);
  return async function call(x) {
    for (let attempt = 1; ; attempt++) {
      breaker.admit();
      try {
        const value = await withDeadline(deadlines, work, x);
        breaker.record(0);
        return value;
      } catch (error) {
        breaker.record(1);
        if (attempt === maxAttempts) throw error;
        await sleep(1);
      }
    }
  };
}

/** The policies that are asked for around a method, in Premier. */
function stacked(choose) {
  return (work, { ms = spanMs } = {}) => {
    const premier = new Premier();
    const three = [
      premier.retry({ maxAttempts, wait: 0.001 }),
      premier.circuitBreaker({ window: { calls: 100, minCalls: 10, failureRate: 0.5 }, recoveryTimeout: 600 }),
      premier.timeout(ms / 1000),
    ];
    return decorated(premier.pipe(...choose(premier, three)), work);
  };
}

async function check({ wrap }) {
  let runs = 0;
  const flaky = await wrap(async (x) => {
    if (++runs < maxAttempts) throw new Error('not yet');
    return x;
  });
  assert.equal(await flaky('a'), 'a');
  assert.equal(runs, maxAttempts, 'it retries');
  const slow = await wrap(() => new Promise((resolve) => setTimeout(resolve, 300, 'slow')), { ms: 20 });
  const started = performance.now();
  const late = await settled(slow('a'));
  assert.ok(late !== 'slow' && performance.now() - started < 250, 'the timeout fires in time');
  runs = 0;
  const broken = await wrap(async () => {
    runs++;
    throw new Error('down');
  });
  for (let i = 0; i < 20; i++) await settled(broken('a'));
  const before = runs;
  await settled(broken('a'));
  assert.equal(runs, before, 'the circuit opens');
}

const settled = (call) => Promise.resolve(call).catch((error) => error);
const common = { work: async (x) => x, args: ['a'], check };
const hand = { wrap: fused };

export const stackThree = {
  ...common,
  name: 'stack-three',
  title: 'retry + circuit breaker + timeout; the hand-written one is a single function',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.4 }],
  candidates: {
    'hand-written': hand,
    Premier: { wrap: stacked((_premier, three) => three) },
    'cockatiel wrap': {
      late: true,
      wrap(work, { ms = spanMs } = {}) {
        const retry = cockatiel.retry(cockatiel.handleAll, { maxAttempts: maxAttempts - 1, backoff: new cockatiel.ConstantBackoff(1) });
        const breaker = cockatiel.circuitBreaker(cockatiel.handleAll, {
          halfOpenAfter: breakerRules.recoveryMs,
          breaker: new cockatiel.CountBreaker({ threshold: 0.4995, size: 100, minimumNumberOfCalls: 10 }),
        });
        const timeout = cockatiel.timeout(ms, cockatiel.TimeoutStrategy.Aggressive);
        const policy = cockatiel.wrap(retry, breaker, timeout);
        return (x) => policy.execute(() => work(x));
      },
    },
    'p-retry + opossum': {
      late: true,
      wrap(work, { ms = spanMs } = {}) {
        const breaker = new CircuitBreaker(work, { timeout: ms, errorThresholdPercentage: 49, volumeThreshold: 10, resetTimeout: 600_000 });
        return (x) => pRetry(() => breaker.fire(x), { retries: maxAttempts - 1, minTimeout: 1 });
      },
    },
  },
};

const withTwoMore = (name, title, more) => ({
  ...common,
  name,
  title: `${title}; the hand-written one is retry + circuit breaker + timeout`,
  goals: [{ of: 'Premier', atMostNs: 1000 }],
  candidates: { 'hand-written': hand, Premier: { wrap: stacked(more) } },
});
const quiet = { debug() {}, info() {}, warn() {}, error() {}, log() {} };
const handle = (error) => error === undefined;

export const stackTimeit = withTwoMore('stack-timeit', 'fallback + retry + circuit breaker + timeout + timeit', (premier, three) => [
  premier.fallback('none', { handle }),
  ...three,
  premier.timeit({ logger: quiet, logThreshold: 600 }),
]);

export const stackBulkhead = withTwoMore('stack-bulkhead', 'fallback + retry + circuit breaker + timeout + bulkhead', (premier, three) => [
  premier.fallback('none', { handle }),
  ...three,
  premier.bulkhead({ maxConcurrent: 10 }),
]);

export const stackLimiter = withTwoMore('stack-limiter', 'tokenBucket + retry + circuit breaker + timeout + timeit', (premier, three) => [
  premier.tokenBucket({ quota: 1_000_000_000, duration: 60, keymaker: (x) => x }),
  ...three,
  premier.timeit({ logger: quiet, logThreshold: 600 }),
]);
