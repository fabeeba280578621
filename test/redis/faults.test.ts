import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Premier, QuotaExceedsError, RejectedError, StoreUnavailableError } from 'premier';
import { redis } from 'premier/redis';
import { outcome } from '../support/doubles.js';
import { clientKinds, type OpenClient, openClient } from '../support/redisClients.js';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis, until } from '../support/redisServer.js';

/** No call waits longer, in milliseconds: far below what the clients wait by themselves, far above the deadline of a busy machine. */
const longest = 10_000;
const modes = ['local', 'open', 'closed'] as const;
const quota = 5;
const hour = { quota, duration: 3600 };

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

/** One way in which a Redis cannot serve, and the way back. */
interface Fault {
  readonly breaks: (server: RedisServer, admin: Redis) => Promise<unknown>;
  readonly mends: (server: RedisServer, admin: Redis) => Promise<unknown>;
}

const faults: Readonly<Record<string, Fault>> = {
  'hangs (SIGSTOP)': { breaks: async (server) => server.freeze(), mends: async (server) => server.thaw() },
  'crashes (kill -9) and starts again': { breaks: (server) => server.kill(), mends: (server) => server.restart() },
  'is slow (CLIENT PAUSE)': {
    breaks: (_server, admin) => admin.call('CLIENT', 'PAUSE', '1000', 'ALL'),
    mends: async () => undefined,
  },
  'is read-only': {
    breaks: (_server, admin) => admin.call('REPLICAOF', '127.0.0.1', '1'),
    mends: (_server, admin) => admin.call('REPLICAOF', 'NO', 'ONE'),
  },
  'is out of memory': {
    breaks: (_server, admin) => admin.call('CONFIG', 'SET', 'maxmemory', '1'),
    mends: (_server, admin) => admin.call('CONFIG', 'SET', 'maxmemory', '0'),
  },
  'wants a password': {
    breaks: async (_server, admin) => {
      await admin.call('CONFIG', 'SET', 'requirepass', 'secret');
      // Who was let in before stays in.
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
    mends: (_server, admin) => admin.call('CONFIG', 'SET', 'requirepass', ''),
  },
};

interface Health {
  readonly downs: unknown[];
  readonly ups: unknown[];
}

const listen = (premier: Premier): Health => {
  const health: Health = { downs: [], ups: [] };
  premier.on('storeDown', (event) => health.downs.push(event));
  premier.on('storeUp', (event) => health.ups.push(event));
  return health;
};

/** How something ended, and that it did so in time. */
async function soon<T>(what: string, promise: Promise<T>): Promise<{ readonly value?: T; readonly error?: unknown }> {
  const started = performance.now();
  const ended = await outcome(promise);
  const took = performance.now() - started;
  assert.ok(took < longest, `${what} took ${took} ms`);
  return ended;
}

const every = <T>(count: number, action: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => action(i)));

/** A provider in each mode, over one client. */
function modesOver({ client }: OpenClient, keyspace: string) {
  return modes.map((whenDown) => {
    const premier = new Premier({ provider: redis({ client, whenDown, deadline: 0.4 }), keyspace: `${keyspace}-${whenDown}` });
    let loads = 0;
    return {
      whenDown,
      premier,
      health: listen(premier),
      limiter: premier.limiter({ ...hour, name: 'n' }),
      guarded: premier.slidingWindow({ ...hour, name: 'guarded' })(async () => 'done'),
      load: premier.cacheResult<[string], string>({ name: 'f', tags: () => ['t'] })(async (id) => `${id}${++loads}`),
    };
  });
}
type Mode = ReturnType<typeof modesOver>[number];

/** What holds while Redis cannot serve. */
async function holdsWhileDown({ whenDown, limiter, guarded, load, premier }: Mode): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const loads = await soon(
      'cacheResult',
      every(20, (i) => load(`new${i % 5}`)),
    );
    assert.ok(
      loads.value?.every((value) => value.startsWith('new')),
      'cacheResult runs the function',
    );
  }
  assert.deepEqual(
    await soon(
      'wrap',
      premier.cache.wrap('k', () => 'made'),
    ),
    { value: 'made' },
  );
  const asked = await soon(
    'consume',
    every(10, () => outcome(limiter.consume('down'))),
  );
  const called = await soon(
    'a limited call',
    every(10, () => outcome(guarded())),
  );
  const admitted = (asked.value ?? []).filter(({ value }) => value?.allowed).length;
  const done = (called.value ?? []).filter(({ value }) => value === 'done').length;
  const errors = (called.value ?? []).flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (whenDown === 'closed') {
    assert.deepEqual([admitted, done, errors.length], [0, 0, 10]);
    for (const error of [...errors, ...(asked.value ?? []).map((one) => one.error)]) {
      assert.ok(error instanceof StoreUnavailableError && !(error instanceof RejectedError));
      assert.equal(error.statusCode, 503);
    }
  } else if (whenDown === 'open') assert.deepEqual([admitted, done], [10, 10]);
  else {
    assert.deepEqual([admitted, done, errors.length], [quota, quota, 10 - quota]);
    assert.ok(errors.every((error) => error instanceof QuotaExceedsError));
  }
}

/** What holds again once Redis serves, without anything being done about it. */
async function holdsAgain(mine: readonly Mode[], others: readonly Mode[]): Promise<void> {
  // Their clients may still be about to connect again.
  await until('the others to use it', async () => {
    const tried = await Promise.all(others.map(({ limiter }) => outcome(limiter.consume('warm', 0))));
    return tried.every(({ error }) => error === undefined) && others.every(({ health }) => health.ups.length === health.downs.length);
  });
  for (const [i, { limiter, premier, health }] of mine.entries()) {
    const other = others[i] as Mode;
    const key = randomUUID();
    const results = await Promise.all([
      ...Array.from({ length: 10 }, () => limiter.consume(key)),
      ...Array.from({ length: 10 }, () => other.limiter.consume(key)),
    ]);
    assert.equal(results.filter(({ allowed }) => allowed).length, quota, 'both share the limit again');
    await premier.cache.set(key, 'shared');
    assert.equal(await other.premier.cache.get(key), 'shared');
    assert.deepEqual([health.downs.length, health.ups.length], [1, 1], 'each change is told once');
  }
}

for (const kind of clientKinds) {
  describe(kind, () => {
    let server: RedisServer;
    let admin: Redis;
    before(async () => {
      server = await startRedis();
      admin = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
      admin.on('error', () => undefined);
    });
    after(async () => {
      admin.disconnect();
      await server.stop();
    });

    /** Two processes' worth of providers, each over a client of its own. */
    const inTwo = async (run: (mine: readonly Mode[], others: readonly Mode[], waiting: () => number) => Promise<void>): Promise<void> => {
      const [one, two] = [openClient(kind, server.url), openClient(kind, server.url)];
      const keyspace = randomUUID();
      try {
        await run(modesOver(one, keyspace), modesOver(two, keyspace), one.waiting);
      } finally {
        one.close();
        two.close();
      }
      assert.deepEqual(unhandled, []);
    };

    for (const [what, { breaks, mends }] of Object.entries(faults)) {
      test(`a Redis that ${what} in mid-traffic holds nobody up, and is used again afterwards`, () =>
        inTwo(async (mine, others, waiting) => {
          for (const { premier, limiter } of [...mine, ...others]) {
            await until(
              'a connection',
              async () => (await premier.cache.wrap('warm', () => 1)) === 1 && (await limiter.consume('warm', 0)).allowed,
            );
          }
          const traffic = { on: true };
          const flows = mine.map(async ({ load, limiter }) => {
            for (let i = 0; traffic.on; i++) {
              await soon('a call in mid-traffic', Promise.all([load(`traffic${i % 50}`), outcome(limiter.consume(`traffic${i}`))]));
              await new Promise((resolve) => setImmediate(resolve));
            }
          });
          await breaks(server, admin);
          await until('the outage to be noticed', async () => mine.every(({ health }) => health.downs.length === 1));
          traffic.on = false;
          await Promise.all(flows);
          const waited = waiting();
          await Promise.all(mine.map(holdsWhileDown));
          assert.ok(waiting() <= waited + mine.length, `${waiting()} commands wait in the client, ${waited} did before`);
          await mends(server, admin);
          await until('Redis to be used again', async () => mine.every(({ health }) => health.ups.length === 1));
          await holdsAgain(mine, others);
        }));
    }

    test('a Redis that is not there at the start holds nobody up, and is used as soon as it is', async () => {
      await server.kill();
      await inTwo(async (mine, others, waiting) => {
        await Promise.all(mine.map(({ load }) => soon('the first call', load('first'))));
        await Promise.all(mine.map(holdsWhileDown));
        assert.ok(waiting() <= 4 * mine.length, `${waiting()} commands wait in the client`);
        await server.restart();
        await until('Redis to be used', async () => mine.every(({ health }) => health.ups.length === 1));
        await holdsAgain(mine, others);
      });
    });

    test('who waits for a limit or in a bucket goes on waiting by the rules of this process alone', () =>
      inTwo(async ([mine]) => {
        const { premier, limiter, health } = mine as Mode;
        await until('a connection', async () => (await limiter.consume('warm', 0)).allowed && health.ups.length === health.downs.length);
        const downs = health.downs.length;
        const waiting = premier.fixedWindow({ quota: 3, duration: 0.3, onExceeded: 'wait', name: 'w' })(async () => performance.now());
        const dripping = premier.leakyBucket({ quota: 10, duration: 1, bucketSize: 3, name: 'd' })(async () => 'done');
        server.freeze();
        try {
          await until('the outage to be noticed', async () => (await limiter.consume('x', 0)).allowed && health.downs.length > downs);
          const started = performance.now();
          const [ends, drops] = await Promise.all([every(6, waiting), every(5, () => outcome(dripping()))]);
          assert.deepEqual(
            ends.map((end) => end - started < 290),
            [true, true, true, false, false, false],
          );
          assert.equal(drops.filter(({ value }) => value === 'done').length, 3);
          assert.ok(drops.every(({ error }) => error === undefined || error instanceof QuotaExceedsError));
        } finally {
          server.thaw();
        }
        await until('Redis to be used again', async () => health.ups.length === health.downs.length);
      }));

    test('a Redis that forgot its scripts is none that is down', () =>
      inTwo(async ([mine]) => {
        const { limiter, premier, health } = mine as Mode;
        await until('a connection', async () => (await limiter.consume('warm', 0)).allowed && health.ups.length === health.downs.length);
        const downs = health.downs.length;
        const results = [];
        for (let i = 0; i < 10; i++) {
          if (i % 3 === 0) await server.command('SCRIPT', 'FLUSH');
          results.push(await limiter.consume('k'));
        }
        assert.equal(results.filter(({ allowed }) => allowed).length, quota);
        await server.command('FLUSHALL');
        assert.equal((await premier.limiter({ ...hour, name: 'other' }).consume('k')).allowed, true);
        assert.equal(health.downs.length, downs);
      }));

    test('a process that was busy does not take Redis for down', () =>
      inTwo(async ([mine]) => {
        const { limiter, load, health } = mine as Mode;
        await until('a connection', async () => (await limiter.consume('warm', 0)).allowed && health.ups.length === health.downs.length);
        const downs = health.downs.length;
        for (let i = 0; i < 3; i++) {
          const calls = Promise.all([limiter.consume(`k${i}`), load(`busy${i}`)]);
          await new Promise((resolve) => setImmediate(resolve));
          const until = performance.now() + 300;
          while (performance.now() < until);
          await calls;
        }
        assert.equal(health.downs.length, downs);
      }));
  });
}
