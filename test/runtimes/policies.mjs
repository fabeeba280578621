import assert from 'node:assert/strict';
import { BulkheadFullError, CircuitBreakerOpenError, hedge, Premier, QuotaExceedsError, retry, TimeoutError } from 'premier';
import { FakeClock } from 'premier/testing';
import { check, open } from './harness.mjs';

/** A Premier whose time stands still. */
function made(options = {}) {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock, ...options }) };
}

/** A function that counts how often it ran. */
function counting(answer = (n) => n) {
  const counted = async (...args) => answer(++counted.calls, ...args);
  counted.calls = 0;
  return counted;
}

check('cacheResult: one run for calls at the same time, until it expires or is dropped', async () => {
  const { clock, premier } = made();
  const load = counting();
  const cached = premier.cacheResult({ expireS: 60 })(load);
  assert.deepEqual(await Promise.all([cached('a'), cached('a'), cached('b')]), [1, 1, 2]);
  await clock.advance(61);
  assert.equal(await cached('a'), 3);
  await premier.invalidate(cached, ['a']);
  assert.equal(await cached('a'), 4);
});

check('cacheEvict: drops what carries the tag', async () => {
  const { premier } = made();
  const find = premier.cacheResult({ tags: () => ['users'] })(counting());
  const rename = premier.cacheEvict({ tags: ['users'] })(async () => 'renamed');
  assert.equal(await find('a'), 1);
  await rename();
  assert.equal(await find('a'), 2);
});

for (const name of ['fixedWindow', 'slidingWindow', 'tokenBucket']) {
  check(`${name}: refuses what is too much, until its time has come`, async () => {
    const { clock, premier } = made();
    const limited = premier[name]({ quota: 2, duration: 10 })(counting());
    await limited();
    await limited();
    const refusal = await limited().catch((error) => error);
    assert.ok(refusal instanceof QuotaExceedsError);
    assert.equal(refusal.status, 429);
    await clock.advance(11);
    assert.equal(await limited(), 3);
  });
}

check('leakyBucket: lets one call go after the other', async () => {
  const { clock, premier } = made();
  const run = counting();
  const even = premier.leakyBucket({ quota: 1, duration: 1, bucketSize: 5 })(run);
  const calls = Promise.all([even(), even(), even()]);
  await clock.advance('900ms');
  assert.equal(run.calls, 1);
  await clock.advance(2);
  assert.deepEqual(await calls, [1, 2, 3]);
});

check('throttle: spends all limits or none', async () => {
  const { premier } = made();
  const limited = premier.throttle({
    limits: [
      { algorithm: 'fixed_window', quota: 10, duration: 1 },
      { algorithm: 'sliding_window', quota: 1, duration: 60 },
    ],
  })(counting());
  await limited();
  await assert.rejects(limited(), QuotaExceedsError);
});

check('retry: tries again after its wait', async () => {
  const { clock, premier } = made();
  const call = premier.retry({ maxAttempts: 3, wait: 5 })(
    counting((n) => {
      if (n < 3) throw new Error('not yet');
      return n;
    }),
  );
  const answer = call();
  await clock.advance(11);
  assert.equal(await answer, 3);
});

check('retry without a Premier waits by the clock of the runtime', async () => {
  const call = retry({ maxAttempts: 2, wait: '20ms' })(
    counting((n) => {
      if (n === 1) throw new Error('not yet');
      return n;
    }),
  );
  assert.equal(await call(), 2);
});

check('timeout: ends the call, and the fetch below it', async (undo) => {
  let gone;
  const left = new Promise((resolve) => void (gone = resolve));
  const url = await open(undo, (_request, response) => response.on('close', gone));
  const premier = new Premier();
  let inner;
  const call = premier.timeout('100ms')(async () => {
    const fetched = fetch(url, { signal: premier.signal });
    inner = fetched.catch((error) => error);
    return fetched;
  });
  await assert.rejects(call(), TimeoutError);
  assert.equal((await inner).name, 'TimeoutError');
  await left;
});

check('timeit: logs how long a call took, and leaves a synchronous function so', async () => {
  const lines = [];
  const { premier } = made();
  const timed = premier.timeit({ logThreshold: 0, logger: (line) => lines.push(line) })((n) => n * 2);
  assert.equal(timed(21), 42);
  assert.equal(lines.length, 1);
});

check('circuitBreaker: opens, and closes again', async () => {
  const { clock, premier } = made();
  let broken = true;
  const call = premier.circuitBreaker({ name: 'shop', failureThreshold: 2, recoveryTimeout: 30 })(async () => {
    if (broken) throw new Error('down');
    return 'up';
  });
  await assert.rejects(call(), /down/);
  await assert.rejects(call(), /down/);
  await assert.rejects(call(), CircuitBreakerOpenError);
  broken = false;
  await clock.advance(31);
  assert.equal(await call(), 'up');
});

check('bulkhead: lets only so many run, and keeps the line in order', async () => {
  const { premier } = made();
  const finish = [];
  const call = premier.bulkhead({ maxConcurrent: 1, maxQueue: 1 })((n) => new Promise((resolve) => finish.push(() => resolve(n))));
  const first = call(1);
  const second = call(2);
  await assert.rejects(call(3), BulkheadFullError);
  finish[0]();
  assert.equal(await first, 1);
  await new Promise(setImmediate);
  finish[1]();
  assert.equal(await second, 2);
});

check('fallback: answers in place of an error', async () => {
  const { premier } = made();
  const call = premier.fallback((error, id) => `${error.message} ${id}`)(async () => {
    throw new Error('no');
  });
  assert.equal(await call('42'), 'no 42');
});

check('hedge: the quicker attempt wins, the other one is aborted', async () => {
  const { clock, premier } = made();
  let signal;
  const call = premier.hedge({ after: 1 })(
    counting((n) => {
      if (n === 2) return 'second';
      ({ signal } = premier);
      return new Promise(() => undefined);
    }),
  );
  const answer = call();
  await clock.advance(1);
  assert.equal(await answer, 'second');
  assert.equal(signal.reason.name, 'AbortError');
  assert.equal(await hedge({ after: 0 })(async () => 1)(), 1);
});

check('pipe: several policies as one, told by policiesOf', async () => {
  const { premier } = made();
  const shop = { find: premier.pipe(premier.timeout(1), premier.retry(), premier.fallback('nothing'))(async () => 'found') };
  assert.equal(await shop.find(), 'found');
  assert.deepEqual(
    premier.policiesOf(shop, 'find').map(({ policy }) => policy),
    ['timeout', 'retry', 'fallback'],
  );
});

check('events are heard and counted', async () => {
  const { premier } = made();
  const heard = [];
  premier.on('*', ({ type }) => heard.push(type));
  await premier.cacheResult({ name: 'one' })(async () => 1)();
  assert.ok(heard.includes('cacheMiss'), heard.join());
  assert.equal(premier.stats().events.cacheMiss, 1);
  await premier[Symbol.asyncDispose]();
});

check('errors are of the same classes by import and by require', async () => {
  const { createRequire } = await import('node:module');
  const required = createRequire(import.meta.url)('premier');
  assert.ok(new required.TimeoutError('x', 1) instanceof TimeoutError);
});

// The last one: it is a switch for the whole process.
check('asyncContext: the signal is known after an await', async () => {
  const { clock, premier } = made({ asyncContext: true });
  let late;
  const call = premier.timeout(1)(async () => {
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve, 1));
    late = premier.signal;
    await new Promise(() => undefined);
  });
  const refused = assert.rejects(call(), TimeoutError);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await clock.advance(2);
  await refused;
  assert.equal(late.aborted, true);
});
