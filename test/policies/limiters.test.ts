import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KeyError, memory, OptionsError, Premier, QuotaExceedsError } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from '../support/doubles.js';

const setUp = () => {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock }) };
};

describe('limiters', () => {
  for (const method of ['fixedWindow', 'slidingWindow', 'tokenBucket'] as const) {
    test(`${method} refuses over its quota, with an exact retryAfter, and admits at that instant`, async () => {
      const { clock, premier } = setUp();
      let runs = 0;
      const call = premier[method]({ quota: 3, duration: '7s' })(async function call() {
        return ++runs;
      });
      for (let i = 0; i < 3; i++) await call();
      await clock.advance(1);
      const { error } = await outcome(call());
      assert.ok(error instanceof QuotaExceedsError);
      assert.deepEqual([error.quota, error.duration, error.key, error.statusCode, error.expose], [3, 7, '', 429, true]);
      assert.equal(error.timeRemains, error.retryAfter);
      assert.equal(runs, 3);
      await clock.advance(`${error.retryAfter * 1000 - 1}ms`);
      assert.ok((await outcome(call())).error instanceof QuotaExceedsError);
      await clock.advance('1ms');
      assert.equal(await call(), 4);
    });
  }

  test('a keymaker gives each caller a quota of its own, and sees `this`', async () => {
    const { premier } = setUp();
    class Api {
      constructor(readonly tenant: string) {}
      @premier.fixedWindow({
        quota: 1,
        duration: 60,
        keymaker(this: Api, user: string) {
          return `${this.tenant}/${user}`;
        },
      })
      async get(user: string): Promise<string> {
        return user;
      }
    }
    const [a, b] = [new Api('a'), new Api('b')];
    assert.deepEqual([await a.get('x'), await b.get('x'), await a.get('y')], ['x', 'x', 'y']);
    const { error } = await outcome(a.get('x'));
    assert.equal((error as QuotaExceedsError).key, 'a/x');
  });

  test('a keymaker that throws, or names nobody, is a KeyError, never a shared key', async () => {
    const { premier } = setUp();
    const limited = premier.fixedWindow({ quota: 9, duration: 60, keymaker: (user: { id?: string }) => user.id as string });
    const call = limited(async function call(_user: { id?: string }) {
      return 1;
    });
    assert.ok((await outcome(call({}))).error instanceof KeyError);
    const { error } = await outcome(call(undefined as never));
    assert.ok(error instanceof KeyError && error.cause instanceof TypeError);
    assert.equal(await call({ id: 'x' }), 1);
  });

  test('a cost is spent whole or not at all; 0 is free', async () => {
    const { premier } = setUp();
    const spend = premier.tokenBucket({ quota: 10, duration: 10, cost: (n: number) => n })(async function spend(n: number) {
      return n;
    });
    await spend(7);
    const { error } = await outcome(spend(5));
    assert.equal((error as QuotaExceedsError).retryAfter, 2);
    assert.deepEqual([await spend(3), await spend(0)], [3, 0]);
    assert.equal(((await outcome(spend(11))).error as QuotaExceedsError).retryAfter, Infinity);
    for (const wrong of [-1, 1.5, NaN]) assert.ok((await outcome(spend(wrong))).error instanceof OptionsError);
  });

  test('a token bucket has a burst of its own', async () => {
    const { clock, premier } = setUp();
    const call = premier.tokenBucket({ quota: 1, duration: 1, burst: 5 })(async function call() {
      return 1;
    });
    for (let i = 0; i < 5; i++) await call();
    assert.ok((await outcome(call())).error);
    await clock.advance(2);
    await call();
    await call();
    assert.ok((await outcome(call())).error);
  });

  test('a leaky bucket lets calls go one by one, in order, and refuses over its size', async () => {
    const { clock, premier } = setUp();
    const left: [number, number][] = [];
    const start = clock.now();
    const call = premier.leakyBucket({ quota: 1, duration: 1, bucketSize: 3 })(async function call(id: number) {
      left.push([id, clock.now() - start]);
    });
    const calls = [1, 2, 3, 4].map((id) => outcome(call(id)));
    const { error } = (await calls[3]) ?? {};
    assert.ok(error instanceof QuotaExceedsError);
    assert.equal(error.retryAfter, 1);
    await clock.advance(5);
    assert.deepEqual(left, [
      [1, 0],
      [2, 1000],
      [3, 2000],
    ]);
    assert.equal(clock.timers, 0);
  });

  test('an abort gives its place back: those behind move up, and a newcomer finds room', async () => {
    const { clock, premier } = setUp();
    const left: [number, number][] = [];
    const start = clock.now();
    const bucket = premier.leakyBucket({ quota: 1, duration: 1, bucketSize: 4 })(async function bucket(id: number) {
      left.push([id, clock.now() - start]);
    });
    const impatient = premier.timeout('500ms')((id: number) => bucket(id));
    const calls = [bucket(1), outcome(impatient(2)), bucket(3), bucket(4), outcome(bucket(5))];
    assert.ok(((await calls[4]) as { error?: unknown }).error, 'the bucket is full');
    await clock.advance('600ms');
    void bucket(6);
    await clock.advance(9);
    assert.deepEqual(left, [
      [1, 0],
      [3, 1000],
      [4, 2000],
      [6, 3000],
    ]);
  });

  test("onExceeded: 'wait' waits until the quota admits, first come first served", async () => {
    const { clock, premier } = setUp();
    const order: [number, number][] = [];
    const start = clock.now();
    const call = premier.slidingWindow({ quota: 2, duration: 1, onExceeded: 'wait' })(async function call(id: number) {
      order.push([id, clock.now() - start]);
    });
    for (const id of [1, 2, 3, 4, 5]) void call(id);
    await clock.advance('500ms');
    void call(6);
    await clock.advance(9);
    assert.deepEqual(order, [
      [1, 0],
      [2, 0],
      [3, 1000],
      [4, 1000],
      [5, 2000],
      [6, 2000],
    ]);
    assert.equal(clock.timers, 0);
  });

  test('who cannot be admitted within maxWaitS is refused at once; an abort leaves the line', async () => {
    const { clock, premier } = setUp();
    const call = premier.fixedWindow({ quota: 1, duration: 10, onExceeded: 'wait', maxWaitS: 15 })(async function call(id: number) {
      return id;
    });
    await call(1);
    const second = call(2);
    const third = outcome(call(3));
    const aborted = outcome(premier.timeout(1)((id: number) => call(id))(4));
    await clock.advance(1);
    assert.ok((await aborted).error);
    await clock.advance(9);
    assert.equal(await second, 2);
    const { error } = await third;
    assert.ok(error instanceof QuotaExceedsError, 'its turn would have been at 20 s');
    assert.equal(clock.timers, 0);
  });

  test('several limits are spent all or none, and the one that binds is told', async () => {
    const { clock, premier } = setUp();
    const call = premier.throttle({
      keymaker: (user: string) => user,
      limits: [
        { algorithm: 'sliding_window', quota: 2, duration: 1 },
        { algorithm: 'token_bucket', quota: 3, duration: 60 },
        { algorithm: 'fixed_window', quota: 100, duration: '1h', keymaker: () => 'everybody' },
      ],
    })(async function call(user: string) {
      return user;
    });
    await call('a');
    await call('a');
    const short = await outcome(call('a'));
    assert.equal((short.error as QuotaExceedsError).retryAfter, 1);
    await clock.advance(1);
    await call('a');
    const long = await outcome(call('a'));
    assert.deepEqual([(long.error as QuotaExceedsError).quota, (long.error as QuotaExceedsError).retryAfter], [3, 19]);
    assert.equal(await call('b'), 'b');
  });

  test('throttle takes any algorithm by name', async () => {
    const { premier } = setUp();
    const call = premier.throttle({ algorithm: 'sliding_window', quota: 1, duration: 60 })(async function call() {
      return 1;
    });
    await call();
    assert.ok((await outcome(call())).error instanceof QuotaExceedsError);
  });

  test('two limits of one kind on one method are two limits', async () => {
    const { premier } = setUp();
    class Api {
      @premier.fixedWindow({ quota: 5, duration: 60 })
      @premier.fixedWindow({ quota: 2, duration: 1, keymaker: (id: string) => id })
      async get(id: string): Promise<string> {
        return id;
      }
    }
    const api = new Api();
    for (const id of ['a', 'a', 'b', 'b', 'c']) await api.get(id);
    assert.equal(((await outcome(api.get('d'))).error as QuotaExceedsError).quota, 5);
  });

  test('a flood of one-shot keys pushes out no counter that is in use', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock, provider: memory({ clock, maxEntries: 100 }) });
    const call = premier.fixedWindow({ quota: 3, duration: 60, keymaker: (id: string) => id })(async function call(id: string) {
      return id;
    });
    const cached = premier.cacheResult()(async function cached(n: number) {
      return n;
    });
    for (let i = 0; i < 3; i++) await call('busy');
    for (let i = 0; i < 1000; i++) await call(`one-shot ${i}`);
    for (let i = 0; i < 1000; i++) await cached(i);
    assert.ok((await outcome(call('busy'))).error instanceof QuotaExceedsError);
  });

  test('clearThrottle forgets a keyspace, and app never touches app2', async () => {
    const clock = new FakeClock();
    const provider = memory({ clock });
    const limited = (keyspace: string) => {
      const premier = new Premier({ clock, provider, keyspace });
      const call = premier.fixedWindow({ quota: 1, duration: 60 })(async function call() {
        return keyspace;
      });
      return { premier, call };
    };
    const [app, app2] = [limited('app'), limited('app2')];
    await app.call();
    await app2.call();
    await app.premier.clearThrottle();
    assert.equal(await app.call(), 'app');
    assert.ok((await outcome(app2.call())).error);
    await app.premier.clearThrottle('app2');
    assert.equal(await app2.call(), 'app2');
  });

  test('50 ms and 60 days are durations like any other', async () => {
    for (const [duration, almost, rest] of [
      ['50ms', '49ms', '1ms'],
      ['60d', '59d', '1d'],
    ] as const) {
      const { clock, premier } = setUp();
      const limiter = premier.limiter({ quota: 1, duration, algorithm: 'sliding_window' });
      await limiter.consume('k');
      await clock.advance(almost);
      assert.equal((await limiter.consume('k')).allowed, false);
      await clock.advance(rest);
      assert.equal((await limiter.consume('k')).allowed, true);
    }
  });

  for (const [method, options] of [
    ['fixedWindow', { duration: 60 }],
    ['fixedWindow', { quota: 0, duration: 60 }],
    ['fixedWindow', { quota: 1, duration: 0 }],
    ['fixedWindow', { quota: 1, duration: 60, burst: 3 }],
    ['slidingWindow', { quota: 1e15, duration: '60d' }],
    ['tokenBucket', { quota: 1, duration: 60, onExceeded: 'drop' }],
    ['leakyBucket', { quota: 1, duration: 60, bucketSize: 0 }],
    ['throttle', { quota: 1 }],
    ['throttle', { quota: 1, duration: 60, limits: [{ quota: 1, duration: 1 }] }],
    ['throttle', { limits: [] }],
    ['throttle', { limits: [{ quota: 1, duration: 1, burst: 2 }] }],
    ['throttle', { algorithm: 'tokens', quota: 1, duration: 1 }],
  ] as const) {
    test(`wrong options are refused when decorating: ${method} ${JSON.stringify(options)}`, () => {
      const premier = new Premier();
      assert.throws(
        () => (premier[method] as (options: unknown) => (fn: unknown) => unknown)(options)(async function call() {}),
        OptionsError,
      );
    });
  }
});
