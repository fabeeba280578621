import assert from 'node:assert/strict';
import { type TestContext, describe, test } from 'node:test';
import { upstreamSchema } from '../../src/gateway/config/schema.js';
import { headersOf } from '../../src/http/headers.js';
import type { Server } from '../../src/proxy/server.js';
import { createProxy } from '../../src/proxy/proxy.js';
import { Upstream } from '../../src/proxy/upstream.js';
import { Upstreams } from '../../src/proxy/upstreams.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { near, picks, pool, shares } from './balancing.js';
import { callOf, exchangeOf, httpServer, poolOf, proxyTo, rawServer, until } from './proxyTools.js';

const [a, b, c] = ['http://a:1', 'http://b:1', 'http://c:1'] as const;

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
    const { text, exchange } = await ask();
    const cookie = exchange.tie as string;
    assert.match(cookie, /^premier_pool=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax$/);
    // What only begins like it, and has no value, is not it.
    const sent = ['Cookie', `x=1; premier_pool_; ${cookie.split(';')[0]}`];
    for (let i = 0; i < 4; i++) {
      const again = await ask({ headers: sent });
      assert.equal(again.text, text);
      assert.equal(again.exchange.tie, undefined);
    }
    upstream.drain(text === 'one' ? one.url : two.url);
    const moved = await ask({ headers: sent });
    assert.notEqual(moved.text, text);
    assert.match(moved.exchange.tie as string, /^premier_pool=/);
    assert.notEqual(moved.exchange.tie, cookie);
  });

  test('takes the name of the cookie from the configuration, and is Secure over https', async (t) => {
    const { url } = await httpServer(t, (_request, response) => void response.writeHead(200, { 'set-cookie': 'own=1' }).end());
    const { ask } = proxyTo(t, poolOf([url], { sticky: { cookie: 'srv' } }));
    const { headers, exchange } = await ask({ scheme: 'https' });
    assert.deepEqual(headersOf(headers, 'set-cookie'), ['own=1']);
    assert.match(exchange.tie as string, /^srv=[0-9a-f]{16}; .*; Secure$/);
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
