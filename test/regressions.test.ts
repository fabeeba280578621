import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CircuitBreakerOpenError, encodeArgs, KeyError, memory, OptionsError, Premier, QuotaExceedsError, TimeoutError } from 'premier';
import { FakeClock } from 'premier/testing';
import { countingSignal, failing, outcome } from './support/doubles.js';

/** Defects that were found and mended: what once went wrong stays right. */
const setUp = () => {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock }) };
};

describe('keys', () => {
  test('what symbol keys and properties of arrays hold is not left out of a key', () => {
    const op = Symbol('op');
    assert.throws(() => encodeArgs([{ age: { [op]: 5 } }]), { path: 'args[0].age' });
    assert.throws(() => encodeArgs([Object.assign([1], { index: 3 })]), KeyError);
  });

  test('a text that looks like an encoded number is another caller', async () => {
    const { premier } = setUp();
    const call = premier.fixedWindow({ quota: 1, duration: 60, keymaker: (id: unknown) => id as string })(async function call(id: unknown) {
      return id;
    });
    assert.deepEqual([await call(1), await call('(1n')], [1, '(1n']);
  });

  test('circuits of a name with a separator do not meet', async () => {
    const { premier } = setUp();
    const broken = async (_key: string): Promise<string> => {
      throw new Error('no');
    };
    const one = premier.circuitBreaker({ name: 'a', failureThreshold: 1, key: (key: string) => key })(broken);
    const two = premier.circuitBreaker({ name: 'a:b', failureThreshold: 1, key: (key: string) => key })(broken);
    await outcome(one('b:c'));
    assert.equal(((await outcome(two('c'))).error as Error).message, 'no');
  });
});

describe('limiters', () => {
  test('a cost over the quota is refused at once, and does not stand in the line of those who wait', async () => {
    const { clock, premier } = setUp();
    const done: number[] = [];
    const call = premier.slidingWindow({ quota: 2, duration: 1, cost: (n: number) => n, onExceeded: 'wait' })(async function call(
      n: number,
    ) {
      done.push(n);
    });
    await call(2);
    void call(1);
    const never = outcome(call(5));
    void call(1);
    assert.equal(((await never).error as QuotaExceedsError).retryAfter, Infinity);
    await clock.advance(2);
    assert.deepEqual(done, [2, 1, 1]);
  });

  test('a place in a leaky bucket is given back once, however often its call is aborted', async () => {
    const { clock, premier } = setUp();
    const bucket = premier.leakyBucket({ quota: 1, duration: 10, bucketSize: 8 })(async function bucket() {});
    const call = premier.pipe(premier.timeout(3.2), premier.retry({ maxAttempts: 9, wait: 0 }), premier.timeout(1))(() => bucket());
    for (let i = 0; i < 4; i++) void bucket();
    const ended = outcome(call());
    await clock.advance(4);
    assert.ok((await ended).error instanceof TimeoutError);
    const fit = await Promise.all(Array.from({ length: 9 }, () => Promise.race([outcome(bucket()), clock.advance(0)])));
    assert.equal(fit.filter((one) => one === undefined).length, 4);
  });

  test('one name with two algorithms is two limits, with other numbers an error', async () => {
    const { premier } = setUp();
    const one = premier.throttle({ algorithm: 'fixed_window', quota: 1, duration: 60, name: 'n' })(async () => 1);
    const two = premier.throttle({ algorithm: 'token_bucket', quota: 1, duration: 60, name: 'n' })(async () => 2);
    await one();
    await two();
    assert.ok((await outcome(two())).error instanceof QuotaExceedsError);
    const three = premier.throttle({ algorithm: 'token_bucket', quota: 5, duration: 1, name: 'n' })(async () => 3);
    assert.ok((await outcome(three())).error instanceof OptionsError);
  });

  test('a full memory does not evict the counter that was just written', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock, provider: memory({ clock, maxEntries: 10 }) });
    const cached = premier.cacheResult()(async function cached(n: number) {
      return n;
    });
    for (let i = 0; i < 20; i++) await cached(i);
    let admitted = 0;
    for (let i = 0; i < 5; i++) {
      const limited = premier.slidingWindow({ quota: 1, duration: 60, name: `limit ${i}` })(async () => ++admitted);
      for (let j = 0; j < 3; j++) await outcome(limited());
    }
    assert.equal(admitted, 5);
  });
});

describe('ends of calls', () => {
  test('a signal that ends a retry is one failure for the policies outside', async () => {
    const { premier, clock } = setUp();
    const controller = new AbortController();
    let answers = 0;
    const call = premier.pipe(
      premier.fallback(() => `answer ${++answers}`),
      premier.retry({ signal: controller.signal, wait: 10 }),
    )(failing([new Error('1'), new Error('2')]));
    const result = call();
    await clock.advance(1);
    controller.abort(new Error('enough'));
    assert.equal(await result, 'answer 1');
    await clock.advance(60);
    assert.equal(answers, 1);
  });

  test('a retry that is ended from outside leaves no listener on its signal', async () => {
    const { premier, clock } = setUp();
    const { signal, listeners } = countingSignal();
    const call = premier.pipe(premier.timeout(1), premier.retry({ signal }))(() => new Promise(() => undefined));
    const ended = outcome(call());
    await clock.advance(1);
    await ended;
    assert.equal(listeners(), 0);
  });

  test('an attempt that lost a hedge times out for nobody', async () => {
    const { premier, clock } = setUp();
    const hanging = failing([], 'never', true);
    const call = premier.pipe(
      premier.hedge({ after: 1 }),
      premier.circuitBreaker({ failureThreshold: 1, name: 'c' }),
      premier.timeout(30),
    )(async () => (hanging.calls === 0 ? hanging() : 'second'));
    const result = call();
    await clock.advance(1);
    assert.equal(await result, 'second');
    await clock.advance(60);
    assert.equal(premier.stats().events.timedOut, 0);
    assert.equal(premier.breakers[0]?.state, 'closed');
    assert.equal(clock.timers, 0);
  });

  test('a stack of forty policies is made and runs', async () => {
    const { premier } = setUp();
    const deep = premier.pipe(...Array.from({ length: 40 }, () => premier.retry({ maxAttempts: 1 })));
    assert.equal(await deep(async () => 'well')(), 'well');
  });

  test('the fallback of a breaker leaves the refusals of other circuits alone', async () => {
    const { premier } = setUp();
    const inner = premier.circuitBreaker({ failureThreshold: 1, name: 'inner' })(failing([new Error('no')]));
    await outcome(inner());
    const outer = premier.circuitBreaker({ name: 'outer', fallback: 'resting' })(() => inner());
    assert.ok((await outcome(outer())).error instanceof CircuitBreakerOpenError);
  });
});

describe('callbacks and options', () => {
  test('a listener that listens again does not hear the same event for ever; one function may listen twice', async () => {
    const { premier } = setUp();
    let heard = 0;
    let stop = (): void => undefined;
    const again = (): void => {
      heard++;
      stop();
      stop = premier.on('fellBack', again);
    };
    stop = premier.on('fellBack', again);
    const call = premier.fallback('x')(failing([new Error('no'), new Error('no')]));
    await call();
    assert.equal(heard, 1);
    const twice = premier.on('fellBack', again);
    twice();
    await call();
    assert.equal(heard, 2);
  });

  test('an error without a text does not end the retries', async () => {
    const { premier, clock } = setUp();
    const broken = failing([Object.create(null), Object.create(null)], 'well');
    const result = premier.retry({ wait: 0, logger: () => undefined })(broken)();
    await clock.advance(1);
    assert.equal(await result, 'well');
  });

  test('what is no error class, no listener, no tag and no duration is refused', async () => {
    const { premier } = setUp();
    assert.throws(() => premier.retry({ exceptions: [(() => 1) as never] }), OptionsError);
    assert.throws(() => premier.on('*', undefined as never), OptionsError);
    await assert.rejects(premier.invalidateTags(['a'] as never), OptionsError);
    await assert.rejects(premier.invalidate(undefined as never), OptionsError);
    assert.throws(() => premier.timeout(`${'9'.repeat(400)}d` as never), OptionsError);
    assert.throws(() => premier.hedge({ after: 1, maxAttempts: 101 }), /a whole number from 2 to 100/);
  });

  test('a fallback may answer undefined', async () => {
    const { premier } = setUp();
    assert.equal(await premier.fallback(undefined)(failing<undefined>([new Error('no')], undefined))(), undefined);
  });
});
