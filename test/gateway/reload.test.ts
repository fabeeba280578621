import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTcp, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { ConfigError } from '../../src/gateway/config/configError.js';
import type { Gateway } from '../../src/gateway/gateway.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { gate, openGateway, rawRequest, send, startUpstream, until } from '../support/gateways.js';

const silent = { log: { level: 'silent' } } as const;
const reload = (gateway: Gateway, config: GatewayOptions): Promise<void> => gateway.reload({ ...silent, ...config });

/** An upstream that answers with its name, and the connections that it has. */
async function named(t: TestContext, name: string): Promise<{ url: string; sockets: Set<Socket>; accepted: () => number }> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const { url, server } = await startUpstream(t, (_request, response) => response.end(name));
  server.on('connection', (socket) => {
    accepted++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return { url, sockets, accepted: () => accepted };
}

describe('a reload by call', { timeout: 60_000 }, () => {
  test('is there for the next request: paths come, change and go', async (t) => {
    const [one, two] = [await named(t, 'one'), await named(t, 'two')];
    const path = (pattern: string, upstream: string): object => ({ pattern, upstream });
    const upstreams = { one: { servers: [one.url] }, two: { servers: [two.url] } };
    const { gateway, url } = await openGateway(t, { upstreams, paths: [path('/a', 'one'), path('/b', 'one')] } as GatewayOptions);
    const seen = async (): Promise<string[]> => Promise.all(['/a', '/b', '/c'].map(async (at) => (await send(url + at)).body.slice(0, 3)));
    assert.deepEqual(await seen(), ['one', 'one', '{"e']);
    await reload(gateway, { upstreams, paths: [path('/a', 'two'), path('/c', 'one')] } as GatewayOptions);
    assert.deepEqual(await seen(), ['two', '{"e', 'one']);
    assert.match(await gateway.metrics.text(), /config_reloads_total\{result="success"\} 1/);
  });

  test('to something wrong is refused by the path of the mistake, and changes nothing', async (t) => {
    const one = await named(t, 'one');
    const { gateway, url } = await openGateway(t, { servers: [one.url] });
    const before = gateway.generation;
    await assert.rejects(
      gateway.reload({ servers: [one.url], paths: [{ pattern: '/a', features: { rate_limit: { quota: -1, duration: 60 } } }] }),
      (error) => error instanceof ConfigError && /paths\[0\]\.features\.rate_limit\.quota/.test(error.message),
    );
    assert.equal(gateway.generation, before);
    assert.equal((await send(url)).body, 'one');
    assert.match(await gateway.metrics.text(), /config_reloads_total\{result="failure"\} 1/);
    await reload(gateway, { servers: [one.url] });
    assert.match(await gateway.metrics.text(), /config_last_reload_successful 1/);
  });

  for (const [key, change] of [
    ['keyspace', { keyspace: 'other' }],
    ['store', { store: { redis: { url: 'redis://localhost:1' } } }],
    ['log', { log: { level: 'error' } }],
  ] as const) {
    test(`says that a change of ${key} needs a restart`, async (t) => {
      const { gateway } = await openGateway(t, { servers: ['http://127.0.0.1:9'] });
      await assert.rejects(reload(gateway, { servers: ['http://127.0.0.1:9'], ...change }), new RegExp(`${key}.*needs a restart`));
    });
  }

  test('that cannot open the port of the admin leaves everything as it was: that port, circuits and pools', async (t) => {
    const taken = createTcp().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const free = createTcp().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const portOf = (server: typeof taken): number => (server.address() as { port: number }).port;
    const adminPort = portOf(free);
    free.close();
    await once(free, 'close');
    t.after(() => void taken.close());

    const upstream = await startUpstream(t, (_request, response) => response.writeHead(500).end());
    const config = (recovery: number, port: number): GatewayOptions => ({
      servers: [upstream.url],
      admin: { listener: `127.0.0.1:${port}` },
      paths: [{ pattern: '/a', features: { circuit_breaker: { failure_threshold: 1, recovery_timeout: recovery } } }],
    });
    const { gateway, url } = await openGateway(t, config(60, adminPort));
    await send(`${url}/a`);
    const circuits = async (): Promise<string> => (await send(`http://127.0.0.1:${adminPort}/circuit-breakers`)).body;
    assert.match(await circuits(), /"state":"open"/i);
    await assert.rejects(reload(gateway, config(61, portOf(taken))), /EADDRINUSE|in use/);
    assert.match(await circuits(), /"state":"open"/i);
    assert.equal((await send(`${url}/a`)).status, 503);
    assert.match(await gateway.metrics.text(), /upstream_up\{[^}]*\} 1\n/);
    assert.equal((await gateway.metrics.text()).match(/^upstream_up/gm)?.length, 1);
  });

  test('moves the port of the admin', async (t) => {
    const { gateway, port } = await openGateway(t, { servers: ['http://127.0.0.1:9'] });
    const free = createTcp().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port: other } = free.address() as { port: number };
    free.close();
    await once(free, 'close');
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      await reload(gateway, { servers: ['http://127.0.0.1:9'], admin: { listener: `${host}:${other}` } });
      assert.equal((await send(`http://127.0.0.1:${other}/health`)).status, 200);
      assert.equal((await send(`http://127.0.0.1:${port}/health`)).status, 502, 'it goes to the upstream now');
    }
    await reload(gateway, { servers: ['http://127.0.0.1:9'] });
    assert.equal((await send(`http://127.0.0.1:${port}/health`)).status, 200);
    await assert.rejects(send(`http://127.0.0.1:${other}/health`));
  });

  test('while another one is under way comes after it', async (t) => {
    const [one, two] = [await named(t, 'one'), await named(t, 'two')];
    const { gateway, url } = await openGateway(t, { servers: [one.url] });
    const bad = gateway.reload({ nonsense: 1 } as unknown as GatewayOptions);
    const both = [reload(gateway, { servers: [one.url], default_features: {} }), reload(gateway, { servers: [two.url] })];
    await assert.rejects(bad, ConfigError);
    await Promise.all(both);
    assert.equal((await send(url)).body, 'two');
    assert.equal((await gateway.metrics.text()).match(/^upstream_up/gm)?.length, 1);
  });

  test('of nothing keeps what was there, whether it was given in the beginning or later', async (t) => {
    const [one, two] = [await named(t, 'one'), await named(t, 'two')];
    const { gateway, url } = await openGateway(t, { servers: [one.url] });
    await gateway.reload();
    assert.equal((await send(url)).body, 'one');
    await reload(gateway, { servers: [two.url] });
    await gateway.reload();
    assert.equal((await send(url)).body, 'two');
  });

  test('takes over the limits of the port', async (t) => {
    const one = await named(t, 'one');
    const { gateway, port } = await openGateway(t, { servers: [one.url] });
    const long = `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: ${'x'.repeat(3000)}\r\n\r\n`;
    assert.match(await rawRequest(port, long), /^HTTP\/1.1 200/);
    await reload(gateway, { servers: [one.url], limits: { max_header_bytes: 2048, header_timeout: 0.2, max_uri_bytes: 10 } });
    assert.match(await rawRequest(port, long), /^HTTP\/1.1 431/);
    assert.match(await rawRequest(port, 'GET /longer-than-ten HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 414/);
  });
});

describe('what a path counts, after a reload', { timeout: 60_000 }, () => {
  const limited = (quota: number, other: object = {}): object => ({
    pattern: '/a',
    features: { rate_limit: { quota, duration: 60, algorithm: 'fixed_window' }, ...other },
  });
  const remaining = async (url: string): Promise<string> => String((await send(url)).headers['x-ratelimit-remaining']);

  test('goes on for a quota that is the same, also where something else of the path has changed', async (t) => {
    const one = await named(t, 'one');
    const { gateway, url } = await openGateway(t, { servers: [one.url], paths: [limited(5)] } as GatewayOptions);
    assert.equal(await remaining(`${url}/a`), '4');
    await reload(gateway, { servers: [one.url], paths: [limited(5), { pattern: '/b' }] } as GatewayOptions);
    assert.equal(await remaining(`${url}/a`), '3');
    await reload(gateway, { servers: [one.url], paths: [limited(5, { timeout: 3 })] } as GatewayOptions);
    assert.equal(await remaining(`${url}/a`), '2');
    await reload(gateway, { servers: [one.url], paths: [{ pattern: '/first' }, limited(5, { timeout: 3 })] } as GatewayOptions);
    assert.equal(await remaining(`${url}/a`), '1');
  });

  test('begins anew for another quota', async (t) => {
    const one = await named(t, 'one');
    const { gateway, url } = await openGateway(t, { servers: [one.url], paths: [limited(2)] } as GatewayOptions);
    await send(`${url}/a`);
    await send(`${url}/a`);
    assert.equal((await send(`${url}/a`)).status, 429);
    await reload(gateway, { servers: [one.url], paths: [limited(3)] } as GatewayOptions);
    assert.equal(await remaining(`${url}/a`), '2');
  });

  test('is what its circuit is: open as long as its rules are the same, gone with its path', async (t) => {
    const upstream = await startUpstream(t, (_request, response) => response.writeHead(500).end());
    const path = (recovery: number, other: object = {}): GatewayOptions => ({
      servers: [upstream.url],
      paths: [{ pattern: '/a', features: { circuit_breaker: { failure_threshold: 1, recovery_timeout: recovery }, ...other } }],
    });
    const { gateway, url } = await openGateway(t, path(60));
    assert.equal((await send(`${url}/a`)).status, 500);
    await reload(gateway, path(60));
    assert.equal((await send(`${url}/a`)).status, 503);
    await reload(gateway, path(60, { timeout: 3 }));
    assert.equal((await send(`${url}/a`)).status, 503);
    await reload(gateway, path(30));
    assert.equal((await send(`${url}/a`)).status, 500, 'another rule is another circuit');
    await reload(gateway, { servers: [upstream.url] });
    assert.doesNotMatch(await gateway.metrics.text(), /circuit_breaker_state\{/);
  });

  test('is what its cache holds', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => response.end(String(++asked)));
    const path = (other: object = {}): GatewayOptions => ({
      servers: [upstream.url],
      paths: [{ pattern: '/a', features: { cache: { expire_s: 300 }, ...other } }],
    });
    const { gateway, url } = await openGateway(t, path());
    assert.equal((await send(`${url}/a`)).body, '1');
    await reload(gateway, path({ timeout: 5 }));
    assert.equal((await send(`${url}/a`)).body, '1');
  });

  test('is how many are at it: a bulkhead that did not change is still full', async (t) => {
    const held = gate();
    const upstream = await startUpstream(t, (_request, response) => void held.opened.then(() => response.end('late')));
    const config = (more: readonly object[]): GatewayOptions =>
      ({
        servers: [upstream.url],
        paths: [{ pattern: '/a', features: { bulkhead: { max_concurrent: 1 } } }, ...more],
      }) as GatewayOptions;
    const { gateway, url } = await openGateway(t, config([]));
    const first = send(`${url}/a`);
    await once(upstream.server, 'request');
    await reload(gateway, config([{ pattern: '/b' }]));
    assert.equal((await send(`${url}/a`)).status, 503);
    held.open();
    assert.equal((await first).body, 'late');
  });
});

describe('the pools of a configuration', { timeout: 60_000 }, () => {
  test('that did not change keep their connections, their counters and what is known of their servers', async (t) => {
    const clock = new FakeClock();
    const one = await named(t, 'one');
    const pool = { u: { servers: [one.url, 'http://127.0.0.1:9'], health: { max_fails: 1, fail_duration: 60 } } };
    const retry = { max_attempts: 2, wait: 0 };
    const config = (pattern: string): GatewayOptions => ({ upstreams: pool, paths: [{ pattern, upstream: 'u', features: { retry } }] });
    const { gateway, url } = await openGateway(t, config('/a'), { clock });
    for (let i = 0; i < 4; i++) assert.equal((await send(`${url}/a`)).body, 'one');
    const before = await gateway.metrics.text();
    assert.match(before, /upstream_up\{[^}]*:9"[^}]*\} 0/);
    await reload(gateway, config('/b'));
    assert.match(await gateway.metrics.text(), /upstream_up\{[^}]*:9"[^}]*\} 0/, 'what was down is still known to be');
    for (let i = 0; i < 4; i++) assert.equal((await send(`${url}/b`)).body, 'one');
    assert.equal(one.accepted(), 1, 'all on one connection');
  });

  test('that changed close their idle connections at once, and the others after their requests', async (t) => {
    const [held, begun] = [gate(), gate()];
    const upstream = await startUpstream(t, ({ url }, response) => {
      if (url !== '/slow') return void response.end('quick');
      response.write('first ');
      begun.open();
      void held.opened.then(() => response.end('last'));
    });
    const sockets = new Set<Socket>();
    upstream.server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    const other = await named(t, 'other');
    const { gateway, url } = await openGateway(t, { servers: [upstream.url] });
    const slow = send(`${url}/slow`);
    await begun.opened;
    assert.equal((await send(url)).body, 'quick');
    assert.equal(sockets.size, 2);
    await reload(gateway, { servers: [other.url] });
    await until(() => sockets.size === 1);
    assert.equal((await send(url)).body, 'other');
    held.open();
    assert.equal((await slow).body, 'first last');
    await until(() => sockets.size === 0);
  });

  test('that are only copied to are changed too', async (t) => {
    const [main, one, two] = [await named(t, 'main'), await named(t, 'one'), await named(t, 'two')];
    const config = (shadow: string): GatewayOptions => ({
      servers: [main.url],
      upstreams: { shadow: { servers: [shadow] } },
      paths: [{ pattern: '/a', features: { mirror: { upstream: 'shadow', percent: 100 } } }],
    });
    const { gateway, url } = await openGateway(t, config(one.url));
    await send(`${url}/a`);
    await until(() => one.accepted() === 1);
    await reload(gateway, config(two.url));
    await send(`${url}/a`);
    await until(() => two.accepted() === 1);
    assert.equal(one.accepted(), 1);
  });
});
