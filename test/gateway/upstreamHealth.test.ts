import assert from 'node:assert/strict';
import { type TestContext, describe, test } from 'node:test';
import type { Call } from '../../src/core/call.js';
import { TimeoutError } from '../../src/core/errors.js';
import type { Problem } from '../../src/http/problem.js';
import { failureKind } from '../../src/proxy/failureKind.js';
import type { Server } from '../../src/proxy/server.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { near, picks, pool, shares } from './balancing.js';
import { deadUrl } from '../support/gateways.js';
import { callOf, exchangeOf, httpServer, poolOf, proxyTo, rawServer, rejection, until } from './proxyTools.js';

const [a, b] = ['http://a:1', 'http://b:1'] as const;

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
