import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NamedLimiterOptions } from 'premier';
import { redisUrl } from '../support/redisUrl.js';
import type { Orders } from './processes.child.js';

const script = fileURLToPath(new URL('processes.child.js', import.meta.url));

/** How many calls four processes were admitted, each by itself. */
async function admittedBy4(limits: readonly NamedLimiterOptions[], more: Partial<Orders> = {}): Promise<readonly number[]> {
  const orders: Orders = { url: await redisUrl(), keyspace: randomUUID(), ioredis: 6, limits, calls: 200, forMs: 0, ...more };
  const children = Array.from({ length: 4 }, (): ChildProcess => fork(script, [JSON.stringify(orders)]));
  try {
    await Promise.all(children.map((child) => once(child, 'message')));
    return await Promise.all(
      children.map(async (child) => {
        child.send('go');
        const [admitted] = (await once(child, 'message')) as [number];
        return admitted;
      }),
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const hour = { quota: 10, duration: 3600 };

describe('four processes with 200 calls each', { concurrency: false }, () => {
  for (const algorithm of ['fixed_window', 'sliding_window', 'token_bucket'] as const) {
    for (const ioredis of [6, 5] as const) {
      test(`get 10 calls of ${algorithm} admitted, by ioredis ${ioredis}`, async () => {
        assert.equal(sum(await admittedBy4([{ algorithm, ...hour }], { ioredis })), 10);
      });
    }
  }

  test('get 10 calls of a leaky bucket admitted', async () => {
    // It lets its ten go within half a second, and has room for the next one only after that.
    const admitted = sum(await admittedBy4([{ algorithm: 'leaky_bucket', quota: 10, duration: 36_000, bucketSize: 1 }]));
    assert.equal(admitted, 1);
  });

  test('get 10 calls of two limits admitted', async () => {
    const limits: readonly NamedLimiterOptions[] = [hour, { algorithm: 'sliding_window', quota: 15, duration: 60 }];
    assert.equal(sum(await admittedBy4(limits)), 10);
  });

  test('never get more of a sliding window than it allows over time, and nearly all of that', async () => {
    const admitted = sum(await admittedBy4([{ algorithm: 'sliding_window', quota: 20, duration: 0.5 }], { calls: 10, forMs: 1500 }));
    // The last call may begin after 1.5 s by as much as a child was late.
    assert.ok(admitted <= 100, `${admitted} were admitted`);
    assert.ok(admitted >= 48, `${admitted} were admitted`);
  });
});
