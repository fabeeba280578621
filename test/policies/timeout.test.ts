import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { OptionsError, Premier, TimeoutError, timeout } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';

const setUp = () => {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock }) };
};

describe('timeout', () => {
  test('a call that is quick enough returns its value, and leaves no timer', async () => {
    const { clock, premier } = setUp();
    assert.equal(await premier.timeout(1)(async () => 'quick')(), 'quick');
    await clock.advance(1);
    assert.equal(clock.timers, 0);
  });

  test('a call that is too slow rejects at that instant, not before', async () => {
    const { clock, premier } = setUp();
    const ended: unknown[] = [];
    const slow = premier.timeout('250ms')(function slow() {
      return new Promise(() => undefined);
    });
    void outcome(slow()).then(({ error }) => ended.push(error));
    await clock.advance('249ms');
    assert.equal(ended.length, 0);
    await clock.advance('1ms');
    const [error] = ended;
    assert.ok(error instanceof TimeoutError);
    assert.deepEqual([error.seconds, error.functionName, error.code, error.statusCode], [0.25, 'slow', 'PREMIER_TIMEOUT', 504]);
  });

  test('the signal aborts with the TimeoutError, and never on success', async () => {
    const { clock, premier } = setUp();
    const signals: AbortSignal[] = [];
    const read = premier.timeout(1)(function read(hang: boolean) {
      signals.push(premier.signal);
      return hang ? new Promise<void>(() => undefined) : Promise.resolve();
    });
    await read(false);
    const hung = outcome(read(true));
    await clock.advance(5);
    const { error } = await hung;
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, true],
    );
    assert.equal(signals[1]?.reason, error);
  });

  test('calls of one length that began at different times end each at its own', async () => {
    const { clock, premier } = setUp();
    const ended: string[] = [];
    const slow = premier.timeout(10)((_name: string) => new Promise<void>(() => undefined));
    for (const name of ['a', 'b', 'c']) {
      void outcome(slow(name)).then(() => ended.push(name));
      await clock.advance(3);
    }
    await clock.advance(1);
    assert.deepEqual(ended, ['a']);
    await clock.advance(3);
    assert.deepEqual(ended, ['a', 'b']);
    await clock.advance(3);
    assert.deepEqual(ended, ['a', 'b', 'c']);
  });

  test('an error of the caller’s own abort is told apart from a timeout', async () => {
    const { clock, premier } = setUp();
    const inner = premier.timeout(100)(function inner() {
      const { signal } = premier;
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    const outer = premier.timeout(1)(function outer() {
      return inner();
    });
    const result = outcome(outer());
    await clock.advance(1);
    const { error } = await result;
    assert.ok(error instanceof TimeoutError);
    assert.deepEqual([error.functionName, error.seconds], ['outer', 1]);
  });

  test('a late rejection is nobody’s unhandled rejection, a late value is dropped', async () => {
    const { clock, premier } = setUp();
    const late = deferred();
    const result = outcome(premier.timeout(1)(() => late.promise)());
    await clock.advance(1);
    late.reject(new Error('late'));
    assert.ok((await result).error instanceof TimeoutError);
  });

  test('a timeout of sixty days is no timeout of one millisecond', async () => {
    const { clock, premier } = setUp();
    let ended = false;
    void outcome(premier.timeout('60d')(() => new Promise(() => undefined))()).then(() => (ended = true));
    await clock.advance('59d');
    assert.equal(ended, false);
    await clock.advance('1d');
    assert.equal(ended, true);
  });

  test('a policy outside hears of a timeout once, whatever the function does later', async () => {
    const { clock, premier } = setUp();
    const late = deferred<string>();
    const breaker = premier.circuitBreaker({ failureThreshold: 3, name: 'late' });
    const result = outcome(premier.pipe(breaker, premier.timeout(1))(() => late.promise)());
    await clock.advance(1);
    late.resolve('too late');
    await result;
    await clock.advance(0);
    assert.equal(premier.breakers[0]?.failureCount, 1);
  });

  test('what can only be synchronous is refused when decorating', () => {
    assert.throws(() => timeout(1)(function* items() {}), OptionsError);
    assert.throws(() => timeout(1)(class {} as never), OptionsError);
  });

  for (const seconds of [0, -1, NaN, Infinity, '5', '', {}, null] as const) {
    test(`${seconds === '' ? "''" : JSON.stringify(seconds)} is no timeout`, () => {
      assert.throws(() => timeout(seconds as never), OptionsError);
    });
  }

  test('a logger hears of it', async () => {
    const { clock, premier } = setUp();
    const lines: string[] = [];
    const slow = premier.timeout(1, { logger: { info: (line) => void lines.push(line) } })(function slow() {
      return new Promise(() => undefined);
    });
    const result = outcome(slow());
    await clock.advance(1);
    await result;
    assert.deepEqual(lines, ['slow took longer than 1 s']);
  });

  test('a process whose calls are over exits by itself; one that waits for a timeout does not exit before it', () => {
    const run = (body: string) => {
      const script = `import { Premier } from 'premier'; const premier = new Premier(); ${body}`;
      const started = performance.now();
      const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 });
      return { status, stdout, ms: performance.now() - started };
    };
    const quick = run(`
      const call = premier.pipe(premier.cacheResult({ expireS: 60 }), premier.slidingWindow({ quota: 9, duration: 60 }), premier.retry(),
        premier.circuitBreaker(), premier.bulkhead({ maxConcurrent: 1 }), premier.timeout(60))(async function call() { return 'over' })
      console.log(await call())`);
    assert.deepEqual([quick.status, quick.stdout], [0, 'over\n']);
    assert.ok(quick.ms < 15_000, 'it did not stay for the minute of its timeout');
    const waiting = run(`await premier.timeout(0.2)(() => new Promise(() => {}))().catch((error) => console.log(error.code))`);
    assert.deepEqual([waiting.status, waiting.stdout], [0, 'PREMIER_TIMEOUT\n']);
  });
});
