import assert from 'node:assert/strict';
import { timeout as cockatiel, TimeoutStrategy } from 'cockatiel';
import pTimeout from 'p-timeout';
import { timeoutify } from 'utils-decorators';
import { decorated, Premier } from '../premier.mjs';

/** A timer for each call. */
const direct = (work, ms) =>
  function limited(x) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('too late')), ms);
      work(x).then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
  };

// Each candidate has a span of its own: Node keeps one list for each span, and a list that somebody else holds is the busy case.
const wraps = [
  ['hand-written', direct],
  ['Premier', (work, ms) => decorated(new Premier().timeout(ms / 1000), work)],
  ['utils-decorators', (work, ms) => timeoutify(work, ms), 'late'],
  ['p-timeout', (work, ms) => (x) => pTimeout(work(x), { milliseconds: ms }), 'late'],
  [
    'cockatiel',
    (work, ms) => {
      const policy = cockatiel(ms, TimeoutStrategy.Aggressive);
      return (x) => policy.execute(() => work(x));
    },
    'late',
  ],
];

function candidates(busy) {
  const made = wraps.map(([name, wrap, late], i) => {
    const span = 600_000 + i * 1000;
    return [
      name,
      {
        late: late !== undefined,
        wrap(work, { ms = span } = {}) {
          if (busy) setTimeout(() => undefined, ms);
          return wrap(work, ms);
        },
      },
    ];
  });
  return Object.fromEntries(made);
}

async function check({ wrap }) {
  const slow = await wrap(() => new Promise((resolve) => setTimeout(resolve, 300)), { ms: 20 });
  const started = performance.now();
  await assert.rejects(Promise.resolve(slow('a')));
  assert.ok(performance.now() - started < 200, 'the timeout fires in time');
  const quick = await wrap(async (x) => x, { ms: 20 });
  assert.equal(await quick('a'), 'a');
}

const common = { work: async (x) => x, args: ['a'], check };

export const timeoutBusy = {
  ...common,
  name: 'timeout-busy',
  title: 'timeout that does not fire, another timer of that span outstanding',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 1.1 }],
  candidates: candidates(true),
};

export const timeoutIdle = {
  ...common,
  name: 'timeout-idle',
  title: 'timeout that does not fire, no other timer',
  goals: [{ of: 'Premier', to: 'hand-written', atMost: 0.4 }],
  candidates: candidates(false),
};
