import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError, Premier, type PremierEvent, memory, type StoreChange } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from './support/doubles.js';

describe('events', () => {
  test('a listener hears who, when and what, until it stops', async () => {
    const clock = new FakeClock(1000);
    const premier = new Premier({ clock });
    class Users {
      @premier.cacheResult()
      async find(id: string): Promise<string> {
        return id;
      }
    }
    const heard: PremierEvent[] = [];
    const stop = premier.on('*', (event) => heard.push(event));
    const users = new Users();
    await users.find('a');
    await users.find('a');
    stop();
    await users.find('a');
    assert.deepEqual(heard, [
      { type: 'cacheMiss', name: 'Users.find', at: 1000, key: 'a' },
      { type: 'cacheHit', name: 'Users.find', at: 1000, key: 'a' },
    ]);
    assert.equal(premier.stats().events.cacheHit, 2, 'what nobody hears is counted');
  });

  test('a listener that throws or rejects disturbs neither the call nor the next listener', async () => {
    const premier = new Premier();
    const heard: string[] = [];
    premier.on('fellBack', () => {
      throw new Error('mine');
    });
    const rejecting = async (): Promise<void> => {
      throw new Error('mine');
    };
    premier.on('fellBack', rejecting);
    premier.on('fellBack', ({ name }) => heard.push(name));
    const call = premier.fallback('other')(async function call(): Promise<string> {
      throw new Error('its');
    });
    assert.equal(await call(), 'other');
    assert.deepEqual(heard, ['call']);
  });

  test('every event is told with its detail', async () => {
    const clock = new FakeClock();
    const changes: ((change: StoreChange) => void)[] = [];
    const provider = Object.assign(memory({ clock }), {
      watch(listener: (change: StoreChange) => void) {
        changes.push(listener);
        return () => undefined;
      },
    });
    const premier = new Premier({ clock, provider });
    const heard = new Map<string, PremierEvent>();
    premier.on('*', (event) => heard.set(event.type, event));
    for (const tell of changes) {
      tell({ up: false, store: 'redis', error: new Error('gone') });
      tell({ up: true, store: 'redis', seconds: 2 });
    }
    const sick = async (): Promise<string> => {
      throw new Error('sick');
    };
    const named = <T>(fn: T, name: string): T => Object.defineProperty(fn as object, 'name', { value: name }) as T;
    const run = async (...calls: Promise<unknown>[]) => {
      const all = Promise.all(calls.map(outcome));
      await clock.advance(100);
      await all;
    };
    const cached = premier.cacheResult({ expireS: 50, staleS: 1000 })(async function cached() {
      return 1;
    });
    await run(cached());
    await run(cached());
    await cached();
    await clock.advance(0);
    await cached();
    await premier.clearCache();
    await run(premier.cacheResult({ name: 'f', tags: () => undefined as never })(async () => 1)());
    const limited = premier.fixedWindow({ quota: 1, duration: 1000 })(async function limited() {});
    await run(limited(), limited());
    const dripping = premier.leakyBucket({ quota: 1, duration: 1 })(named(async () => 1, 'dripping'));
    const slow = premier.leakyBucket({ quota: 1, duration: 1, bucketSize: 2, name: 'slow' })(async () => 1);
    await run(dripping(), slow(), slow());
    await run(
      premier.retry({
        onFail: () => {
          throw new Error('mine');
        },
      })(sick)(),
    );
    await run(premier.timeout(1)(() => new Promise(() => undefined))());
    const broken = premier.circuitBreaker({ failureThreshold: 1, recoveryTimeout: 50, name: 'c' })(async (works: boolean) =>
      works ? 1 : sick(),
    );
    await outcome(broken(false));
    await run(broken(true));
    await broken(true);
    const full = premier.bulkhead({ maxConcurrent: 1 })(() => new Promise<void>((resolve) => void clock.setTimer(resolve, 10)));
    await run(full(), full());
    await run(premier.hedge({ after: 1 })(() => new Promise<void>((resolve) => void clock.setTimer(resolve, 5000)))());
    await run(premier.fallback('x')(sick)());
    const sync = premier.timeit({ logThreshold: 0, logger: () => undefined })(() => 1);
    sync();
    const adaptive = premier.bulkhead({ adaptive: true, maxConcurrent: 50 })(sick);
    for (let i = 0; i < 40; i++) await outcome(adaptive());
    const silent = Object.keys(premier.stats().events).filter((name) => !heard.has(name));
    assert.deepEqual(silent, []);
    assert.deepEqual(Object.keys(heard.get('retried') ?? {}), ['type', 'name', 'at', 'attempt', 'wait', 'error']);
    assert.equal(heard.get('callbackFailed')?.type, 'callbackFailed');
  });

  test('an event that there is not, and a listener that is none, are refused', () => {
    const premier = new Premier();
    assert.throws(() => premier.on('cacheHits' as never, () => undefined), { name: 'OptionsError', message: /no event 'cacheHits'/ });
    assert.throws(() => premier.on('cacheHit', 'log' as never), OptionsError);
  });
});

describe('new Premier', () => {
  for (const options of [
    { keyspce: 'x' },
    { keyspace: '' },
    { provider: {} },
    { clock: 5 },
    { logger: 'console' },
    { scope: 'instance' },
  ]) {
    test(`wrong options are refused: ${JSON.stringify(options)}`, () => {
      assert.throws(() => new Premier(options as never), OptionsError);
    });
  }

  test('it can be closed, by hand and by `await using`', async () => {
    await new Premier().close();
    await using premier = new Premier();
    assert.equal(premier.keyspace, 'premier');
  });
});
