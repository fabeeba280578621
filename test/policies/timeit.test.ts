import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from '../support/doubles.js';

const setUp = (options: Parameters<Premier['timeit']>[0] = {}) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock });
  const lines: string[] = [];
  const timed = premier.timeit({ logger: (line) => void lines.push(line), ...options });
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.setTimer(resolve, ms));
  return { clock, premier, lines, timed, sleep };
};

describe('timeit', () => {
  test('logs calls at or over the threshold, and no others', async () => {
    const { clock, lines, timed, sleep } = setUp();
    const work = timed(async function work(ms: number) {
      await sleep(ms);
      return ms;
    });
    for (const ms of [99, 100, 1234]) {
      const result = work(ms);
      await clock.advance(2);
      assert.equal(await result, ms);
    }
    assert.deepEqual(lines, ['work took 0.10 s', 'work took 1.23 s']);
  });

  test('logs failing calls too, and throws their error', async () => {
    const { clock, lines, timed, sleep } = setUp({ precision: 0 });
    const broken = timed(async function broken() {
      await sleep(3000);
      throw new Error('no');
    });
    const result = outcome(broken());
    await clock.advance(3);
    assert.equal(((await result).error as Error).message, 'no');
    assert.deepEqual(lines, ['broken failed after 3 s']);
  });

  test('a synchronous function stays synchronous, also when it throws', () => {
    const { lines, timed } = setUp({ logThreshold: 0 });
    const divide = timed(function divide(a: number, b: number) {
      if (b === 0) throw new RangeError('zero');
      return a / b;
    });
    assert.equal(divide(6, 3), 2);
    assert.throws(() => divide(1, 0), RangeError);
    assert.deepEqual(lines, ['divide took 0.00 s', 'divide failed after 0.00 s']);
  });

  test('shows arguments on request, whatever they are', () => {
    const { lines, timed } = setUp({ logThreshold: 0, withArgs: true });
    const take = timed(function take(..._args: unknown[]) {});
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    take(1, 'two', { three: 3 }, circle, 4n, undefined);
    assert.equal(lines[0], 'take(1, "two", {"three":3}, [object Object], [object BigInt], undefined) took 0.00 s');
  });

  test('a logger that throws changes nothing', () => {
    const { timed } = setUp({
      logThreshold: 0,
      logger: () => {
        throw new Error('mine');
      },
    });
    assert.equal(timed(() => 1)(), 1);
  });

  test('two of them around one synchronous function both log', () => {
    const { lines, timed } = setUp({ logThreshold: 0 });
    assert.equal(timed(timed(() => 1))(), 1);
    assert.equal(lines.length, 2);
  });

  test('around an async policy the call is async', async () => {
    const { premier, lines, timed } = setUp({ logThreshold: 0 });
    const result = timed(premier.retry()((n: number) => n))(3);
    assert.ok(result instanceof Promise);
    assert.equal(await result, 3);
    assert.equal(lines.length, 1);
  });
});
