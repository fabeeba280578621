import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import 'reflect-metadata';
import { bulkhead, fallback, OptionsError, pipe, Premier, QuotaExceedsError, retry, timeit, TimeoutError, timeout } from 'premier';
import { FakeClock } from 'premier/testing';

/** This file is compiled twice, for standard and for legacy decorators: whatever it says holds for both. */
const clock = new FakeClock();
const premier = new Premier({ clock });

/** Marks a method as routers and guards do: on the function itself. */
const route = (path: string) => premier.use(routeDefinition, { path });
const routeDefinition = {
  name: 'route',
  options: {
    policy: 'route',
    fields: {} as never,
    parse: (options: { path: string }) => options,
  },
  create: () => ({ success: () => undefined }),
};

class Users {
  calls = 0;
  failures = 0;

  @premier.cacheResult({ expireS: 60, scope: 'class' })
  async find(id: string): Promise<string> {
    this.calls++;
    return `user ${id}`;
  }

  @premier.fixedWindow({ quota: 2, duration: 60, keymaker: (id: string) => `user:${id}` })
  async limited(id: string): Promise<string> {
    return id;
  }

  @premier.retry({ maxAttempts: 3, wait: 1 })
  async flaky(): Promise<number> {
    this.failures++;
    if (this.failures < 3) throw new Error(`failure ${this.failures}`);
    return this.failures;
  }

  @premier.timeout(5)
  async slow(signals: AbortSignal[]): Promise<never> {
    signals.push(premier.signal);
    return new Promise<never>(() => undefined);
  }

  @premier.timeit({ logThreshold: 0, logger: () => undefined })
  sum(a: number, b: number): number {
    return a + b;
  }

  @premier.fallback('nobody')
  @premier.retry({ maxAttempts: 2, wait: 0 })
  async broken(): Promise<string> {
    this.calls++;
    throw new Error('broken');
  }

  @premier.circuitBreaker({ failureThreshold: 1, name: 'shop' })
  static async shop(works: boolean): Promise<string> {
    if (!works) throw new Error('closed');
    return this.name;
  }

  @premier.retry({ wait: 0 })
  async ['computed name'](): Promise<string> {
    return 'computed';
  }
}

describe('one value, three uses', () => {
  test('a decorated method keeps its name, its length and its `this`', async () => {
    assert.equal(Users.prototype.find.name, 'find');
    assert.equal(Users.prototype.find.length, 1);
    const users = new Users();
    assert.equal(await users.find('7'), 'user 7');
    assert.equal(users.calls, 1);
  });

  test('a cached method runs once', async () => {
    const users = new Users();
    assert.equal(await users.find('a'), 'user a');
    assert.equal(await users.find('a'), 'user a');
    assert.equal(users.calls, 1);
  });

  test('a limited method is refused over its quota, a key each', async () => {
    const users = new Users();
    await users.limited('x');
    await users.limited('x');
    await assert.rejects(users.limited('x'), QuotaExceedsError);
    assert.equal(await users.limited('y'), 'y');
  });

  test('a failing method is tried again', async () => {
    const users = new Users();
    const result = users.flaky();
    await clock.advance(2);
    assert.equal(await result, 3);
  });

  test('a slow method is ended, and its signal aborted', async () => {
    const signals: AbortSignal[] = [];
    const ended = assert.rejects(new Users().slow(signals), (error) => {
      assert.ok(error instanceof TimeoutError);
      assert.deepEqual([error.seconds, error.functionName], [5, 'Users.slow']);
      assert.equal(signals[0]?.reason, error);
      return true;
    });
    await clock.advance(5);
    await ended;
  });

  test('timeit keeps a synchronous method synchronous', () => {
    assert.equal(new Users().sum(1, 2), 3);
  });

  test('stacked decorators nest, the first outermost', async () => {
    const users = new Users();
    const result = users.broken();
    await clock.advance(1);
    assert.equal(await result, 'nobody');
    assert.equal(users.calls, 2);
  });

  test('static methods and computed names are methods too', async () => {
    assert.equal(await Users.shop(true), 'Users');
    assert.equal(await new Users()['computed name'](), 'computed');
  });

  test('a wrapped function may be synchronous; its wrapper is async', async () => {
    const double = premier.retry()(function double(n: number) {
      return n * 2;
    });
    const result: Promise<number> = double(4);
    assert.equal(await result, 8);
    assert.equal(double.name, 'double');
    assert.equal(double.length, 1);
  });

  test('a pipe is a policy again, in all uses', async () => {
    const guarded = premier.pipe(premier.fallback('none'), premier.retry({ wait: 0 }), premier.timeout(1));
    class Service {
      tries = 0;
      @guarded
      async load(): Promise<string> {
        this.tries++;
        throw new Error('no');
      }
    }
    const service = new Service();
    const result = service.load();
    await clock.advance(1);
    assert.equal(await result, 'none');
    assert.equal(service.tries, 3);
    const names = premier.policiesOf(Service, 'load').map(({ policy }) => policy);
    assert.deepEqual(names, ['fallback', 'retry', 'timeout']);
    assert.equal(await guarded(async () => 'well')(), 'well');
  });

  test('own properties and own metadata of a method survive every wrapper', () => {
    const mark = <T extends (...args: never[]) => unknown>(fn: T): T => {
      Reflect.defineMetadata('path', '/users', fn);
      Object.defineProperty(fn, 'version', { value: 2, enumerable: true });
      return fn;
    };
    const marked = mark(async function handler() {
      return 1;
    });
    const wrapped = premier.retry()(premier.timeout(1)(marked));
    assert.equal(Reflect.getOwnMetadata('path', wrapped), '/users');
    assert.equal((wrapped as unknown as { version: number }).version, 2);
    assert.equal(wrapped.name, 'handler');
  });

  test('policiesOf reads what decorates a method, outermost first, from class, prototype and instance', () => {
    const names = (target: object) => premier.policiesOf(target, 'broken').map(({ policy }) => policy);
    assert.deepEqual(names(Users), ['fallback', 'retry']);
    assert.deepEqual(names(Users.prototype), ['fallback', 'retry']);
    assert.deepEqual(names(new Users()), ['fallback', 'retry']);
    assert.deepEqual(premier.policiesOf(Users, 'toString'), []);
    assert.deepEqual(premier.policiesOf(Users, 'flaky')[0]?.options, {
      maxAttempts: 3,
      wait: 1000,
      exceptions: undefined,
      handle: undefined,
      retryResult: undefined,
      maxElapsedS: undefined,
      budget: undefined,
      onFail: undefined,
      signal: undefined,
      logger: undefined,
    });
  });

  test('the stateless policies are plain functions too', async () => {
    const logged: string[] = [];
    const steady = pipe(
      timeit({ logThreshold: 0, logger: (line) => void logged.push(line) }),
      fallback(-1),
      retry({ maxAttempts: 2, wait: 0 }),
      bulkhead({ maxConcurrent: 1 }),
      timeout(1),
    );
    let calls = 0;
    const risky = steady(async function risky() {
      calls++;
      throw new Error('no');
    });
    assert.equal(await risky(), -1);
    assert.equal(calls, 2);
    assert.match(logged[0] ?? '', /^risky took \d+\.\d\d s$/);
  });

  test('a policy of one’s own has the same three uses', async () => {
    class Pages {
      @route('/home')
      async home(): Promise<string> {
        return 'home';
      }
    }
    assert.equal(await new Pages().home(), 'home');
    assert.deepEqual(premier.policiesOf(Pages, 'home'), [{ policy: 'route', options: { path: '/home' } }]);
  });

  test('what is no function is refused when decorating', () => {
    assert.throws(() => (premier.retry() as unknown as (fn: unknown) => unknown)(42), OptionsError);
    assert.throws(() => pipe((x: unknown) => x), OptionsError);
  });
});
