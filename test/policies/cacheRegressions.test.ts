import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memory, OptionsError, Premier, TimeoutError } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';

/** Defects that were found and mended: what once went wrong stays right. */
const setUp = () => {
  const clock = new FakeClock();
  return { clock, premier: new Premier({ clock }) };
};

describe('caches', () => {
  test('a load that hangs is ended when the last who waits for it gives up', async () => {
    const { premier, clock } = setUp();
    let runs = 0;
    let signal: AbortSignal | undefined;
    const call = premier.pipe(
      premier.timeout(1),
      premier.cacheResult({ expireS: 60 }),
    )(function call(): Promise<string> {
      if (++runs > 1) return Promise.resolve('well');
      signal = premier.signal;
      return new Promise(() => undefined);
    });
    const [first, second] = [outcome(call()), outcome(call())];
    await clock.advance(1);
    assert.ok((await first).error instanceof TimeoutError && (await second).error instanceof TimeoutError);
    assert.equal(signal?.aborted, true);
    assert.equal(await call(), 'well');
  });

  test('instances with a wrapper each do not meet under one name', async () => {
    const { premier } = setUp();
    class Tenant {
      readonly own: () => Promise<string>;
      readonly unsaid: () => Promise<string>;
      constructor(readonly id: string) {
        const read = async function (this: Tenant): Promise<string> {
          return this.id;
        };
        this.own = premier.cacheResult({ name: 'own', scope: 'instance' })(read);
        this.unsaid = premier.cacheResult({ name: 'unsaid' })(read);
      }
    }
    const [a, b] = [new Tenant('a'), new Tenant('b')];
    assert.deepEqual([await a.own(), await b.own(), await a.unsaid()], ['a', 'b', 'a']);
    assert.ok((await outcome(b.unsaid())).error instanceof OptionsError);
  });

  test('two classes of one name that inherit a method are told apart', async () => {
    const { premier } = setUp();
    class Base {
      @premier.cacheResult({ scope: 'class' })
      async table(): Promise<string> {
        return (this.constructor as unknown as { table: string }).table;
      }
    }
    const make = (table: string) =>
      class Repository extends Base {
        static table = table;
      };
    assert.equal(await new (make('a'))().table(), 'a');
    assert.ok((await outcome(new (make('b'))().table())).error instanceof OptionsError);
  });

  test('a callback of cacheEvict that returns no list of texts is told, and the call succeeds', async () => {
    const { premier } = setUp();
    for (const wrong of [undefined, null, 'users', [1]]) {
      const call = premier.cacheEvict({ tags: () => wrong as never, keys: () => wrong as never })(async () => 'done');
      assert.equal(await call(), 'done');
    }
    assert.equal(premier.stats().events.callbackFailed, 8);
  });

  test('premier.cache.wrap shares a load that does not end with the call that made it', async () => {
    const { premier, clock } = setUp();
    const gate = deferred<string>();
    const dependency = premier.timeout(9)(() => gate.promise);
    const impatient = outcome(premier.timeout(1)(() => premier.cache.wrap('k', () => dependency()))());
    const patient = premier.cache.wrap('k', () => dependency());
    await clock.advance(2);
    assert.ok((await impatient).error instanceof TimeoutError);
    gate.resolve('loaded');
    assert.equal(await patient, 'loaded');
  });

  test('what is invalidated while a load begins does not come back; a load that asks for itself is told', async () => {
    const { premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult({ name: 'load' })((): number => {
      if (++runs === 1) void premier.invalidate(load);
      return runs;
    });
    await load();
    assert.equal(await load(), 2);
    const own: () => Promise<number> = premier.cacheResult({ name: 'own' })(() => own());
    assert.ok((await outcome(own())).error instanceof OptionsError);
  });

  test('invalidate drops what another function of the same explicit name has kept', async () => {
    const { premier } = setUp();
    let runs = 0;
    const shared = () => premier.cacheResult({ name: 'shared' })(async () => ++runs);
    const [one, two] = [shared(), shared()];
    await one();
    await premier.invalidate(two);
    assert.equal(await one(), 2);
  });

  test('bumps of other tags do not keep a slow load from being kept', async () => {
    const { premier } = setUp();
    const gate = deferred<string>();
    const load = premier.cacheResult({ tags: () => ['mine'] })(function load() {
      return gate.promise;
    });
    const calls = [load()];
    for (let i = 0; i < 3; i++) {
      await premier.invalidateTags(`other ${i}`);
      calls.push(load());
    }
    gate.resolve('loaded');
    assert.deepEqual(await Promise.all(calls), ['loaded', 'loaded', 'loaded', 'loaded']);
    await load();
    assert.equal(premier.stats().events.cacheHit, 1);
  });

  test('a value larger than all the room pushes out nothing', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock, provider: memory({ clock, maxBytes: 10_000 }) });
    await premier.cache.set('small', 'x');
    await premier.cache.set('huge', 'x'.repeat(20_000));
    assert.deepEqual([await premier.cache.get('small'), await premier.cache.get('huge')], ['x', undefined]);
  });

  test('wrong options of premier.cache.set are refused', async () => {
    const { premier } = setUp();
    for (const options of [{ expire: 1 }, { tags: 'users' }, null, 'soon', -1]) {
      await assert.rejects(premier.cache.set('k', 1, options as never), OptionsError);
    }
  });
});
