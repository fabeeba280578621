import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { algorithms, ballot, lease } from '../../src/algorithms/index.js';
import { type Clock, systemClock } from '../../src/core/clock.js';
import { StoreUnavailableError } from '../../src/core/errors.js';
import type { StoreChange } from '../../src/core/provider.js';
import { Conversation } from '../../src/cli/ipcConversation.js';
import { Keeper } from '../../src/cli/ipcKeeper.js';
import { IpcProvider } from '../../src/cli/ipcProvider.js';
import type { StoreAsk } from '../../src/cli/ipcStore.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { providerLaws } from '../../src/testing/laws.js';

interface Primary {
  readonly keeper: Keeper;
  /** How many messages each worker has sent. */
  sent: number;
  /** Whether it takes its messages; what comes meanwhile waits. */
  frozen: boolean;
  thaw(): void;
  worker(): IpcProvider & { readonly gone: () => void };
}

/** A primary with its workers in one process: what travels is cloned, and arrives in a later tick. */
function primaryOn(clock: Clock): Primary {
  const workers: { readonly provider: IpcProvider; readonly primarySide: Conversation }[] = [];
  const late: (() => void)[] = [];
  const primary: Primary = {
    keeper: new Keeper(clock),
    sent: 0,
    frozen: false,
    thaw() {
      primary.frozen = false;
      for (const deliver of late.splice(0)) deliver();
    },
    worker() {
      const pass = (to: () => Conversation, message: unknown): void => {
        const cloned: unknown = structuredClone(message);
        const deliver = (): void => to().received(cloned);
        setImmediate(() => (primary.frozen ? late.push(deliver) : deliver()));
      };
      const workerSide: Conversation = new Conversation({
        clock,
        send(message) {
          primary.sent++;
          pass(() => primarySide, message);
        },
        asked: () => undefined,
        told(kind, body) {
          if (kind === 'heard') provider.heard(...(body as [string, string]));
          else provider.dropped(kind as 'drop', body as string);
        },
      });
      const provider = Object.assign(new IpcProvider(workerSide, { clock, deadline: 1000 }), { gone: () => workerSide.close() });
      const primarySide: Conversation = new Conversation({
        clock,
        send: (message) => pass(() => workerSide, message),
        asked: (_kind, body) =>
          primary.keeper.answer(body as StoreAsk[], (kind, key) => {
            for (const other of workers) if (other.provider !== provider) other.primarySide.tell(kind, key);
          }),
        told: (_kind, body) => workers.forEach((each) => each.primarySide.tell('heard', body)),
      });
      workers.push({ provider, primarySide });
      return provider;
    },
  };
  return primary;
}

const perMinute = (quota: number) => ({ quota, duration: 60_000, capacity: quota, cost: 1 });
const settled = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('the provider of a worker', () => {
  for (const { name, check } of providerLaws({ make: (clock) => primaryOn(clock).worker() })) test(name, check);

  test('a quota is one quota for all workers', async () => {
    const primary = primaryOn(systemClock);
    const workers = Array.from({ length: 4 }, () => primary.worker());
    const verdicts = await Promise.all(
      Array.from({ length: 400 }, (_, i) => workers[i % 4]?.open('p:').step('k', algorithms.sliding_window, perMinute(37))),
    );
    assert.equal(verdicts.filter((verdict) => verdict?.allowed).length, 37);
  });

  test('all steps of one tick travel in one message', async () => {
    const primary = primaryOn(systemClock);
    const worker = primary.worker();
    await Promise.all(Array.from({ length: 50 }, (_, i) => worker.step(`k${i}`, algorithms.fixed_window, perMinute(1))));
    assert.equal(primary.sent, 1);
  });

  test('a refusal that never ends survives the way', async () => {
    const worker = primaryOn(systemClock).worker();
    const { retryAfter } = await worker.step('k', algorithms.fixed_window, { ...perMinute(3), cost: 4 });
    assert.equal(retryAfter, Infinity);
  });

  test('leases and ballots are held in common', async () => {
    const primary = primaryOn(systemClock);
    const [a, b] = [primary.worker(), primary.worker()];
    assert.equal((await a.step('lock', lease, { holder: 'a', ttl: 1000 })).allowed, true);
    assert.equal((await b.step('lock', lease, { holder: 'b', ttl: 1000 })).allowed, false);
    await a.step('circuit', ballot, { node: 'a', action: 'trip', span: 1000 });
    assert.equal((await b.step('circuit', ballot, { node: 'b', action: 'trip', span: 1000 })).state, 'open');
  });

  test('an algorithm that the primary does not know is refused by name', () => {
    const worker = primaryOn(systemClock).worker();
    assert.throws(() => worker.step('k', { ...algorithms.fixed_window, name: 'own' }, perMinute(1)), /algorithm 'own'.*store\.redis/);
  });

  test('who drops a key drops it in every worker, and its counter with it', async () => {
    const primary = primaryOn(systemClock);
    const [a, b] = [primary.worker(), primary.worker()];
    b.set('cached', 1);
    await a.step('counted', algorithms.fixed_window, perMinute(1));
    await a.delete('cached');
    assert.equal(await a.delete('counted'), true);
    await settled();
    assert.equal(b.get('cached'), undefined);
    assert.equal((await b.step('counted', algorithms.fixed_window, perMinute(1))).allowed, true);
    b.set('p:1', 1);
    await a.clear('p:');
    await settled();
    assert.equal(b.get('p:1'), undefined);
  });

  test('a value that was being made while another worker dropped its key is not kept', async () => {
    const primary = primaryOn(systemClock);
    const [a, b] = [primary.worker(), primary.worker()];
    const store = b.open('p:').shared;
    const [stale, fresh] = [await store?.begin('k'), await b.open('p:').shared?.begin('other')];
    await a.delete('p:k');
    await settled();
    assert.equal(await store?.put('k', 'stale', 1000, stale as string), false);
    assert.equal(await store?.put('other', 'fresh', 1000, fresh as string), true);
    assert.equal(b.get('p:k'), undefined);
    assert.equal((await store?.read('other'))?.value, 'fresh');
  });

  test('what one worker publishes, all hear until they close', async () => {
    const primary = primaryOn(systemClock);
    const [a, b] = [primary.worker(), primary.worker()];
    const heard: string[] = [];
    const of = (who: string) => ({
      message: (text: string) => heard.push(who + text),
      up: () => heard.push(`${who} up`),
      down: () => undefined,
    });
    a.bus.subscribe('news', of('a'));
    const subscription = b.bus.subscribe('news', of('b'));
    await settled();
    await a.bus.publish('news', '1');
    await a.bus.publish('elsewhere', '2');
    await settled();
    subscription.close();
    await a.bus.publish('news', '3');
    await settled();
    assert.deepEqual(heard, ['a up', 'b up', 'a1', 'b1', 'a3']);
  });
});

describe('a primary that is silent', () => {
  test('a step fails at the deadline, the next ones at once, and all is well when the primary speaks again', async () => {
    const clock = new FakeClock();
    const primary = primaryOn(clock);
    const worker = primary.worker();
    const told: StoreChange[] = [];
    worker.watch((change) => told.push(change));
    primary.frozen = true;
    const first = assert.rejects(worker.step('k', algorithms.fixed_window, perMinute(1)), StoreUnavailableError);
    await clock.advance('1001ms');
    await first;
    assert.deepEqual(
      told.map(({ up }) => up),
      [false],
    );
    const sent = primary.sent;
    await assert.rejects(worker.step('k', algorithms.fixed_window, perMinute(1)), /does not answer/);
    assert.equal(primary.sent, sent, 'nothing piles up in front of a silent primary');
    primary.thaw();
    await settled();
    assert.deepEqual(
      told.map(({ up }) => up),
      [false, true],
    );
    assert.equal((await worker.step('other', algorithms.fixed_window, perMinute(1))).allowed, true);
    assert.equal(clock.timers, 0, 'no deadline is left behind');
  });

  test('a step under way fails when the primary is gone', async () => {
    const primary = primaryOn(new FakeClock());
    const worker = primary.worker();
    primary.frozen = true;
    const step = assert.rejects(worker.step('k', algorithms.fixed_window, perMinute(1)), StoreUnavailableError);
    await settled();
    worker.gone();
    await step;
    await assert.rejects(worker.step('k', algorithms.fixed_window, perMinute(1)), StoreUnavailableError);
  });
});
