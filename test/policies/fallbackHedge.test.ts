import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, failing, outcome } from '../support/doubles.js';

const setUp = () => {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock }) };
};

describe('fallback', () => {
  test('a value answers in place of an error', async () => {
    const { premier } = setUp();
    assert.deepEqual(await premier.fallback([1])(failing([new Error('no')], [2]))(), [1]);
    assert.deepEqual(await premier.fallback([1])(failing([], [2]))(), [2]);
  });

  test('a function gets the error, the arguments and `this`, and may be async', async () => {
    const { premier } = setUp();
    const service = {
      name: 'shop',
      load: premier.fallback(async function (this: { name: string }, error: unknown, id: string) {
        return `${this.name} ${id} ${(error as Error).message}`;
      })(async function load(_id: string): Promise<string> {
        throw new Error('closed');
      }),
    };
    assert.equal(await service.load('7'), 'shop 7 closed');
  });

  test('an error that handle does not want passes; an error of the fallback is thrown', async () => {
    const { premier } = setUp();
    const picky = premier.fallback('x', { handle: (error) => error instanceof TypeError });
    assert.equal(((await outcome(picky(failing([new RangeError('r')]))())).error as Error).message, 'r');
    const broken = premier.fallback((): string => {
      throw new Error('of the fallback');
    });
    assert.equal(((await outcome(broken(failing([new Error('no')]))())).error as Error).message, 'of the fallback');
  });

  test('it answers for refusals too', async () => {
    const { premier } = setUp();
    const limited = premier.pipe(premier.fallback('later'), premier.fixedWindow({ quota: 1, duration: 60, name: 'limited' }));
    const call = limited(async () => 'now');
    assert.deepEqual([await call(), await call()], ['now', 'later']);
  });
});

describe('hedge', () => {
  /** A function whose attempts are settled by hand. */
  const attempts = (premier: Premier) => {
    const started: { settle: ReturnType<typeof deferred<string>>; signal: AbortSignal }[] = [];
    const fn = function load(): Promise<string> {
      const settle = deferred<string>();
      started.push({ settle, signal: premier.signal });
      return settle.promise;
    };
    return { started, fn };
  };

  test('a quick answer starts nothing else', async () => {
    const { clock, premier } = setUp();
    const quick = failing([], 'quick');
    assert.equal(await premier.hedge({ after: 1 })(quick)(), 'quick');
    await clock.advance(5);
    assert.deepEqual([quick.calls, clock.timers], [1, 0]);
  });

  test('a slow attempt gets another beside it; the first good answer wins and the other is aborted', async () => {
    const { clock, premier } = setUp();
    const { started, fn } = attempts(premier);
    const result = premier.hedge({ after: '100ms', maxAttempts: 3 })(fn)();
    await clock.advance('99ms');
    assert.equal(started.length, 1);
    await clock.advance('101ms');
    assert.equal(started.length, 3);
    await clock.advance(9);
    assert.equal(started.length, 3);
    started[1]?.settle.resolve('second');
    assert.equal(await result, 'second');
    assert.deepEqual(
      started.map(({ signal }) => signal.aborted),
      [true, false, true],
    );
    assert.equal(clock.timers, 0);
  });

  test('a failed attempt is followed at once; when all fail, the first error is thrown', async () => {
    const { premier } = setUp();
    const broken = failing([new Error('first'), new Error('second')]);
    const { error } = await outcome(premier.hedge({ after: 100 })(broken)());
    assert.equal((error as Error).message, 'first');
    assert.equal(broken.calls, 2);
  });

  test('a failure while another attempt runs waits for it', async () => {
    const { clock, premier } = setUp();
    const { started, fn } = attempts(premier);
    const result = premier.hedge({ after: 1 })(fn)();
    await clock.advance(1);
    started[0]?.settle.reject(new Error('first'));
    await clock.advance(0);
    started[1]?.settle.resolve('second');
    assert.equal(await result, 'second');
  });

  test('a late failure of a loser is nobody’s unhandled rejection and starts nothing', async () => {
    const { clock, premier } = setUp();
    const { started, fn } = attempts(premier);
    const result = premier.hedge({ after: 1, maxAttempts: 5 })(fn)();
    await clock.advance(1);
    started[1]?.settle.resolve('second');
    await result;
    started[0]?.settle.reject(new Error('late'));
    await clock.advance(9);
    assert.equal(started.length, 2);
  });

  test('a timeout outside aborts every attempt', async () => {
    const { clock, premier } = setUp();
    const { started, fn } = attempts(premier);
    const result = outcome(premier.pipe(premier.timeout(2), premier.hedge({ after: 1 }))(fn)());
    await clock.advance(5);
    assert.ok((await result).error);
    assert.deepEqual(
      started.map(({ signal }) => signal.aborted),
      [true, true],
    );
    assert.equal(clock.timers, 0);
  });
});
