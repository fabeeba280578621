import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError, Premier, QuotaExceedsError, RejectedError, TimeoutError } from 'premier';
import { FakeClock } from 'premier/testing';
import { countingSignal, failing, outcome } from '../support/doubles.js';

const setUp = (random = () => 0.5) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock, random });
  const waits: number[] = [];
  premier.on('retried', ({ wait }) => waits.push(wait));
  return { clock, premier, waits };
};

describe('retry', () => {
  test('tries three times by default, a second apart, and throws the last error itself', async () => {
    const { clock, premier, waits } = setUp();
    const errors = [new Error('1'), new TypeError('2'), new RangeError('3')];
    const broken = failing(errors);
    const result = outcome(premier.retry()(broken)());
    await clock.advance(10);
    assert.equal((await result).error, errors[2]);
    assert.equal(broken.calls, 3);
    assert.deepEqual(waits, [1, 1]);
    assert.equal(clock.timers, 0);
  });

  test('an error that is not an Error is thrown as it is', async () => {
    const { clock, premier } = setUp();
    const result = outcome(premier.retry({ maxAttempts: 2, wait: 0 })(failing(['first', 'second']))());
    await clock.advance(1);
    assert.equal((await result).error, 'second');
  });

  test('a first attempt that succeeds waits for nothing and tells nobody', async () => {
    const { clock, premier, waits } = setUp();
    assert.equal(await premier.retry()(failing([], 7))(), 7);
    assert.deepEqual([waits, clock.timers], [[], 0]);
  });

  for (const [name, wait, expected] of [
    ['a number is the same wait each time', 0.5, [0.5, 0.5, 0.5, 0.5]],
    ['the last item of a list repeats', ['100ms', 1], [0.1, 1, 1, 1]],
    [
      'a function gets the attempt from 0, and the error',
      (attempt: number, error: unknown) => attempt + Number((error as Error).message),
      [1, 2, 3, 4],
    ],
    ['a backoff without jitter doubles up to its maximum', { base: 1, max: 5, jitter: 'none' }, [1, 2, 4, 5]],
    ['full jitter is from 0 to the wait', { base: 1, jitter: 'full' }, [0.5, 1, 2, 4]],
    ['equal jitter is from half of the wait', { base: 1, jitter: 'equal' }, [0.75, 1.5, 3, 6]],
    ['decorrelated jitter grows from the wait before', { base: 1, jitter: 'decorrelated', max: 4 }, [2, 3.5, 4, 4]],
  ] as const) {
    test(`wait: ${name}`, async () => {
      const { clock, premier, waits } = setUp();
      const errors = [1, 1, 1, 1, 1].map((n) => new Error(String(n)));
      const result = outcome(premier.retry({ maxAttempts: 5, wait })(failing(errors))());
      await clock.advance(60);
      await result;
      assert.deepEqual(waits, expected);
    });
  }

  test('only the named errors are retried', async () => {
    const { clock, premier } = setUp();
    const flaky = premier.retry({ exceptions: [TypeError], wait: 1, maxAttempts: 5 });
    const broken = failing([new TypeError('again'), new RangeError('never again')]);
    const result = outcome(flaky(broken)());
    await clock.advance(9);
    assert.ok((await result).error instanceof RangeError);
    assert.equal(broken.calls, 2);
  });

  test('a handle that throws means no, and the error of the function is thrown', async () => {
    const { premier } = setUp();
    const heard: string[] = [];
    premier.on('callbackFailed', ({ callback }) => heard.push(callback));
    const handle = () => {
      throw new Error('mine');
    };
    const { error } = await outcome(premier.retry({ handle })(failing([new Error('its')]))());
    assert.equal((error as Error).message, 'its');
    assert.deepEqual(heard, ['handle']);
  });

  test('a result can be retried; the last one is returned', async () => {
    const { clock, premier } = setUp();
    let status = 500;
    const poll = premier.retry({ retryResult: (result: number) => result >= 500, wait: 1 })(async function poll() {
      return status++;
    });
    const result = poll();
    await clock.advance(9);
    assert.equal(await result, 502);
  });

  for (const [name, retryAfter, headers] of [
    ['in seconds', 7, undefined],
    ['as a text of seconds', '7', undefined],
    ['as an HTTP date', 'date', undefined],
    ['in the headers of a response', undefined, new Headers({ 'retry-after': '7' })],
  ] as const) {
    test(`Retry-After ${name} is waited for when it is longer`, async () => {
      const { clock, premier, waits } = setUp();
      const said = retryAfter === 'date' ? new Date(clock.now() + 7000).toUTCString() : retryAfter;
      const busy = Object.assign(new Error('busy'), { retryAfter: said, response: { headers } });
      const result = premier.retry({ wait: 1 })(failing([busy], 'well'))();
      await clock.advance(6);
      await clock.advance(1);
      assert.equal(await result, 'well');
      assert.ok(Math.abs((waits[0] ?? 0) - 7) <= 1 && (waits[0] ?? 0) > 1, String(waits));
    });
  }

  test('an error that asks for more than five minutes is thrown at once', async () => {
    const { premier } = setUp();
    const busy = Object.assign(new Error('busy'), { retryAfter: 3600 });
    assert.equal((await outcome(premier.retry()(failing([busy]))())).error, busy);
  });

  test('no attempt starts after maxElapsedS', async () => {
    const { clock, premier } = setUp();
    const broken = failing(Array.from({ length: 9 }, () => new Error('no')));
    const result = outcome(premier.retry({ maxAttempts: 9, wait: 2, maxElapsedS: 5 })(broken)());
    await clock.advance(20);
    assert.equal(((await result).error as Error).message, 'no');
    assert.equal(broken.calls, 3);
  });

  test('a budget lets one retry in five through, and then the error itself', async () => {
    const { clock, premier } = setUp();
    const broken = failing(Array.from({ length: 1000 }, () => new Error('no')));
    const guarded = premier.retry({ maxAttempts: 2, wait: 0, budget: { ratio: 0.2, min: 0 } })(broken);
    for (let i = 0; i < 100; i++) {
      const result = outcome(guarded());
      await clock.advance(0);
      await result;
    }
    assert.equal(broken.calls, 120);
  });

  test('refusals by other policies are not retried, unless they are named', async () => {
    const { clock, premier } = setUp();
    const limited = premier.fixedWindow({ quota: 1, duration: 3 })(async function limited() {
      return 'in';
    });
    await limited();
    const plain = await outcome(premier.retry({ exceptions: [Error] })(limited)());
    assert.ok(plain.error instanceof QuotaExceedsError);
    const asking = premier.retry({ exceptions: [RejectedError], wait: 0 })(limited)();
    await clock.advance(3);
    assert.equal(await asking, 'in', 'it waited for the retryAfter of the refusal');
  });

  test('a timeout inside is retried; a timeout outside ends the retries', async () => {
    const { clock, premier } = setUp();
    const hanging = failing([], 'never', true);
    const patient = outcome(premier.pipe(premier.timeout(10), premier.retry({ maxAttempts: 9, wait: 1 }), premier.timeout(2))(hanging)());
    await clock.advance(30);
    const { error } = await patient;
    assert.ok(error instanceof TimeoutError);
    assert.equal(error.seconds, 10);
    assert.equal(hanging.calls, 4);
    await clock.advance(60);
    assert.equal(clock.timers, 0);
  });

  test('its signal ends the wait at once, with the reason of the signal', async () => {
    const { clock, premier } = setUp();
    const controller = new AbortController();
    const broken = failing([new Error('1'), new Error('2')]);
    const result = outcome(premier.retry({ wait: 100, signal: controller.signal })(broken)());
    await clock.advance(1);
    controller.abort(new Error('enough'));
    assert.equal(((await result).error as Error).message, 'enough');
    assert.deepEqual([broken.calls, clock.timers], [1, 0]);
  });

  test('its signal ends an attempt, and is the attempt’s signal too', async () => {
    const { premier } = setUp();
    const controller = new AbortController();
    let inner: AbortSignal | undefined;
    const hanging = premier.retry({ signal: controller.signal })(function hanging() {
      inner = premier.signal;
      return new Promise<never>(() => undefined);
    });
    const result = outcome(hanging());
    controller.abort('enough');
    assert.equal((await result).error, 'enough');
    assert.equal(inner?.aborted, true);
    assert.equal((await outcome(hanging())).error, 'enough', 'an aborted signal lets nothing begin');
  });

  test('one long-lived signal keeps no listener after 10,000 calls', async () => {
    const { clock, premier } = setUp();
    const { signal, listeners } = countingSignal();
    const policy = premier.retry({ signal, maxAttempts: 2, wait: 0 });
    const fine = policy(async () => 1);
    for (let i = 0; i < 10_000; i++) await fine();
    const failed = outcome(policy(failing([new Error('1'), new Error('2')]))());
    await clock.advance(1);
    await failed;
    assert.equal(listeners(), 0);
  });

  test('onFail and logger hear of each failure, and what they throw is dropped', async () => {
    const { clock, premier } = setUp();
    const heard: unknown[] = [];
    const retry = premier.retry({
      wait: 1,
      onFail: (id: string) => {
        heard.push(id);
        throw new Error('mine');
      },
      logger: (line) => {
        heard.push(line);
        throw new Error('mine');
      },
    });
    const result = retry(async function load(_id: string) {
      if (heard.length < 4) throw new Error('no');
      return 'well';
    })('a');
    await clock.advance(5);
    assert.equal(await result, 'well');
    assert.deepEqual(heard, [
      'load: attempt 1 of 3 failed, next in 1 s: Error: no',
      'a',
      'load: attempt 2 of 3 failed, next in 1 s: Error: no',
      'a',
    ]);
  });

  for (const [options, message] of [
    [{ maxAttempts: 0 }, 'retry: option "maxAttempts" must be a whole number of at least 1 (got 0)'],
    [{ maxAttempts: 1.5 }, 'retry: option "maxAttempts" must be a whole number of at least 1 (got 1.5)'],
    [{ maxAttempt: 3 }, 'retry: unknown option "maxAttempt"; did you mean "maxAttempts"?'],
    [{ exceptions: ['Error'] }, 'retry: option "exceptions" must be a list of error classes (got an array of 1)'],
    [
      { maxElapsedS: '5' },
      `retry: option "maxElapsedS" must be seconds as a number, or a string with a unit: '250ms', '5s', '1m', '2h', '7d' (got '5')`,
    ],
    [
      { maxElapsedS: '5 parsecs' },
      `retry: option "maxElapsedS" must be seconds as a number, or a string with a unit: '250ms', '5s', '1m', '2h', '7d' (got '5 parsecs')`,
    ],
    [
      { wait: { base: -1 } },
      `retry: option "wait.base" must be seconds as a number, or a string with a unit: '250ms', '5s', '1m', '2h', '7d' (got -1)`,
    ],
    [
      { wait: '5' },
      `retry: option "wait" must be seconds as a number, or a string with a unit: '250ms', '5s', '1m', '2h', '7d', or a list, each seconds as a number, or a string with a unit: '250ms', '5s', '1m', '2h', '7d', or a function (attempt, error) => duration, or an object with base, factor, max, jitter (got '5')`,
    ],
    [{ wait: { bse: 1 } }, 'retry: unknown option "wait.bse"; did you mean "base"?'],
    [7, 'retry: the options must be an object (got 7)'],
  ] as const) {
    test(`wrong options are refused when decorating: ${JSON.stringify(options)}`, () => {
      const { premier } = setUp();
      assert.throws(() => premier.retry(options as never), { name: 'OptionsError', code: 'PREMIER_OPTIONS', message });
      assert.throws(() => premier.retry(options as never), OptionsError);
    });
  }
});
