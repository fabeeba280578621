import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { execTimify } from 'utils-decorators';
import { decorated, Premier } from '../premier.mjs';

const quiet = () => undefined;

export const timeit = {
  name: 'timeit',
  title: 'timeit, below its threshold',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.2 }],
  work: async (x) => x,
  args: ['a'],
  options: { thresholdMs: 100, report: quiet },
  candidates: {
    'hand-written': {
      wrap: (work, { thresholdMs, report }) =>
        async function timed(x) {
          const started = performance.now();
          try {
            return await work(x);
          } finally {
            const ms = performance.now() - started;
            if (ms >= thresholdMs) report(`took ${ms} ms`);
          }
        },
    },
    Premier: {
      wrap: (work, { thresholdMs, report }) => {
        const logger = { debug: report, info: report, warn: report, error: report, log: report };
        return decorated(new Premier().timeit({ logger, logThreshold: thresholdMs / 1000 }), work);
      },
    },
    // It drops the result: the reporter gets it, the caller does not.
    'utils-decorators': {
      wrap: (work, { thresholdMs, report }) => execTimify(work, ({ execTime }) => execTime >= thresholdMs && report(execTime)),
      dropsResult: true,
    },
  },
  async check({ wrap, dropsResult }) {
    let lines = 0;
    const slow = await wrap(async (x) => x, { thresholdMs: 0, report: () => lines++ });
    assert.equal(await slow('a'), dropsResult ? undefined : 'a');
    assert.equal(lines, 1, 'a call over the threshold is reported once');
  },
};
