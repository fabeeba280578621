import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import { TimeoutError } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from '../support/doubles.js';
import { gated, pass, passing, type Process, processes, type ProcessOptions } from '../support/processes.js';
import { startRedis, until } from '../support/redisServer.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();

/** A process that loads under a lock. */
function sideOf({ premier }: Process) {
  const load = gated();
  const cached = premier.cacheResult({ name: 'load', cacheKey: (id: string) => id, lock: true })(function find(
    _id: string,
  ): Promise<string> {
    return load.run();
  });
  const hasty = premier.pipe(
    premier.timeout(1),
    premier.cacheResult({ name: 'load', cacheKey: (id: string) => id, lock: true }),
  )(function find(_id: string): Promise<string> {
    return load.run();
  });
  return { premier, ...load, cached, hasty };
}

function scene(t: TestContext, options: Partial<ProcessOptions> = {}) {
  const clock = new FakeClock();
  const [one, two, three] = processes(t, 3, { url, clock, ...options });
  return { clock, a: sideOf(one), b: sideOf(two), c: sideOf(three) };
}

/** Ends the promise by letting time pass. */
async function inTime<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const settled = promise.finally(() => (done = true));
  settled.catch(() => undefined);
  assert.ok(await passing(clock, 30, () => done), 'it ends');
  return settled;
}

describe('one load at a time for all processes', () => {
  for (const tiered of [false, true]) {
    test(`fifty callers in each of three processes run it once${tiered ? ' (tiered)' : ''}`, async (t) => {
      const { clock, a, b, c } = scene(t, { tiered });
      const sides = [a, b, c];
      const calls = sides.flatMap(({ cached }) => Array.from({ length: 50 }, () => cached('x')));
      await Promise.race(sides.map((side) => side.begun(1)));
      await pass(clock, 1);
      assert.equal(
        sides.reduce((runs, { gates }) => runs + gates.length, 0),
        1,
      );
      for (const { gates } of sides) gates[0]?.resolve('loaded');
      assert.deepEqual(new Set(await inTime(clock, Promise.all(calls))), new Set(['loaded']));
      assert.equal(
        sides.reduce((runs, { gates }) => runs + gates.length, 0),
        1,
      );
    });
  }

  test('when a load fails, another process that waits loads', async (t) => {
    const { clock, a, b } = scene(t);
    const first = outcome(a.cached('x'));
    await a.begun(1);
    const second = b.cached('x');
    await pass(clock, 0.5);
    assert.equal(b.gates.length, 0);
    a.gates[0]?.reject(new Error('no'));
    assert.match(String((await first).error), /no/);
    assert.ok(await passing(clock, 2.5, () => b.gates.length === 1));
    b.gates[0]?.resolve('well');
    assert.equal(await second, 'well');
  });

  test('a load that is slower than its lease keeps it', async (t) => {
    const { clock, a, b } = scene(t);
    const first = a.cached('x');
    await a.begun(1);
    const second = b.cached('x');
    await pass(clock, 12);
    assert.equal(b.gates.length, 0);
    a.gates[0]?.resolve('slow');
    assert.deepEqual([await first, await inTime(clock, second)], ['slow', 'slow']);
    assert.equal(b.gates.length, 0);
  });

  test('a holder that is killed frees it within seconds', async (t) => {
    const keyspace = randomUUID();
    const child = fork(new URL('../support/cacheChild.js', import.meta.url), [url, keyspace]);
    t.after(() => child.kill('SIGKILL'));
    assert.deepEqual(await once(child, 'message').then(([told]: unknown[]) => told), 'loading');
    const [one] = processes(t, 1, { url, keyspace });
    const here = sideOf(one);
    const loaded = here.cached('x');
    child.kill('SIGKILL');
    await here.begun(1);
    here.gates[0]?.resolve('after all');
    assert.equal(await loaded, 'after all');
  });

  test('a load that fails while its lease is prolonged gives it back', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const { clock, a, b } = scene(t, { url: server.url });
    const first = outcome(a.cached('x'));
    await a.begun(1);
    server.freeze();
    await clock.advance(1);
    a.gates[0]?.reject(new Error('no'));
    await first;
    server.thaw();
    await pass(clock, 1);
    const second = b.cached('x');
    assert.ok(await passing(clock, 10, () => b.gates.length === 1), 'the lease is free');
    b.gates[0]?.resolve('well');
    assert.equal(await second, 'well');
  });

  test('a lease that could not be prolonged once is prolonged the next time', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const { clock, a, b } = scene(t, { url: server.url, redis: { deadline: 0.2 } });
    const first = a.cached('x');
    await a.begun(1);
    const up = new Promise((resolve) => a.premier.on('storeUp', resolve));
    server.freeze();
    const down = new Promise((resolve) => a.premier.on('storeDown', resolve));
    await clock.advance(1);
    await down;
    server.thaw();
    await up;
    await pass(clock, 6);
    const second = b.cached('x');
    await pass(clock, 1);
    assert.equal(b.gates.length, 0);
    a.gates[0]?.resolve('slow');
    assert.deepEqual([await first, await inTime(clock, second)], ['slow', 'slow']);
  });

  test('who gives up waiting no longer waits: nothing runs for nobody', async (t) => {
    const { clock, a, b } = scene(t);
    const first = outcome(a.cached('x'));
    await a.begun(1);
    const second = outcome(b.hasty('x'));
    await passing(clock, 2, () => false);
    assert.ok((await second).error instanceof TimeoutError);
    a.gates[0]?.reject(new Error('no'));
    await first;
    await pass(clock, 2);
    assert.equal(b.gates.length, 0);
    assert.equal(clock.timers, 0);
  });

  test('who gives up while another process loads for ever leaves nothing behind', async (t) => {
    const { clock, a, b } = scene(t);
    outcome(a.cached('x')).catch(() => undefined);
    await a.begun(1);
    const before = clock.timers;
    assert.ok((await inTime(clock, outcome(b.hasty('x')))).error instanceof TimeoutError);
    await pass(clock, 0.5);
    assert.equal(clock.timers, before);
  });

  test('an early refresh loads, though there is a value still', async (t) => {
    const clock = new FakeClock();
    const [{ premier }] = processes(t, 1, { url, clock, premier: { random: () => 0.999 } });
    const load = gated();
    const cached = premier.cacheResult({ name: 'load', lock: true, expireS: 60, earlyBeta: 1 })(load.run);
    const first = cached();
    await load.begun(1);
    await clock.advance(1);
    load.gates[0]?.resolve('old');
    await first;
    await clock.advance(57);
    assert.equal(await cached(), 'old');
    assert.ok(await passing(clock, 1, () => load.gates.length === 2));
    load.gates[1]?.resolve('new');
    await until('the new value', async () => (await cached()) === 'new');
  });

  test('when Redis is lost while they wait, everybody loads by himself', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const { clock, a, b, c } = scene(t, { url: server.url, redis: { deadline: 0.2 } });
    const first = a.cached('x');
    await a.begun(1);
    const others = [b.cached('x'), c.cached('x')];
    await pass(clock, 0.5);
    assert.deepEqual([b.gates.length, c.gates.length], [0, 0]);
    await server.kill();
    assert.ok(await passing(clock, 60, () => b.gates.length === 1 && c.gates.length === 1));
    for (const { gates } of [a, b, c]) gates[0]?.resolve('alone');
    assert.deepEqual(await inTime(clock, Promise.all([first, ...others])), ['alone', 'alone', 'alone']);
  });
});
