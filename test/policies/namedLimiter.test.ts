import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError, Premier } from 'premier';
import { FakeClock } from 'premier/testing';

const setUp = () => {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock }) };
};

describe('premier.limiter', () => {
  test('premier.limiter is asked by hand: consume, peek, refund, reset', async () => {
    const { clock, premier } = setUp();
    const limiter = premier.limiter({ algorithm: 'token_bucket', quota: 10, duration: 10 });
    assert.deepEqual(await limiter.consume('a', 4), { allowed: true, limit: 10, remaining: 6, retryAfter: 0, resetAfter: 4, delay: 0 });
    assert.deepEqual(await limiter.peek('a'), { allowed: true, limit: 10, remaining: 6, retryAfter: 0, resetAfter: 4, delay: 0 });
    assert.equal((await limiter.consume('a', 7)).retryAfter, 1);
    assert.equal((await limiter.refund('a', 1)).remaining, 7);
    assert.equal((await limiter.refund('a', 99)).remaining, 10);
    await limiter.consume('a', 10);
    assert.deepEqual(await limiter.peek('a'), { allowed: false, limit: 10, remaining: 0, retryAfter: 1, resetAfter: 10, delay: 0 });
    await limiter.reset('a');
    assert.equal((await limiter.peek('a')).remaining, 10);
    assert.equal((await limiter.consume('b', 11)).retryAfter, Infinity);
    await clock.advance(1);
    for (const cost of [-1, 0.5, NaN, '1']) await assert.rejects(limiter.consume('a', cost as number), OptionsError);
    await assert.rejects(limiter.consume(7 as never), OptionsError);
  });

  test('limiters without a name do not share, those with an equal one do', async () => {
    const { premier } = setUp();
    const numbers = { quota: 1, duration: 60 };
    const [one, two] = [premier.limiter(numbers), premier.limiter(numbers)];
    await one.consume('k');
    assert.equal((await two.consume('k')).allowed, true);
    const [left, right] = [premier.limiter({ ...numbers, name: 'same' }), premier.limiter({ ...numbers, name: 'same' })];
    await left.consume('k');
    assert.equal((await right.consume('k')).allowed, false);
  });
});
