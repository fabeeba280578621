import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import type * as Package from 'premier';
import { OptionsError, Premier, PremierError, QuotaExceedsError, RejectedError, TimeoutError } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from './support/doubles.js';

const stateful = ['cacheResult', 'fixedWindow', 'slidingWindow', 'tokenBucket', 'leakyBucket', 'circuitBreaker'] as const;
type Wrap = (options?: unknown) => (fn: (...args: never[]) => unknown) => () => Promise<unknown>;
const methodOf = (premier: Premier, method: (typeof stateful)[number]): Wrap => (premier[method] as unknown as Wrap).bind(premier);
const optionsOf = (method: (typeof stateful)[number]): never =>
  (method === 'cacheResult' || method === 'circuitBreaker' ? {} : { quota: 9, duration: 60 }) as never;

describe('names', () => {
  for (const method of stateful) {
    test(`${method}: a function without a name is refused when wrapping`, () => {
      const premier = new Premier();
      assert.throws(() => methodOf(premier, method)(optionsOf(method))(async () => 1), { name: 'OptionsError', message: /needs a name/ });
      const named = methodOf(premier, method)({ ...(optionsOf(method) as object), name: 'given' });
      assert.ok(named(async () => 1));
    });

    test(`${method}: two functions that reach one name by accident are refused; an equal explicit name shares`, () => {
      const premier = new Premier();
      const policy = () => methodOf(premier, method)(optionsOf(method));
      const same = async function find() {
        return 1;
      };
      policy()(same);
      policy()(same);
      assert.throws(() => policy()(async function find() {}), { name: 'OptionsError', message: /pass \{ name: '…' \}/ });
      const shared = () => methodOf(premier, method)({ ...(optionsOf(method) as object), name: 'shared' });
      shared()(async () => 1);
      shared()(async () => 2);
    });
  }

  test('two classes of one name are two functions of one name: refused at the call', async () => {
    const premier = new Premier();
    const make = () => {
      class Users {
        @premier.cacheResult({ scope: 'class' })
        async find(): Promise<number> {
          return 1;
        }
      }
      return new Users();
    };
    assert.equal(await make().find(), 1);
    assert.ok((await outcome(make().find())).error instanceof OptionsError);
  });

  test('an explicit name shares a quota between functions', async () => {
    const premier = new Premier();
    const limited = premier.fixedWindow({ quota: 1, duration: 60, name: 'both' });
    const [one, two] = [limited(async () => 1), limited(async () => 2)];
    await one();
    assert.ok((await outcome(two())).error instanceof QuotaExceedsError);
  });

  test('a name can hold anything and stays in its place', async () => {
    const premier = new Premier();
    const cached = (name: string, value: number) => premier.cacheResult({ name })(async (_k: string) => value);
    const [plain, colon] = [cached('a', 1), cached('a:b', 2)];
    assert.deepEqual([await plain('b:c'), await colon('c')], [1, 2]);
    await premier.invalidate(plain);
    assert.equal(await colon('c'), 2);
    assert.equal(premier.cache.stats().hits, 1, 'the neighbour was left alone');
  });
});

describe('errors', () => {
  const require = createRequire(import.meta.url);
  const commonjs = require(require.resolve('premier').replace(/index\.\w+$/, 'index.cjs')) as typeof Package;

  test('another copy of the package is told by instanceof, and by code', async () => {
    const other = new commonjs.Premier();
    assert.notEqual(commonjs.Premier, Premier, 'two copies are loaded');
    const limited = other.fixedWindow({ quota: 1, duration: 60 })(async function limited() {});
    await limited();
    const { error } = await outcome(limited());
    for (const kind of [QuotaExceedsError, RejectedError, PremierError, Error]) assert.ok(error instanceof kind, kind.name);
    assert.ok(!(error instanceof TimeoutError));
    assert.equal((error as PremierError).code, 'PREMIER_QUOTA_EXCEEDED');
  });

  test('a class of one’s own below an error is not mistaken for its siblings', () => {
    class Mine extends RejectedError {}
    assert.ok(new Mine('x', 1) instanceof RejectedError);
    assert.ok(new Mine('x', 1) instanceof Mine);
    assert.ok(!(new RejectedError('x', 1) instanceof Mine));
  });

  test('refusals of another copy are not retried either', async () => {
    const clock = new FakeClock();
    const other = new commonjs.Premier();
    const limited = other.fixedWindow({ quota: 1, duration: 60 })(async function limited() {});
    await limited();
    assert.ok((await outcome(new Premier({ clock }).retry()(limited)())).error instanceof QuotaExceedsError);
  });

  test('Retry-After is whole seconds, rounded up, never 0, and left out when it is no use', () => {
    const header = (seconds: number) => new QuotaExceedsError('f', 1, 1, seconds, '').headers;
    assert.deepEqual([header(0.001), header(1.2), header(Infinity)], [{ 'retry-after': '1' }, { 'retry-after': '2' }, {}]);
  });
});
