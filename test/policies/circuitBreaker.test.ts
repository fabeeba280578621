import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CircuitBreakerOpenError, CircuitBreakerOpenException, memory, OptionsError, Premier, RejectedError } from 'premier';
import { breakerUnderTest } from '../support/breaker.js';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';

describe('circuitBreaker', () => {
  test('opens after five failures in a row, and refuses without running the function', async () => {
    const { call, fail, circuit, runs, events } = breakerUnderTest();
    await fail(4);
    await call('well');
    await fail(4);
    assert.equal(circuit()?.state, 'closed');
    await fail(1);
    const { error } = await outcome(call('well'));
    assert.ok(error instanceof CircuitBreakerOpenError && error instanceof CircuitBreakerOpenException && error instanceof RejectedError);
    assert.deepEqual(
      [error.retryAfter, error.statusCode, error.headers, error.code],
      [60, 503, { 'retry-after': '60' }, 'PREMIER_CIRCUIT_OPEN'],
    );
    assert.equal(runs(), 10);
    assert.deepEqual(circuit(), { name: 'call', state: 'open', failureCount: 5, successCount: 1, totalCalls: 10, retryAfter: 60 });
    assert.deepEqual(events, ['circuitOpened', 'circuitRejected']);
  });

  test('after its recovery timeout one probe runs; a good one closes it', async () => {
    const { clock, call, fail, circuit, events } = breakerUnderTest({ failureThreshold: 1, recoveryTimeout: 10 });
    await fail();
    await clock.advance('9999ms');
    const refused = await outcome(call('well'));
    assert.equal((refused.error as RejectedError).retryAfter, 0.001);
    await clock.advance('1ms');
    assert.equal(circuit()?.state, 'half_open');
    const probe = deferred<string>();
    const first = call(probe.promise);
    assert.ok((await outcome(call('well'))).error instanceof CircuitBreakerOpenError, 'one probe at a time');
    probe.resolve('well');
    assert.equal(await first, 'well');
    assert.equal(circuit()?.state, 'closed');
    assert.deepEqual(events, ['circuitOpened', 'circuitRejected', 'circuitHalfOpened', 'circuitRejected', 'circuitClosed']);
  });

  test('a bad probe opens it again for the whole time', async () => {
    const { clock, call, fail, circuit } = breakerUnderTest({ failureThreshold: 1, recoveryTimeout: 10 });
    await fail();
    await clock.advance(10);
    await fail();
    assert.deepEqual([circuit()?.state, circuit()?.retryAfter], ['open', 10]);
    await clock.advance(10);
    assert.equal(await call('well'), 'well');
  });

  test('several probes may be asked for, at once and in all', async () => {
    const { clock, call, fail, circuit } = breakerUnderTest({
      failureThreshold: 1,
      recoveryTimeout: 10,
      halfOpenMax: 2,
      successThreshold: 3,
    });
    await fail();
    await clock.advance(10);
    const probes = [deferred<string>(), deferred<string>()];
    const running = probes.map(({ promise }) => call(promise));
    assert.ok((await outcome(call('well'))).error);
    probes.forEach(({ resolve }) => resolve('well'));
    await Promise.all(running);
    assert.equal(circuit()?.state, 'half_open');
    await call('well');
    assert.equal(circuit()?.state, 'closed');
  });

  test('a probe that never settles does not wedge it', async () => {
    const { clock, call, fail, circuit } = breakerUnderTest({ failureThreshold: 1, recoveryTimeout: 10 });
    await fail();
    await clock.advance(10);
    void call(new Promise(() => undefined));
    await clock.advance('9999ms');
    assert.ok((await outcome(call('well'))).error);
    await clock.advance('1ms');
    assert.equal(await call('well'), 'well');
    assert.equal(circuit()?.state, 'closed');
  });

  test('late results of an earlier state do not count', async () => {
    const { clock, call, fail, circuit } = breakerUnderTest({ failureThreshold: 2, recoveryTimeout: 10 });
    const late = [deferred<string>(), deferred<string>()];
    const calls = late.map(({ promise }) => outcome(call(promise)));
    await fail(2);
    late[0]?.resolve('well');
    await calls[0];
    assert.equal(circuit()?.state, 'open', 'a late success does not close it');
    await clock.advance(10);
    await call('well');
    late[1]?.reject(new Error('late'));
    await calls[1];
    assert.equal(circuit()?.failureCount, 0, 'a late failure does not count against the closed circuit');
  });

  test('only the expected errors count; others give a probe’s place back', async () => {
    const { clock, call, circuit } = breakerUnderTest({ failureThreshold: 1, recoveryTimeout: 10, expectedException: [TypeError] });
    await outcome(call(new RangeError('not counted')));
    assert.equal(circuit()?.state, 'closed');
    await outcome(call(new TypeError('counted')));
    assert.equal(circuit()?.state, 'open');
    await clock.advance(10);
    await outcome(call(new RangeError('says nothing')));
    assert.equal(circuit()?.state, 'half_open');
    assert.equal(await call('well'), 'well');
  });

  test('refusals by other policies and the caller’s own abort do not count', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const limited = premier.pipe(
      premier.circuitBreaker({ failureThreshold: 1, name: 'c' }),
      premier.fixedWindow({ quota: 1, duration: 60, name: 'c' }),
    );
    const call = limited(async () => 1);
    await call();
    await outcome(call());
    assert.equal(premier.breakers[0]?.state, 'closed');
  });

  test('a key has a circuit of its own', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const fetchFrom = premier.circuitBreaker({ failureThreshold: 1, key: (host: string) => host })(async function fetchFrom(host: string) {
      if (host === 'bad') throw new Error('no');
      return host;
    });
    await outcome(fetchFrom('bad'));
    assert.ok((await outcome(fetchFrom('bad'))).error instanceof CircuitBreakerOpenError);
    assert.equal(await fetchFrom('good'), 'good');
    assert.deepEqual(
      premier.breakers.map(({ name, state }) => [name, state]),
      [
        ['fetchFrom:bad', 'open'],
        ['fetchFrom:good', 'closed'],
      ],
    );
  });

  test('keys are bounded', async () => {
    const premier = new Premier();
    const call = premier.circuitBreaker({ key: (n: number) => String(n) })(async function call(n: number) {
      return n;
    });
    for (let i = 0; i < 10_100; i++) await call(i);
    assert.equal(premier.breakers.length, 10_000);
  });

  test('a fallback answers while it is open, and only then', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const call = premier.circuitBreaker({ failureThreshold: 1, fallback: (_error: unknown, id: string) => `resting ${id}` })(
      async function call(_id: string): Promise<string> {
        throw new Error('no');
      },
    );
    assert.equal(((await outcome(call('1'))).error as Error).message, 'no');
    assert.equal(await call('2'), 'resting 2');
  });

  test('it can be opened, closed and reset by hand', async () => {
    const { clock, premier, call, fail, circuit } = breakerUnderTest({ recoveryTimeout: 1 });
    await fail(2);
    premier.breakers.open('call');
    await clock.advance(1000);
    assert.ok((await outcome(call('well'))).error instanceof CircuitBreakerOpenError);
    assert.deepEqual([circuit()?.state, circuit()?.retryAfter], ['open', Infinity]);
    premier.breakers.close('call');
    assert.equal(await call('well'), 'well');
    await fail(1);
    premier.breakers.reset('call');
    assert.deepEqual(circuit(), { name: 'call', state: 'closed', failureCount: 0, successCount: 0, totalCalls: 0, retryAfter: 0 });
    assert.throws(() => premier.breakers.open('other'), { message: "breakers: no circuit is named 'other'; known are call" });
  });

  test('an open circuit builds no stack, unless asked to', async () => {
    const { call, fail } = breakerUnderTest({ failureThreshold: 1 });
    await fail();
    const stackOf = async () => ((await outcome(call('well'))).error as Error).stack ?? '';
    assert.doesNotMatch(await stackOf(), /\n\s+at /);
    RejectedError.stackTraceLimit = 10;
    try {
      assert.match(await stackOf(), /\n\s+at /);
    } finally {
      RejectedError.stackTraceLimit = 0;
    }
  });

  for (const options of [
    { window: {} },
    { window: { calls: 10, seconds: 10 } },
    { window: { calls: 10 }, failureThreshold: 3 },
    { window: { calls: 10, failureRate: 2 } },
    { recoveryTimeout: 0 },
    { halfOpenMax: 0 },
  ]) {
    test(`wrong options are refused when decorating: ${JSON.stringify(options)}`, () => {
      assert.throws(() => new Premier().circuitBreaker(options), OptionsError);
    });
  }
});

test('a window of a few calls opens when they are full, and a minCalls over it is refused', async () => {
  const { fail, circuit } = breakerUnderTest({ window: { calls: 5 } });
  await fail(5);
  assert.equal(circuit()?.state, 'open');
  assert.throws(() => new Premier().circuitBreaker({ window: { calls: 5, minCalls: 6 } }), OptionsError);
});

test('a key that names nobody is a KeyError, not a circuit that all share', async () => {
  const call = new Premier().circuitBreaker({ key: () => undefined as unknown as string })(async function call() {});
  assert.equal(((await outcome(call())).error as Error).name, 'KeyError');
});

test('shared circuits open together for every Premier on one provider and in one keyspace, and for no other', async () => {
  const clock = new FakeClock();
  const provider = memory({ clock });
  const make = (keyspace: string) => {
    const premier = new Premier({ clock, provider, keyspace });
    const call = premier.circuitBreaker({ shared: true, failureThreshold: 1, name: 'c' })(async (works: boolean) => {
      if (!works) throw new Error('no');
      return 'well';
    });
    return { premier, call };
  };
  const [one, two, other] = [make('app'), make('app'), make('app2')];
  await outcome(two.call(true));
  await outcome(one.call(false));
  assert.ok((await outcome(two.call(true))).error instanceof CircuitBreakerOpenError);
  assert.equal(await other.call(true), 'well');
  assert.equal(two.premier.stats().events.circuitOpened, 1, 'both hear of it');
});

test('a late success of an earlier state does not interrupt a row of failures', async () => {
  const { clock, call, fail, circuit } = breakerUnderTest({ failureThreshold: 2, recoveryTimeout: 10 });
  const late = deferred<string>();
  const slow = call(late.promise);
  await fail(2);
  await clock.advance(10);
  await call('well');
  await fail(1);
  late.resolve('well');
  await slow;
  assert.deepEqual([circuit()?.failureCount, circuit()?.successCount], [1, 1]);
  await fail(1);
  assert.equal(circuit()?.state, 'open');
});
