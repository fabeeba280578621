import assert from 'node:assert/strict';
import { type TestContext, describe, test } from 'node:test';
import type { Call } from '../../src/core/call.js';
import { TimeoutError } from '../../src/core/errors.js';
import { upstreamSchema } from '../../src/gateway/config/schema.js';
import type { Exchange } from '../../src/http/exchange.js';
import { headerOf, headersOf } from '../../src/http/headers.js';
import type { Problem } from '../../src/http/problem.js';
import { failureKind } from '../../src/proxy/failureKind.js';
import type { Server } from '../../src/proxy/server.js';
import { createProxy } from '../../src/proxy/proxy.js';
import { Upstream } from '../../src/proxy/upstream.js';
import type { BalanceName } from '../../src/proxy/upstreamOptions.js';
import { Upstreams } from '../../src/proxy/upstreams.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { callOf, deadUrl, exchangeOf, httpServer, poolOf, proxyTo, rawServer, rejection, until } from './proxyTools.js';

const [a, b, c] = ['http://a:1', 'http://b:1', 'http://c:1'] as const;

/** Numbers that are always the same. */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

function pool(
  t: TestContext,
  algorithm: BalanceName,
  servers: Parameters<typeof poolOf>[0],
  change: Parameters<typeof poolOf>[1] = {},
  clock = new FakeClock(),
) {
  const keyOf = (exchange: Exchange) => exchange.path;
  return proxyTo(t, poolOf(servers, { balance: { algorithm, key: 'path' }, ...change }), { random: seeded(), clock, keyOf }).upstream;
}

function picks(upstream: Upstream, times: number): string {
  return Array.from({ length: times }, () => upstream.pick(exchangeOf())?.url.slice(7, 8)).join('');
}

function shares(upstream: Upstream, times: number): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of picks(upstream, times)) found[name] = (found[name] ?? 0) + 1;
  return found;
}

const near = (got: number | undefined, wanted: number): void =>
  assert.ok(Math.abs((got ?? 0) - wanted) < wanted * 0.1, `${got} is not about ${wanted}`);

describe('balancers', () => {
  test('round_robin goes round smoothly by weight', (t) => {
    assert.equal(picks(pool(t, 'round_robin', [{ url: a, weight: 5 }, b, c]), 7), 'aabacaa');
    assert.equal(picks(pool(t, 'round_robin', [a, b, c]), 6), 'abcabc');
  });

  test('random follows the weights', (t) => {
    const found = shares(pool(t, 'random', [{ url: a, weight: 3 }, b]), 8000);
    near(found['a'], 6000);
    near(found['b'], 2000);
  });

  test('least_connections counts what is under way, by weight', (t) => {
    const upstream = pool(t, 'least_connections', [{ url: a, weight: 2 }, b]);
    const [first, second] = upstream.servers as [Server, Server];
    first.active = 2;
    second.active = 1;
    assert.equal(picks(upstream, 3), 'aaa');
    first.active = 4;
    assert.equal(picks(upstream, 3), 'bbb');
  });

  test('least_connections spreads what is equal', (t) => {
    const found = shares(pool(t, 'least_connections', [a, b]), 2000);
    near(found['a'], 1000);
  });

  test('p2c avoids the slow and the busy', (t) => {
    const upstream = pool(t, 'p2c', [a, b]);
    const [slow, fast] = upstream.servers as [Server, Server];
    slow.measured(200, 0);
    fast.measured(10, 0);
    assert.equal(picks(upstream, 5), 'bbbbb');
    fast.active = 30;
    assert.equal(picks(upstream, 5), 'aaaaa');
  });

  test('a peak of slowness counts at once and fades', (t) => {
    const clock = new FakeClock();
    const { servers } = proxyTo(t, poolOf([a]), { clock }).upstream;
    const [server] = servers as [Server];
    server.measured(10, 0);
    server.measured(500, 1000);
    assert.equal(server.latency, 500);
    server.measured(10, 2000);
    assert.ok(server.latency < 500 && server.latency > 400);
    server.measured(10, 60_000);
    assert.ok(server.latency < 20);
  });

  test('consistent_hash keeps a key where it is, by weight, and moves only the keys of a server that goes', (t) => {
    const upstream = pool(t, 'consistent_hash', [{ url: a, weight: 2 }, b, c]);
    const where = (): (string | undefined)[] =>
      Array.from({ length: 4000 }, (_, i) => upstream.pick(exchangeOf({ path: `/user/${i}` }))?.url);
    const before = where();
    assert.deepEqual(where(), before);
    near(before.filter((url) => url === a).length, 2000);
    near(before.filter((url) => url === b).length, 1000);
    upstream.drain(b);
    const after = where();
    assert.ok(before.every((url, i) => url === b || url === after[i]));
    assert.ok(!after.includes(b));
  });

  test('a server of weight 0 gets nothing, and a weight may change', (t) => {
    const upstream = pool(t, 'round_robin', [{ url: a, weight: 0 }, b]);
    assert.equal(picks(upstream, 3), 'bbb');
    upstream.setWeight(a, 1);
    upstream.setWeight(b, 0);
    assert.equal(picks(upstream, 2), 'aa');
    assert.throws(() => upstream.setWeight(a, -1), /must be a number of at least 0/);
    assert.throws(() => upstream.setWeight('http://x', 1), /upstream "pool" has no server "http:\/\/x"; it has http:\/\/a:1, http:\/\/b:1/);
  });

  test('a retry goes to another server than the last one', (t) => {
    const upstream = pool(t, 'consistent_hash', [a, b]);
    const exchange = exchangeOf();
    const first = upstream.pick(exchange)?.url;
    exchange.server = first;
    exchange.retries = 1;
    assert.notEqual(upstream.pick(exchange)?.url, first);
  });
});

describe('a sticky pool', () => {
  test('keeps a client where it was, by a cookie that does not tell the address', async (t) => {
    const one = await httpServer(t, (_request, response) => void response.end('one'));
    const two = await httpServer(t, (_request, response) => void response.end('two'));
    const { ask, upstream } = proxyTo(t, poolOf([one.url, two.url], { sticky: 'cookie' }));
    const { text, headers } = await ask();
    const cookie = headerOf(headers, 'set-cookie') as string;
    assert.match(cookie, /^premier_pool=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax$/);
    const sent = ['Cookie', `x=1; ${cookie.split(';')[0]}`];
    for (let i = 0; i < 4; i++) {
      const again = await ask({ headers: sent });
      assert.equal(again.text, text);
      assert.deepEqual(headersOf(again.headers, 'set-cookie'), []);
    }
    upstream.drain(text === 'one' ? one.url : two.url);
    const moved = await ask({ headers: sent });
    assert.notEqual(moved.text, text);
    assert.notEqual(headerOf(moved.headers, 'set-cookie'), cookie);
  });

  test('takes the name of the cookie from the configuration, and is Secure over https', async (t) => {
    const { url } = await httpServer(t, (_request, response) => void response.writeHead(200, { 'set-cookie': 'own=1' }).end());
    const { ask } = proxyTo(t, poolOf([url], { sticky: { cookie: 'srv' } }));
    const [own, ours] = headersOf((await ask({ scheme: 'https' })).headers, 'set-cookie');
    assert.equal(own, 'own=1');
    assert.match(ours as string, /^srv=[0-9a-f]{16}; .*; Secure$/);
  });
});

describe('passive health', () => {
  test('a server that fails rests, and comes back by itself', async (t) => {
    const clock = new FakeClock();
    const { url } = await httpServer(t, (_request, response) => void response.end('ok'));
    const dead = await deadUrl();
    const changes: unknown[] = [];
    const { ask, upstream } = proxyTo(t, poolOf([dead, url]), { clock, onServerChange: (...change) => changes.push(change) });
    assert.equal((await ask()).text, 'ok');
    assert.deepEqual(changes, [['pool', dead, false]]);
    for (let i = 0; i < 4; i++) await ask();
    assert.equal(upstream.servers[0]?.requests, 1);
    assert.equal(upstream.snapshot().servers[0]?.rests_ms, 10_000);
    await clock.advance(10);
    assert.deepEqual(changes[1], ['pool', dead, true]);
    await ask();
    await ask();
    assert.equal(upstream.servers[0]?.requests, 2);
    assert.equal(upstream.snapshot().servers[0]?.up, false);
  });

  test('counts failures in a row, 502, 503 and 504 among them, and an answer begins anew', async (t) => {
    const statuses = [502, 503, 200, 504, 502, 503];
    const { url } = await httpServer(t, (_request, response) => void response.writeHead(statuses.shift() as number).end());
    const { ask, upstream } = proxyTo(t, poolOf([url, { url: await deadUrl(), weight: 0 }], { health: { max_fails: 3 } }));
    for (let i = 0; i < 5; i++) await ask();
    assert.equal(upstream.snapshot().servers[0]?.up, true);
    await ask();
    assert.equal(upstream.snapshot().servers[0]?.up, false);
    assert.equal(upstream.snapshot().servers[0]?.failures, 5);
  });

  test('500 and 501 are answers, not failures of the server', async (t) => {
    const { url } = await httpServer(t, (request, response) => void response.writeHead(Number(request.url?.slice(1))).end());
    const { ask, upstream } = proxyTo(t, poolOf([url, { url: await deadUrl(), weight: 0 }]));
    for (const path of ['/500', '/501', '/404']) await ask({ path });
    assert.equal(upstream.snapshot().servers[0]?.up, true);
  });

  test('a request that took too long counts', async (t) => {
    const { url, sockets } = await rawServer(t, (socket) => socket.resume());
    const { forward, upstream } = proxyTo(t, poolOf([url, { url: await deadUrl(), weight: 0 }]));
    const call: Call = callOf();
    const asked = rejection(forward(exchangeOf(), call));
    await until(() => sockets.length === 1);
    call.abort(new TimeoutError('x', 1));
    await asked;
    assert.equal(upstream.snapshot().servers[0]?.up, false);
  });

  test('max_fails 0 turns it off', async (t) => {
    const { ask, upstream } = proxyTo(t, poolOf([await deadUrl(), await deadUrl()], { health: { max_fails: 0 } }));
    await rejection(ask());
    assert.deepEqual(
      upstream.snapshot().servers.map(({ up }) => up),
      [true, true],
    );
  });

  test('the only server of a pool is asked whatever happens', async (t) => {
    const statuses = [503, 503, 200];
    const { url } = await httpServer(t, (_request, response) => void response.writeHead(statuses.shift() as number).end());
    const { ask } = proxyTo(t, poolOf([url]));
    assert.deepEqual([(await ask()).status, (await ask()).status, (await ask()).status], [503, 503, 200]);
  });

  test('with nobody left the answer is 503 at once, with the time to come back', async (t) => {
    const clock = new FakeClock();
    const { ask } = proxyTo(t, poolOf([await deadUrl(), await deadUrl()]), { clock });
    assert.equal(((await rejection(ask())) as Problem).status, 502);
    await clock.advance(3.5);
    const error = (await rejection(ask())) as Problem;
    assert.deepEqual([error.status, error.type, failureKind(error)], [503, 'service_unavailable', 'unavailable']);
    assert.deepEqual(error.headers, ['retry-after', '7']);
    await clock.advance(6.5);
    assert.equal(((await rejection(ask())) as Problem).status, 502);
  });

  test('a pool that is drained whole is unavailable, and enabled again it is not', async (t) => {
    const { url } = await httpServer(t, (_request, response) => void response.end('ok'));
    const { ask, upstream } = proxyTo(t, poolOf([url]));
    upstream.drain(url);
    assert.equal(((await rejection(ask())) as Problem).status, 503);
    upstream.enable(url);
    assert.equal((await ask()).text, 'ok');
  });

  test('a server that comes back starts slowly', async (t) => {
    const clock = new FakeClock();
    const upstream = pool(t, 'random', [a, b], { health: { slow_start: 10_000 } }, clock);
    upstream.failed(upstream.servers[0] as Server);
    assert.equal(picks(upstream, 5), 'bbbbb');
    await clock.advance(10);
    near(shares(upstream, 22_000)['a'], 2000);
    await clock.advance(5);
    near(shares(upstream, 9000)['a'], 3000);
    await clock.advance(5);
    near(shares(upstream, 8000)['a'], 4000);
  });
});

describe('active health', () => {
  /** A server whose state a test sets, a pool that checks it, and what changes. */
  async function checked(t: TestContext, health: NonNullable<Parameters<typeof poolOf>[1]>['health'] = {}) {
    const clock = new FakeClock();
    const state = { status: 200, asked: 0, silent: false };
    const { url } = await httpServer(t, (request, response) => {
      assert.equal(request.url, '/health');
      state.asked++;
      if (!state.silent) response.writeHead(state.status).end('x');
    });
    const changes: boolean[] = [];
    const { upstream, ask } = proxyTo(t, poolOf([url], { health: { path: '/health', ...health } }), {
      clock,
      random: () => 0.5,
      onServerChange: (_pool, _server, up) => changes.push(up),
    });
    const next = async (): Promise<void> => {
      const before = upstream.servers[0]?.lastCheck;
      await clock.advance(10);
      await until(() => upstream.servers[0]?.lastCheck !== before);
    };
    await until(() => upstream.servers[0]?.lastCheck !== undefined);
    return { clock, state, changes, upstream, ask, next };
  }

  test('checks at once and then every interval; a bad answer takes the server out until a good one', async (t) => {
    const { state, changes, ask, next, upstream } = await checked(t);
    assert.equal(state.asked, 1);
    state.status = 500;
    await next();
    assert.deepEqual(changes, [false]);
    assert.equal(state.asked, 2);
    assert.deepEqual(upstream.snapshot().servers[0]?.last_check?.said, 500);
    const error = (await rejection(ask())) as Problem;
    assert.deepEqual([error.status, error.headers], [503, ['retry-after', '10']]);
    state.status = 302;
    await next();
    assert.deepEqual(changes, [false, true]);
  });

  test('healthy_after and unhealthy_after ask for several in a row', async (t) => {
    const { state, changes, next } = await checked(t, { healthy_after: 2, unhealthy_after: 3 });
    for (const status of [500, 500, 200, 500, 500]) {
      state.status = status;
      await next();
    }
    assert.deepEqual(changes, []);
    await next();
    assert.deepEqual(changes, [false]);
    state.status = 200;
    await next();
    assert.deepEqual(changes, [false]);
    await next();
    assert.deepEqual(changes, [false, true]);
  });

  test('only the statuses that are configured are good', async (t) => {
    const { state, changes, next } = await checked(t, { status: [204, 404] });
    assert.deepEqual(changes, [false]);
    state.status = 404;
    await next();
    assert.deepEqual(changes, [false, true]);
  });

  test('a check that gets no answer in time is a bad one', async (t) => {
    const { clock, state, changes, upstream } = await checked(t);
    state.silent = true;
    await clock.advance(10);
    await until(() => state.asked === 2);
    await clock.advance(2);
    await until(() => changes.length === 1);
    assert.equal(upstream.snapshot().servers[0]?.last_check?.said, 'timeout');
  });

  test('ends with its pool, and leaves no timer', async (t) => {
    const { clock, upstream, state } = await checked(t);
    upstream.retire();
    assert.equal(clock.timers, 0);
    await clock.advance(100);
    assert.equal(state.asked, 1);
  });
});

describe('the pools of a gateway', () => {
  test('are made of what the file has, with its defaults', () => {
    const { servers, ...pool } = upstreamSchema.parse({ servers: [a] });
    assert.deepEqual({ ...pool, servers }, poolOf([a]));
    const upstream = new Upstream({ clock: new FakeClock(), random: Math.random, name: 'users', config: { ...pool, servers } });
    assert.equal(upstream.pick(exchangeOf())?.url, a);
    upstream.retire();
  });

  const all = (t: TestContext) => {
    const upstreams = new Upstreams({ clock: new FakeClock(), random: Math.random });
    t.after(() => upstreams.close(0));
    return upstreams;
  };

  test('one that did not change is the same after a reload, with its counters', (t) => {
    const upstreams = all(t);
    const before = upstreams.open('users', poolOf([a, b]));
    const { servers, ...rest } = poolOf([a, b]);
    const after = upstreams.open('users', { ...rest, servers });
    upstreams.release(before);
    assert.equal(after, before);
    assert.equal(upstreams.all().length, 1);
    assert.notEqual(upstreams.open('orders', poolOf([a, b])), before);
    assert.notEqual(upstreams.open('users', poolOf([a])), before);
  });

  test('one that nobody uses any more ends after its requests', async (t) => {
    let release: (() => void) | undefined;
    const { url, sockets } = await rawServer(t, (socket) => {
      socket.once('data', () => {
        release = () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    const upstreams = all(t);
    const upstream = upstreams.open('users', poolOf([url]));
    const asked = createProxy(upstream)(exchangeOf(), callOf());
    await until(() => release !== undefined);
    upstreams.release(upstream);
    assert.deepEqual(upstreams.snapshot(), []);
    release?.();
    assert.equal((await asked).status, 200);
    await until(() => sockets[0]?.destroyed === true);
  });

  test('tell how they do', async (t) => {
    const { url } = await httpServer(t, (_request, response) => void response.end('ok'));
    const { ask, upstream } = proxyTo(t, poolOf([url]));
    await ask();
    const { name, algorithm, servers } = upstream.snapshot();
    assert.deepEqual([name, algorithm], ['pool', 'round_robin']);
    const { latency_ms, ...rest } = servers[0] as (typeof servers)[0];
    assert.ok(latency_ms > 0);
    assert.deepEqual(rest, {
      url,
      up: true,
      draining: false,
      weight: 1,
      active: 0,
      tunnels: 0,
      requests: 1,
      failures: 0,
      rests_ms: 0,
      last_check: undefined,
    });
  });
});
