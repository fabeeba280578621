import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { Redis, type RedisOptions as IoredisOptions } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { OptionsError, Premier, StoreUnavailableError } from 'premier';
import { redis, type RedisOptions, type RedisProvider, type RedisClient } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { createClient } from 'redis';
import { outcome } from '../support/doubles.js';
import { assertPureDecisions } from '../support/pureSteps.js';
import { startRedis, until } from '../support/redisServer.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();

interface TestClient {
  readonly client: RedisClient;
  readonly ping: () => Promise<unknown>;
  readonly close: () => void;
}

const ioredis = (options: Omit<IoredisOptions, 'replyMapping'>) => (url: string) => of(new Redis(url, options));
const of = (client: Redis | Redis5): TestClient => {
  client.on('error', () => undefined);
  return { client, ping: () => client.ping(), close: () => client.disconnect() };
};
const nodeRedis =
  (RESP: 2 | 3) =>
  async (url: string): Promise<TestClient> => {
    const client = createClient({ RESP, url });
    client.on('error', () => undefined);
    await client.connect();
    return { client, ping: () => client.ping(), close: () => client.destroy() };
  };

const makers: Readonly<Record<string, (url: string) => TestClient | Promise<TestClient>>> = {
  'ioredis 6': ioredis({}),
  'ioredis 5': (url) => of(new Redis5(url)),
  'ioredis with a prefix of keys': ioredis({ keyPrefix: 'a prefix*:' }),
  'ioredis without a queue while offline': ioredis({ enableOfflineQueue: false }),
  'ioredis that pipelines by itself': ioredis({ enableAutoPipelining: true }),
  'ioredis 5 that pipelines by itself': (url) => of(new Redis5(url, { enableAutoPipelining: true })),
  'ioredis with numbers as text': ioredis({ stringNumbers: true }),
  'ioredis that connects when asked': ioredis({ lazyConnect: true }),
  'node-redis': nodeRedis(3),
  'node-redis with RESP 2': nodeRedis(2),
};

/** A provider over a client of its own, that is up. */
const open = async (t: TestContext, name: string, options: RedisOptions = {}): Promise<RedisProvider> => {
  const { client, close } = await (makers[name] as (url: string) => TestClient | Promise<TestClient>)(url);
  t.after(close);
  return ready(redis({ client, deadline: 5, whenDown: 'closed', ...options }));
};

const openUrl = async (t: TestContext, options: RedisOptions = {}): Promise<RedisProvider> => {
  const provider = redis({ url, deadline: 5, whenDown: 'closed', ...options });
  t.after(() => provider.close());
  return ready(provider);
};

/** A client without a queue refuses what it is asked before it is connected. */
const ready = async (provider: RedisProvider): Promise<RedisProvider> => {
  await until('the client to be connected', async () => (await provider.get(randomUUID())) === undefined);
  return provider;
};

const kinds: Readonly<Record<string, (t: TestContext, options?: RedisOptions) => Promise<RedisProvider>>> = {
  ...Object.fromEntries(Object.keys(makers).map((name) => [name, (t: TestContext, options?: RedisOptions) => open(t, name, options)])),
  'a URL': openUrl,
};

const values = {
  date: new Date(5),
  map: new Map<unknown, unknown>([[1n, new Set(['é', '🦜', '\0'])]]),
  bytes: Buffer.from([0, 128, 255]),
  list: [undefined, NaN, -0, null, /x/g],
  text: '10',
};

for (const [name, make] of Object.entries(kinds)) {
  describe(`premier/redis with ${name}`, () => {
    test('every algorithm decides as its pure step', async (t) => {
      const clock = new FakeClock();
      const provider = await make(t, { clock, refuseLocally: false });
      await assertPureDecisions(provider, clock, randomUUID(), { keys: 12, rounds: 12 });
    });

    test('values come back with their types, also from another process', async (t) => {
      const keyspace = randomUUID();
      const [here, there] = (await Promise.all([make(t), make(t)])).map((provider) => {
        const premier = new Premier({ keyspace, provider });
        let loads = 0;
        const load = premier.cacheResult<[string]>({ name: 'load', expireS: 60 })(async (_id: string) => ({ ...values, loads: ++loads }));
        return { premier, load };
      }) as [Loading, Loading];
      for (const { load } of [here, there]) assert.deepEqual(await load('id'), { ...values, loads: 1 });
      for (const value of ['10', 10, '', null]) {
        await here.premier.cache.set('plain', value);
        assert.equal(await there.premier.cache.get('plain'), value);
      }
    });

    test('tags and clearing drop what they are to drop, and no neighbour', async (t) => {
      const keyspace = randomUUID();
      const provider = await make(t);
      const [app, neighbour, like] = [keyspace, `${keyspace}2`, `${keyspace.slice(0, -1)}?`].map((space) => {
        const premier = new Premier({ keyspace: space, provider });
        let loads = 0;
        const cached = premier.cacheResult<[string]>({ name: 'load', expireS: 60, tags: (_, id) => [id] });
        return { premier, load: cached(async (_id: string) => ++loads) };
      }) as [Loading, Loading, Loading];
      const load = (id: string) => Promise.all([app, neighbour, like].map((one) => one.load(id)));
      assert.deepEqual(
        [await load('a'), await load('b')],
        [
          [1, 1, 1],
          [2, 2, 2],
        ],
      );
      await app.premier.invalidateTags('a');
      assert.deepEqual(
        [await load('a'), await load('b')],
        [
          [3, 1, 1],
          [2, 2, 2],
        ],
      );
      await like.premier.clearCache();
      await neighbour.premier.clearThrottle();
      assert.deepEqual(
        [await load('a'), await load('b')],
        [
          [3, 1, 3],
          [2, 2, 4],
        ],
      );
    });

    test('messages between processes arrive', async (t) => {
      const [here, there] = [await make(t), await make(t)];
      const channel = randomUUID();
      const heard: string[] = [];
      let ups = 0;
      const subscription = there.bus.subscribe(channel, { up: () => ups++, down: () => undefined, message: (text) => heard.push(text) });
      t.after(() => subscription.close());
      await until('the subscription to stand', async () => ups > 0);
      await here.bus.publish(channel, 'é\n{}');
      await until('the message', async () => heard.length > 0);
      assert.deepEqual(heard, ['é\n{}']);
    });
  });
}

interface Loading {
  readonly premier: Premier;
  readonly load: (id: string) => Promise<unknown>;
}

test('a key that is refused without asking is refused with the words that Redis would use', async (t) => {
  const clock = new FakeClock();
  const provider = await open(t, 'ioredis 6', { clock, refuseLocally: true });
  await assertPureDecisions(provider, clock, randomUUID(), { keys: 12, rounds: 40 });
});

test('a limiter that this user of Redis may not run tells so, and does not quietly count alone', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-@scripting');
  const { client, close } = ioredis({ username: 'app', password: 'secret' })(server.url);
  t.after(close);
  const premier = new Premier({ provider: redis({ client, deadline: 5 }) });
  t.after(() => premier.close());
  let downs = 0;
  premier.on('storeDown', () => downs++);
  const { error } = await outcome(premier.limiter({ quota: 2, duration: 60 }).consume('key'));
  assert.ok(downs > 0 || error instanceof StoreUnavailableError);
});

describe('whose client it is', () => {
  test('close leaves a client that was given open, and ends one that was made from a URL', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const connections = async () =>
      String(await server.command('CLIENT', 'LIST'))
        .trimEnd()
        .split('\n').length;
    const alone = await connections();
    for (const make of [makers['ioredis 6'], makers['ioredis 5'], makers['node-redis']]) {
      const { client, ping, close } = await (make as (url: string) => TestClient | Promise<TestClient>)(server.url);
      const premier = new Premier({ provider: redis({ client }) });
      await premier.cache.set('key', 1);
      await premier.close();
      assert.equal(await ping(), 'PONG');
      close();
    }
    const own = new Premier({ provider: redis({ url: server.url }) });
    await own.cache.set('key', 1);
    await until('one more connection', async () => (await connections()) === alone + 1);
    await own.close();
    await until('no more connection', async () => (await connections()) === alone);
  });

  test('close does not wait for a server that hangs', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const provider = redis({ url: server.url });
    await provider.get('key');
    server.freeze();
    const began = performance.now();
    await provider.close();
    assert.ok(performance.now() - began < 10_000, `it took ${performance.now() - began} ms`);
  });

  test('what is no client is refused', () => {
    const wrong: unknown[] = [{}, { client: {} }, { client: 'redis://localhost' }, { client: null }, { client: () => undefined }];
    wrong.push(
      { url: '' },
      { url: 'localhost:6379' },
      { url: 'http://localhost' },
      { url: 6379 },
      { url: 'redis://localhost', client: {} },
    );
    for (const options of wrong) assert.throws(() => redis(options as RedisOptions), OptionsError, JSON.stringify(options));
  });
});

/** Runs a script in a process of its own; it has to end by itself. */
async function run(source: string): Promise<{ readonly code: unknown; readonly output: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 8000);
  const [code] = (await once(child, 'close')) as [unknown];
  clearTimeout(giveUp);
  return { code, output };
}

const script = (url: string) => `
  import { Premier } from 'premier';
  import { redis } from 'premier/redis';
  const premier = new Premier({ provider: redis({ url: '${url}' }) });
  let downs = 0;
  premier.on('storeDown', () => downs++);
  const load = premier.cacheResult({ name: 'load', tags: () => ['tag'] })(async (id) => id);
  const limited = premier.fixedWindow({ name: 'limited', quota: 2, duration: 60 })(async () => 'done');
  const began = performance.now();
  const values = [await load(1), await load(1), await limited(), await limited(), await limited().catch((error) => error.name)];
  const refused = await premier.invalidateTags('tag').catch((error) => error.code);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const took = performance.now() - began;
  await premier.close();
  console.log(JSON.stringify({ values, refused, downs, inTime: took < 10_000 }));
`;

test('without a Redis, calls end in time, nothing is unhandled, and the process ends after close', async () => {
  const nobody = createServer().listen(0, '127.0.0.1');
  await once(nobody, 'listening');
  const { port } = nobody.address() as { port: number };
  await new Promise((resolve) => nobody.close(resolve));
  const mute = createServer().listen(0, '127.0.0.1');
  await once(mute, 'listening');
  try {
    const urls = [
      `redis://127.0.0.1:${port}`,
      `redis://127.0.0.1:${(mute.address() as { port: number }).port}`,
      'redis://no.such.host.invalid',
    ];
    const runs = await Promise.all(urls.map((url) => run(script(url))));
    const expected = { values: [1, 1, 'done', 'done', 'QuotaExceedsError'], refused: 'PREMIER_STORE_UNAVAILABLE', downs: 1, inTime: true };
    for (const { code, output } of runs) assert.deepEqual({ code, said: JSON.parse(output) }, { code: 0, said: expected });
  } finally {
    mute.close();
  }
});
