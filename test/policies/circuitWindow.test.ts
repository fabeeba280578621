import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { breakerUnderTest } from '../support/breaker.js';

describe('circuitBreaker with a window', () => {
  test('a window of calls opens by the share of failures, once there are enough calls', async () => {
    const { call, fail, circuit } = breakerUnderTest({ window: { calls: 10, minCalls: 4, failureRate: 0.5 } });
    await fail(3);
    assert.equal(circuit()?.state, 'closed', 'three calls are too few');
    const { call: steady, fail: failSome, circuit: other } = breakerUnderTest({ window: { calls: 10, minCalls: 4, failureRate: 0.5 } });
    for (let i = 0; i < 10; i++) await steady('well');
    await failSome(4);
    assert.equal(other()?.state, 'closed', 'four of the last ten');
    await failSome(1);
    assert.equal(other()?.state, 'open', 'five of the last ten');
    await call('well');
    assert.equal(circuit()?.state, 'open', 'three of four, whoever came last');
  });

  test('a window of seconds forgets what is older, also after idling', async () => {
    const { clock, fail, circuit } = breakerUnderTest({ window: { seconds: 10, minCalls: 4, failureRate: 0.5 } });
    await fail(3);
    await clock.advance(3600);
    await fail(3);
    assert.deepEqual([circuit()?.state, circuit()?.failureCount], ['closed', 3]);
    await clock.advance(5);
    await fail(1);
    assert.equal(circuit()?.state, 'open');
  });

  test('slow calls open it, if asked for', async () => {
    const { clock, call, circuit } = breakerUnderTest({ window: { calls: 4, minCalls: 4, slowAfter: 1, slowRate: 0.5 } });
    for (const ms of [10, 1000, 10, 2000]) {
      const slow = call(new Promise<void>((resolve) => void clock.setTimer(resolve, ms)));
      await clock.advance(3);
      await slow;
    }
    assert.equal(circuit()?.state, 'open');
  });
});
