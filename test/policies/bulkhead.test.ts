import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BulkheadFullError, bulkhead, OptionsError, Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';

const setUp = (options: Parameters<typeof bulkhead>[0]) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock });
  const running: { readonly id: number; readonly done: ReturnType<typeof deferred<number>> }[] = [];
  const order: number[] = [];
  const work = premier.bulkhead(options)(function work(id: number): Promise<number> {
    order.push(id);
    const done = deferred<number>();
    running.push({ id, done });
    return done.promise;
  });
  const finish = async (id: number) => {
    running.find((one) => one.id === id)?.done.resolve(id);
    await clock.advance(0);
  };
  return { clock, premier, work, order, finish };
};

describe('bulkhead', () => {
  test('lets so many run, queues so many, and refuses the rest with a 503', async () => {
    const { work, order } = setUp({ maxConcurrent: 2, maxQueue: 1 });
    void work(1);
    void work(2);
    void work(3);
    const { error } = await outcome(work(4));
    assert.ok(error instanceof BulkheadFullError);
    assert.deepEqual([error.statusCode, error.code, error.headers], [503, 'PREMIER_BULKHEAD_FULL', { 'retry-after': '1' }]);
    assert.deepEqual(order, [1, 2]);
  });

  test('a place is handed over in order, and no newcomer overtakes', async () => {
    const { work, order, finish } = setUp({ maxConcurrent: 1, maxQueue: 9 });
    for (const id of [1, 2, 3]) void work(id);
    await finish(1);
    assert.deepEqual(order, [1, 2], 'one place, one call');
    void work(4);
    await finish(2);
    await finish(3);
    assert.deepEqual(order, [1, 2, 3, 4]);
  });

  test('a failing call, and one that throws at once, give their place back', async () => {
    const premier = new Premier();
    const broken = premier.bulkhead({ maxConcurrent: 1 })((): number => {
      throw new Error('no');
    });
    for (let i = 0; i < 3; i++) assert.equal(((await outcome(broken())).error as Error).message, 'no');
  });

  test('who waits too long is refused, and the place goes to the next', async () => {
    const { clock, work, order, finish } = setUp({ maxConcurrent: 1, maxQueue: 9, maxWaitS: 5 });
    void work(1);
    const impatient = outcome(work(2));
    await clock.advance(3);
    void work(3);
    await clock.advance(2);
    assert.ok((await impatient).error instanceof BulkheadFullError);
    await finish(1);
    assert.deepEqual(order, [1, 3]);
    await clock.advance(9);
    assert.equal(clock.timers, 0);
  });

  test('an abort while waiting frees the queue place at once', async () => {
    const { clock, premier, work, order, finish } = setUp({ maxConcurrent: 1, maxQueue: 1 });
    void work(1);
    const aborted = outcome(premier.timeout(1)((id: number) => work(id))(2));
    await clock.advance(1);
    assert.ok((await aborted).error);
    void work(3);
    await finish(1);
    assert.deepEqual(order, [1, 3]);
  });

  test('a place is held until the function is over, also after a timeout inside gave up on it', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const done = deferred<number>();
    const outer = premier.pipe(premier.timeout(1), premier.bulkhead({ maxConcurrent: 1 }))(() => done.promise);
    const first = outcome(outer());
    await clock.advance(1);
    await first;
    assert.ok((await outcome(outer())).error instanceof BulkheadFullError, 'the function still runs');
    done.resolve(1);
    await clock.advance(0);
    assert.equal(await outer(), 1);
  });

  test('it needs to know how many', () => {
    assert.throws(() => bulkhead({}), OptionsError);
    assert.throws(() => bulkhead({ maxConcurrent: 0 }), OptionsError);
  });

  test('adaptive: grows while calls are quick and the places are used, shrinks when they slow down', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const limits: number[] = [];
    premier.on('bulkheadAdapted', ({ limit }) => limits.push(limit));
    let latency = 10;
    const work = premier.bulkhead({ adaptive: true, maxConcurrent: 100, maxQueue: 1000 })(
      () => new Promise<void>((resolve) => void clock.setTimer(resolve, latency)),
    );
    const load = async (rounds: number) => {
      for (let i = 0; i < rounds; i++) {
        const calls = Array.from({ length: 60 }, () => work());
        await clock.advance(5);
        await Promise.all(calls);
      }
    };
    await load(20);
    const grown = limits.at(-1) ?? 0;
    assert.ok(grown > 30, `grew from 20 to ${grown}`);
    latency = 200;
    await load(5);
    assert.ok((limits.at(-1) ?? 0) < grown / 2, `shrank from ${grown} to ${limits.at(-1)}`);
  });
});
