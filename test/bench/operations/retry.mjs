import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConstantBackoff, handleAll, retry as cockatiel } from 'cockatiel';
import pRetry from 'p-retry';
import { retryfy } from 'utils-decorators';
import { decorated, Premier } from '../premier.mjs';

const maxAttempts = 3;

export const retry = {
  name: 'retry',
  title: 'retry, the first attempt succeeds',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.1 }],
  work: async (x) => x,
  args: ['a'],
  candidates: {
    'hand-written': {
      wrap: (work) =>
        async function retried(x) {
          for (let attempt = 1; ; attempt++) {
            try {
              return await work(x);
            } catch (error) {
              if (attempt === maxAttempts) throw error;
              await sleep(1);
            }
          }
        },
    },
    Premier: { wrap: (work) => decorated(new Premier().retry({ maxAttempts, wait: 0.001 }), work) },
    cockatiel: {
      wrap: (work) => {
        const policy = cockatiel(handleAll, { maxAttempts: maxAttempts - 1, backoff: new ConstantBackoff(1) });
        return (x) => policy.execute(() => work(x));
      },
    },
    'utils-decorators': { late: true, wrap: (work) => retryfy(work, { retries: maxAttempts - 1, delay: 1 }) },
    'p-retry': { late: true, wrap: (work) => (x) => pRetry(() => work(x), { retries: maxAttempts - 1, minTimeout: 1 }) },
  },
  async check({ wrap }) {
    let runs = 0;
    const flaky = await wrap(async (x) => {
      if (++runs < maxAttempts) throw new Error('not yet');
      return x;
    });
    assert.equal(await flaky('a'), 'a');
    assert.equal(runs, maxAttempts);
    const broken = await wrap(async () => {
      runs++;
      throw new Error('never');
    });
    runs = 0;
    await assert.rejects(broken('a'), /never/);
    assert.equal(runs, maxAttempts);
  },
};
