import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { createGateway, GatewayConfig } from '../../src/gateway/index.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { deadUrl, openGateway, send, startUpstream, until } from '../support/gateways.js';
import { patterns, quickStart, quickStartInCamelCase } from './goldenApps/dictionary.js';
import { documented, errorOf, forApp, inFrontOfApp, type Line, linesOf } from './goldenApps/documents.js';

describe('the dictionaries of the documents', () => {
  test('snake_case and camelCase come to the same', () => {
    const { resolved } = GatewayConfig.fromObject(quickStart);
    assert.deepEqual(GatewayConfig.fromObject(quickStartInCamelCase).resolved, resolved);
    assert.deepEqual(GatewayConfig.fromObject({ premier: quickStart }).resolved, resolved);
    assert.deepEqual(GatewayConfig.fromObject({ tool: { premier: quickStart } }, { namespace: 'tool.premier' }).resolved, resolved);
    assert.equal(resolved.default_features?.timeout?.seconds, 5000);
    assert.equal(resolved.default_features?.timeout?.error_status, 504);
  });

  test('the quick start works as it is told: policies by path, the default ones elsewhere', async (t) => {
    const never = (request: Request): Response | Promise<Response> =>
      request.url.endsWith('/slow') ? new Promise<Response>(() => undefined) : new Response('ok');
    const { ask, statuses, clock } = await inFrontOfApp(t, quickStart, never);
    assert.equal((await ask('/api/users/1')).headers.get('x-ratelimit-limit'), '100');
    assert.equal((await ask('/api/users/1')).headers.get('x-cache'), 'HIT');
    assert.deepEqual((await statuses(11, '/api/admin/1')).at(-1), 429);
    assert.equal((await ask('/other')).headers.get('x-ratelimit-limit'), null);
    for (const [path, seconds] of [
      ['/slow', 5],
      ['/api/users/slow', 10],
    ] as const) {
      const answer = ask(path);
      await clock.advance(seconds);
      assert.deepEqual(await errorOf(await answer), { type: 'gateway_timeout', message: 'Request timeout' });
    }
  });

  test('a star in the middle crosses slashes, everything else is literal, and features of a path replace the default ones', async (t) => {
    const { ask } = await inFrontOfApp(t, patterns);
    const limitAt = async (path: string): Promise<string | null> => (await ask(path)).headers.get('ratelimit-policy');
    assert.deepEqual(
      await Promise.all(
        ['/api/users/7/data', '/api/users/7/8/data', '/api/users/7', '/api/users/7/data/x', '/api/public/', '/api/public'].map(limitAt),
      ),
      ['"minute";q=100;w=60', '"minute";q=100;w=60', null, null, '"hour";q=1000;w=3600', null],
    );
    assert.equal(await limitAt('/api/admin/x'), '"default";q=20;w=300');
  });

  test("a path for /health is the app's only where the gateway gives its own paths back", async (t) => {
    const own = await inFrontOfApp(t, patterns);
    assert.equal(((await (await own.ask('/health')).json()) as { service: string }).service, 'production-gateway');
    const given = await inFrontOfApp(t, { ...patterns, admin: { paths: false } }, () => new Response('from the app'));
    assert.equal(await (await given.ask('/health')).text(), 'from the app');
    assert.equal(given.asked.length, 1);
  });

  test('what the Python gateway let pass is an error that names the place', () => {
    for (const [given, message] of [
      [{ paths: [{ pattern: '/a', features: { rate_limit: { quota: 'ten', duration: 60 } } }] }, /paths\[0\]\.features\.rate_limit\.quota/],
      [{ paths: [{ pattern: '/a', features: { rate_limit: { quota: -5, duration: 60 } } }] }, /quota/],
      [{ paths: [{ pattern: '/a', features: { rate_limit: { quota: 5, duration: 60, algorithm: 'sliding' } } }] }, /sliding_window/],
      [{ paths: [{ pattern: '/a', features: { ratelimit: { quota: 5, duration: 60 } } }] }, /rate_limit/],
      [{ paths: [{ pattern: '^(', features: {} }] }, /regular expression/],
      [{ servers: 'http://a' }, /servers/],
      [{ default_features: { timeout: 0 } }, /timeout` must be longer than 0/],
      [{ default_features: { rate_limit: { quota: 1, duration: 0 } } }, /duration` must be longer than 0/],
      [{ default_features: { rate_limit: { quota: 1, duration: 1, bucket_size: 2 } } }, /bucket_size` belongs to `algorithm: leaky_bucket/],
      [{ default_features: { circuit_breaker: { recovery_timeout: 0 } } }, /recovery_timeout` must be longer than 0/],
      [{ default_features: { circuit_breaker: { window: {} } } }, /window` needs either `seconds` or `calls/],
    ] as const)
      assert.throws(() => GatewayConfig.fromObject(given), { name: 'ConfigError', message });
  });
});

describe('where a configuration stands', () => {
  test('below a dotted namespace of a file that holds other things', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'premier-seeds-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'pyproject.yaml');
    const inner = documented('readme-policies').replace(/^/gm, '  ');
    writeFileSync(file, `tool:\n  other: { a: 1 }\n${inner}`);
    const config = GatewayConfig.fromFile(file, { namespace: 'tool.premier' });
    assert.equal(config.resolved.keyspace, 'my-api');
    const { ask } = await inFrontOfApp(t, config);
    assert.equal((await ask('/api/users/1')).headers.get('ratelimit-policy'), '"minute";q=100;w=60');
    assert.throws(() => GatewayConfig.fromFile(file), { name: 'ConfigError', message: /premier/ });
  });

  test('a file that is not there is told by name', () => {
    assert.throws(() => GatewayConfig.fromFile('/nowhere/gateway.yaml'), { name: 'ConfigError', message: /\/nowhere\/gateway\.yaml/ });
  });

  test('an app beside servers is an error, wherever the servers come from', async () => {
    const app = { fetch: () => new Response('app') };
    const both = /"app" and "servers" exclude each other/;
    await assert.rejects(createGateway({}, { app, servers: ['http://a'] }), { name: 'OptionsError', message: both });
    const config = GatewayConfig.fromText(documented('readme-production'), { source: 'gateway.yaml' });
    await assert.rejects(createGateway(config, { app }), { name: 'OptionsError', message: both });
    await assert.rejects(createGateway({ servers: ['http://a'] }, { app }), { name: 'OptionsError', message: both });
  });

  test('without an app and without servers, a path that matches is a 404', async (t) => {
    const { url } = await openGateway(t, { paths: [{ pattern: '/a' }] });
    const { status, body } = await send(`${url}/a`);
    assert.equal(status, 404);
    assert.equal((JSON.parse(body) as { error: { type: string } }).error.type, 'not_found');
  });
});

describe('the production file as a reverse proxy', () => {
  test('servers of the code take the place of those of the file, and share the requests in turn', async (t) => {
    const [one, two] = [
      await startUpstream(t, (request, response) => response.end(`one ${request.url}`)),
      await startUpstream(t, (request, response) => response.end(`two ${request.url}`)),
    ];
    const config = GatewayConfig.fromText(documented('readme-production'));
    const gateway = await createGateway(config, { servers: [one.url, two.url], logger: { write: () => undefined } });
    t.after(() => gateway.close({ grace: 0 }));
    const { url } = await gateway.listen({ port: 0 });
    const bodies = [];
    for (let i = 0; i < 4; i++) bodies.push((await send(`${url}/x%20y?q=%2F&q=2`)).body.split(' ')[0]);
    assert.deepEqual(bodies.toSorted(), ['one', 'one', 'two', 'two']);
    assert.match((await send(`${url}/x%20y?q=%2F&q=2`)).body, /^(one|two) \/x%20y\?q=%2F&q=2$/);
  });

  test('a server that is not there is a 502 that tells nothing about it', async (t) => {
    const dead = await deadUrl();
    const { url } = await openGateway(t, { servers: [dead] });
    const { status, body, headers } = await send(`${url}/a`);
    assert.equal(status, 502);
    assert.deepEqual(JSON.parse(body), {
      error: { type: 'bad_gateway', message: 'The upstream did not answer', correlation_id: headers['x-correlation-id'] },
    });
  });
});

describe('WebSockets as the documents write them', () => {
  test('100 connections a minute for each client, and those that last 5 seconds are told', async (t) => {
    const clock = new FakeClock();
    let text = '';
    const { server, url: upstream } = await startUpstream(t, (_request, response) => response.end());
    const sockets = new WebSocketServer({ server });
    t.after(() => sockets.close());
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    const config = GatewayConfig.fromText(documented('readme-websocket').replace('premier:', 'premier:\n  log: { access: slow }'));
    const logger = { write: (line: string) => void (text += line) };
    const gateway = await createGateway(config, { servers: [upstream], clock, logger });
    t.after(() => gateway.close({ grace: 0 }));
    const { port } = await gateway.listen({ port: 0 });
    const connect = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/chat/room`);
      await once(socket, 'open');
      return socket;
    };
    const long = await connect();
    long.send('hello');
    assert.equal(String((await once(long, 'message'))[0]), 'hello');
    for (let i = 1; i < 100; i++) {
      const socket = await connect();
      socket.terminate();
      await once(socket, 'close');
    }
    const refused = new WebSocket(`ws://127.0.0.1:${port}/ws/chat/other`);
    refused.on('error', () => undefined);
    const [, answer] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number; headers: Record<string, string> }];
    assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [429, '60']);
    refused.terminate();
    const ended = (): readonly Line[] => linesOf(text).filter(({ message }) => message === 'WebSocket closed');
    await clock.advance(5);
    long.close(4001, 'bye');
    await once(long, 'close');
    await until(() => ended().length > 0);
    assert.deepEqual(
      ended().map(({ path, status_code, duration_ms, close_code }) => [path, status_code, duration_ms, close_code]),
      [['/ws/chat/room', 101, 5000, 4001]],
    );
    await clock.advance(55);
    (await connect()).terminate();
  });

  test('an app keeps its own WebSockets behind the same limit', async (t) => {
    const { server, port } = await startUpstream(t, (_request, response) => response.end());
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.close(4002, 'from the app'));
    const gateway = await createGateway(forApp('readme-policies'), {
      app: (_request, response) => response.end('app'),
      logger: { write: () => undefined },
    });
    t.after(() => gateway.close({ grace: 0 }));
    gateway.attach(server);
    for (let i = 0; i < 50; i++) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/${i}`);
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      assert.deepEqual([code, String(reason)], [4002, 'from the app']);
    }
    const refused = new WebSocket(`ws://127.0.0.1:${port}/ws/51`);
    const [error] = (await once(refused, 'error')) as [Error];
    assert.match(error.message, /429/);
  });
});
