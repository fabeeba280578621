import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import { CircuitBreakerOpenError, memory, Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { deferred, outcome } from '../support/doubles.js';
import { type Process, processes, type ProcessOptions } from '../support/processes.js';
import { startRedis, until } from '../support/redisServer.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();
type End = 'well' | 'badly' | Promise<unknown>;

/** A process whose calls end as they are told. */
function sideOf({ premier, provider }: Process, options: object = {}) {
  const events: string[] = [];
  for (const event of ['circuitOpened', 'circuitClosed'] as const) premier.on(event, () => events.push(event));
  let runs = 0;
  const run = premier.circuitBreaker({ shared: true, name: 'shop', failureThreshold: 3, recoveryTimeout: 10, ...options })(
    async function call(end: End) {
      runs++;
      if (end === 'badly') throw new Error('no');
      return end;
    },
  );
  const call = (end: End = 'well') => outcome(run(end));
  const state = () => premier.breakers[0]?.state;
  const refused = async () => (await call()).error instanceof CircuitBreakerOpenError;
  const fail = async (times = 3) => {
    for (let i = 0; i < times; i++) await call('badly');
  };
  return { premier, provider, events, call, state, refused, fail, runs: () => runs };
}
type Side = ReturnType<typeof sideOf>;

function scene(t: TestContext, options: Partial<ProcessOptions> = {}, breaker: object = {}) {
  const clock = new FakeClock();
  const [a, b, c] = processes(t, 3, { url, clock, ...options }).map((process) => sideOf(process, breaker)) as [Side, Side, Side];
  /** What was asked of Redis has been answered and heard. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) await Promise.all([a, b, c].map(({ provider }) => provider.has('settled')));
  };
  /** Everybody calls, late enough to look what the others say. */
  const look = async (sides: readonly Side[] = [a, b, c], end: End = 'well'): Promise<void> => {
    await clock.advance(1.001);
    for (const side of sides) await side.call(end);
    await settle();
  };
  /** The circuit is open for all. */
  const openAll = async (): Promise<void> => {
    await look();
    await a.fail();
    await b.fail();
    await settle();
    await look();
    assert.deepEqual(
      [a, b, c].map(({ state }) => state()),
      ['open', 'open', 'open'],
    );
  };
  return { clock, a, b, c, settle, look, openAll };
}

for (const client of ['ioredis 6', 'node-redis'] as const) {
  describe(`a circuit of three processes over ${client}`, () => {
    test('one sick node opens only its own', async (t) => {
      const { a, b, c, settle, look } = scene(t, { client });
      await look();
      await a.fail();
      await settle();
      assert.equal(await a.refused(), true);
      await look([b, c]);
      await look([b, c]);
      assert.deepEqual([a.state(), b.state(), c.state()], ['open', 'closed', 'closed']);
      assert.deepEqual([await b.refused(), await c.refused()], [false, false]);
    });

    test('two of three open everyone’s, and one good probe closes it for all', async (t) => {
      const { clock, a, b, c, look, settle, openAll } = scene(t, { client });
      await openAll();
      assert.equal(c.runs(), 2);
      assert.equal(await c.refused(), true);
      await clock.advance(10);
      let probes = 0;
      const before = [a, b, c].map(({ runs }) => runs());
      for (let i = 0; i < 10 && [a, b, c].some(({ state }) => state() !== 'closed'); i++) {
        await look();
        probes ||= [a, b, c].filter(({ runs }, n) => runs() > (before[n] as number)).length;
      }
      assert.equal(probes, 1);
      assert.deepEqual([a.state(), b.state(), c.state()], ['closed', 'closed', 'closed']);
      await settle();
      for (const { events } of [a, b, c]) assert.deepEqual(events, ['circuitOpened', 'circuitClosed']);
    });

    test('while one probes the others are refused, and its failure keeps all open', async (t) => {
      const { clock, a, b, c, look, settle, openAll } = scene(t, { client });
      await openAll();
      await clock.advance(10);
      await a.call();
      await settle();
      const probe = deferred();
      await clock.advance('300ms');
      const before = a.runs();
      const probing = a.call(probe.promise);
      assert.equal(a.runs(), before + 1, 'it probes');
      for (let i = 0; i < 3; i++) {
        await look([b, c]);
        assert.deepEqual([await b.refused(), await c.refused(), await a.refused()], [true, true, true]);
      }
      probe.reject(new Error('no'));
      await probing;
      await settle();
      await look();
      assert.deepEqual([a.state(), b.state(), c.state()], ['open', 'open', 'open']);
      assert.deepEqual([await a.refused(), await b.refused(), await c.refused()], [true, true, true]);
    });

    test('a prober that says nothing more makes place for another after a while', async (t) => {
      const { clock, a, b, c, look, settle, openAll } = scene(t, { client });
      await openAll();
      await clock.advance(10);
      await a.call();
      await settle();
      await clock.advance('300ms');
      const before = a.runs();
      a.call(new Promise(() => undefined)).catch(() => undefined);
      assert.equal(a.runs(), before + 1);
      await look([b, c]);
      assert.deepEqual([await b.refused(), await c.refused()], [true, true]);
      await clock.advance(10);
      for (let i = 0; i < 5; i++) await look([b, c]);
      assert.deepEqual([b.state(), c.state()], ['closed', 'closed']);
    });
  });
}

describe('a shared circuit', () => {
  test('with two nodes both must have tripped', async (t) => {
    const clock = new FakeClock();
    const [a, b] = processes(t, 2, { url, clock }).map((process) => sideOf(process)) as [Side, Side];
    const settle = () => Promise.all([a, b].flatMap(({ provider }) => [provider.has('settled')]));
    for (const { call } of [a, b]) await call();
    await settle();
    await a.fail();
    await settle();
    await clock.advance(1.001);
    assert.equal(await b.refused(), false);
    await settle();
    assert.equal(await b.refused(), false);
    await b.fail();
    await settle();
    await clock.advance(5);
    assert.equal(await a.refused(), true);
    await settle();
    await clock.advance(4.5);
    assert.equal(await a.refused(), true, 'its own time is over, but not the one they have in common');
    assert.equal(await b.refused(), true);
  });

  test('a node that recovers alone bothers nobody, and its vote no longer counts', async (t) => {
    const { clock, a, b, c, look, settle } = scene(t);
    await look();
    await a.fail();
    await settle();
    await clock.advance(10);
    assert.equal(await a.refused(), false, 'its own probe needs no leave');
    assert.equal(a.state(), 'closed');
    await settle();
    await b.fail();
    await settle();
    await look([c]);
    await look([c]);
    assert.deepEqual([a.state(), b.state(), c.state()], ['closed', 'open', 'closed']);
  });

  test('a look that is answered after the good probe does not open it again', async (t) => {
    const { clock, a, settle, openAll } = scene(t);
    await openAll();
    await clock.advance(10);
    await a.call();
    await settle();
    a.events.length = 0;
    // This call looks, and its probe ends before the look is answered.
    await clock.advance('300ms');
    assert.equal(await a.refused(), false);
    assert.equal(a.state(), 'closed');
    await settle();
    assert.deepEqual(a.events, ['circuitClosed']);
  });

  test('a circuit opened by hand stays open when the others close theirs', async (t) => {
    const { clock, a, b, c, look, openAll } = scene(t);
    await openAll();
    a.premier.breakers.open('shop');
    await clock.advance(10);
    for (let i = 0; i < 6; i++) await look([b, c]);
    assert.deepEqual([b.state(), c.state()], ['closed', 'closed']);
    await look([a]);
    await look([a]);
    assert.equal(a.state(), 'open');
  });

  test('circuits by key are shared by key', async (t) => {
    const { a, b, c, look } = scene(t, {}, { key: (end: End) => (end === 'badly' ? 'bad host' : 'good host') });
    await look();
    await a.fail();
    await b.fail();
    await look([c], 'badly');
    await look([c], 'badly');
    assert.ok((await c.call('badly')).error instanceof CircuitBreakerOpenError);
    assert.equal(await c.refused(), false, 'the other host');
  });

  test('a prober that is killed does not wedge it', async (t) => {
    const keyspace = randomUUID();
    const file = new URL('../support/breakerChild.js', import.meta.url);
    const children = [0, 1].map(() => fork(file, [url, keyspace]));
    t.after(() => children.forEach((child) => child.kill('SIGKILL')));
    await Promise.race(children.map((child) => once(child, 'message')));
    for (const child of children) child.kill('SIGKILL');
    const [one] = processes(t, 1, { url, keyspace });
    const here = sideOf(one, { recoveryTimeout: 1 });
    await until('it is open here too', here.refused);
    await until('it is well again', async () => (await here.call()).value === 'well' && here.state() === 'closed');
  });

  test('without Redis each circuit is its own, and no call fails or waits for it', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const { clock, a, b, c, look } = scene(t, { url: server.url, redis: { deadline: 0.1 } });
    await look();
    const downs = [a, b, c].map(({ premier }) => new Promise((resolve) => premier.on('storeDown', resolve)));
    server.freeze();
    const began = performance.now();
    for (let i = 0; i < 20; i++) {
      await clock.advance(1.1);
      for (const { call } of [b, c]) assert.equal((await call()).value, 'well');
    }
    await a.fail();
    assert.equal(await a.refused(), true);
    assert.ok(performance.now() - began < 5000);
    await Promise.all(downs);
    assert.deepEqual([await b.refused(), await c.refused()], [false, false]);
    await clock.advance(10);
    assert.equal(await a.refused(), false, 'it probes by itself');
    server.thaw();
  });

  test('a circuit that was open for all recovers when Redis is lost meanwhile', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const { clock, a, b, c, openAll } = scene(t, { url: server.url, redis: { deadline: 0.1 } });
    await openAll();
    await server.kill();
    await clock.advance(11);
    await until('all are well', async () => {
      await clock.advance('300ms');
      for (const { call } of [a, b, c]) await call();
      return [a, b, c].every(({ state }) => state() === 'closed');
    });
  });

  test('in memory all Premiers on a provider have one circuit', async () => {
    const clock = new FakeClock();
    const provider = memory({ clock });
    const [a, b] = [0, 1].map(() => sideOf({ premier: new Premier({ clock, provider }), provider })) as [Side, Side];
    await a.fail(2);
    await b.fail(1);
    assert.deepEqual([await a.refused(), await b.refused()], [true, true]);
    await clock.advance(10);
    assert.equal(await b.refused(), false);
    assert.equal(await a.refused(), false);
  });
});
