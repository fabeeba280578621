// The gateway with servers of `node:http`: its own, and those of the app and of the upstream.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createGateway } from 'premier/gateway';
import { redis } from 'premier/redis';
import { check, deadUrl, open, runtime } from './harness.mjs';

const quiet = { log: { level: 'silent' } };

async function listening(undo, config, options) {
  const gateway = await createGateway({ ...quiet, ...config }, options);
  undo(() => gateway.close({ grace: 0 }));
  const { url } = await gateway.listen({ port: 0 });
  return { gateway, url };
}

const all = (features) => ({ paths: [{ pattern: '/*', features }] });

/** An app of `node:http` that tells what it got. */
async function echo(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ method: request.method, url: request.url, body, correlation: request.headers['x-correlation-id'] }));
}

check('upstream: a request and its answer, bodies too', async (undo) => {
  const { url } = await listening(undo, { servers: [await open(undo, echo)] });
  const response = await fetch(`${url}/a?b=1`, { method: 'POST', body: 'hello' });
  const { correlation, ...seen } = await response.json();
  assert.deepEqual([response.status, seen], [200, { method: 'POST', url: '/a?b=1', body: 'hello' }]);
  assert.equal(response.headers.get('x-correlation-id'), correlation);
});

check('upstream: a body of several megabytes, both ways', async (undo) => {
  const upstream = await open(undo, (request, response) => request.pipe(response));
  const { url } = await listening(undo, { servers: [upstream] });
  const bytes = new Uint8Array(3_000_000).fill(7);
  const response = await fetch(url, { method: 'POST', body: bytes });
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
});

check('upstream: a stream passes as it comes', async (undo) => {
  let going;
  const upstream = await open(undo, (_request, response) => {
    response.write('one');
    going = response;
  });
  const { url } = await listening(undo, { servers: [upstream] });
  const reader = (await fetch(url)).body.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'one');
  going.end('two');
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'two');
  assert.equal((await reader.read()).done, true);
});

check('upstream: a server that is down is answered for with 502', async (undo) => {
  const { url } = await listening(undo, { servers: [await deadUrl()] });
  assert.equal((await fetch(url)).status, 502);
});

check('upstream: connections are used again', async (undo) => {
  const server = createServer((_request, response) => response.end('ok'));
  let connections = 0;
  server.on('connection', () => connections++);
  const { url } = await listening(undo, { servers: [await open(undo, server)] });
  for (let i = 0; i < 5; i++) await (await fetch(url)).text();
  assert.equal(connections, 1);
});

check('upstream: the request ends with the client', async (undo) => {
  let gone;
  const left = new Promise((resolve) => void (gone = resolve));
  let came;
  const arrived = new Promise((resolve) => void (came = resolve));
  const upstream = await open(undo, (_request, response) => {
    response.on('close', gone);
    came();
  });
  const { url } = await listening(undo, { servers: [upstream] });
  const client = send(url);
  client.on('error', () => undefined);
  client.end();
  await arrived;
  client.destroy();
  await left;
});

check('retry, circuit_breaker, fallback', async (undo) => {
  let asked = 0;
  const upstream = await open(undo, (_request, response) => response.writeHead(++asked % 2 === 0 ? 200 : 503).end());
  const { url } = await listening(undo, {
    servers: [upstream],
    paths: [
      { pattern: '/once', features: { circuitBreaker: { failureThreshold: 1 }, fallback: { status: 200, body: 'instead' } } },
      { pattern: '/*', features: { retry: { maxAttempts: 2, wait: '1ms' } } },
    ],
  });
  assert.equal((await fetch(url)).status, 200);
  assert.equal(asked, 2);
  for (let i = 0; i < 2; i++) assert.equal(await (await fetch(`${url}/once`)).text(), 'instead');
  assert.equal(asked, 3);
});

check('rate_limit by the address of the client, over Redis', async (undo) => {
  const provider = redis({ url: process.env.PREMIER_TEST_REDIS_URL });
  undo(() => provider.close());
  const config = { ...all({ rateLimit: { quota: 1, duration: '1m' } }), keyspace: `limit${Date.now()}` };
  const { url } = await listening(undo, config, { provider, app: echo });
  assert.equal((await fetch(url)).status, 200);
  const refused = await fetch(url);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
});

check('cache: the second answer is a kept one', async (undo) => {
  let runs = 0;
  const app = (_request, response) => response.end(String(++runs));
  const { url } = await listening(undo, all({ cache: { expireS: 60 } }), { app });
  assert.deepEqual([await (await fetch(url)).text(), await (await fetch(url)).text()], ['1', '1']);
});

check('timeout: 504, and the app hears that its request is over', async (undo) => {
  let gone;
  const left = new Promise((resolve) => void (gone = resolve));
  const { url } = await listening(undo, all({ timeout: '50ms' }), { app: (request) => request.on('close', gone) });
  assert.equal((await fetch(url)).status, 504);
  await left;
});

check('app: a listener of node:http, with its body', async (undo) => {
  const { url } = await listening(undo, all({ timeout: 5 }), { app: echo });
  assert.equal((await (await fetch(url, { method: 'POST', body: 'hello' })).json()).body, 'hello');
});

check('app: a listener that writes its head first, then its body in parts', async (undo) => {
  const app = (_request, response) => {
    response.writeHead(201, { 'Content-Type': 'text/plain' });
    response.write('one ');
    response.end('two');
  };
  const { url } = await listening(undo, all({ timeout: 5 }), { app });
  const answer = await fetch(url);
  assert.deepEqual([answer.status, await answer.text()], [201, 'one two']);
});

check('app: a fetch handler', async (undo) => {
  const app = { fetch: async (request) => new Response(`${request.method} ${await request.text()}`) };
  const { url } = await listening(undo, all({ timeout: 5 }), { app });
  assert.equal(await (await fetch(url, { method: 'PUT', body: 'hello' })).text(), 'PUT hello');
});

check('attach: in front of a server that is there already', async (undo) => {
  const server = createServer(echo);
  const gateway = await createGateway({ ...quiet, ...all({ access: { methods: ['GET'] } }) }, { app: echo });
  undo(() => gateway.close({ grace: 0 }));
  gateway.attach(server);
  const url = await open(undo, server);
  assert.equal((await fetch(url)).status, 200);
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 405);
});

check('/health and /metrics', async (undo) => {
  const { url } = await listening(undo, {}, { app: echo });
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.ok((await (await fetch(`${url}/metrics`)).text()).includes('http_requests_total'));
});

check('two lengths of one body are refused: no request is smuggled', async (undo) => {
  const { url } = await listening(undo, {}, { app: echo });
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  undo(() => socket.destroy());
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  const [head] = await once(socket, 'data');
  assert.match(String(head), /^HTTP\/1.1 400 /);
});

check('WebSockets go to the upstream and back', async (undo) => {
  const { WebSocketServer, WebSocket } = await import('ws');
  const server = createServer();
  const peers = new WebSocketServer({ server });
  undo(() => peers.clients.forEach((peer) => peer.terminate()));
  peers.on('connection', (peer) => peer.on('message', (data) => peer.send(`got ${String(data)}`)));
  const { url } = await listening(undo, { servers: [await open(undo, server)] });
  const socket = new WebSocket(url.replace('http', 'ws'));
  undo(() => socket.close());
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the handshake failed')));
  });
  const answered = new Promise((resolve) => socket.addEventListener('message', ({ data }) => resolve(data)));
  socket.send('hello');
  assert.equal(await answered, 'got hello');
});

/** A folder with a file `gateway.yaml`, and the path of that file. */
function yamlFile(undo, text) {
  const folder = mkdtempSync(join(tmpdir(), 'premier-runtime-'));
  undo(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, text);
  return file;
}

for (const workers of ['1', '2'])
  check(`premier serve --workers ${workers}, until SIGTERM`, async (undo) => {
    const file = yamlFile(undo, `premier:\n  servers: [${await open(undo, echo)}]\n`);
    const { port } = new URL(await deadUrl());
    const cli = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));
    const args = [...(runtime === 'deno' ? ['run', '--allow-all'] : []), cli, 'serve', file, '--port', port, '--workers', workers];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    undo(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    await Promise.race([once(lines, 'line'), ended]);
    assert.equal((await (await fetch(`http://127.0.0.1:${port}/a`)).json()).url, '/a');
    // Deno's `child.kill` tells of every child that the signal has ended it.
    process.kill(child.pid, 'SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  });

check('a YAML file, and its reload', async (undo) => {
  const text = (method) => `premier:\n  log: { level: silent }\n  default_features: { access: { methods: [${method}] } }\n`;
  const file = yamlFile(undo, text('GET'));
  const gateway = await createGateway(file, { app: echo });
  undo(() => gateway.close({ grace: 0 }));
  const { url } = await gateway.listen({ port: 0 });
  assert.equal((await fetch(url)).status, 200);
  writeFileSync(file, text('POST'));
  await gateway.reload();
  assert.equal((await fetch(url)).status, 405);
});

check('close: a request under way gets its answer', async (undo) => {
  let came;
  const arrived = new Promise((resolve) => void (came = resolve));
  const { gateway, url } = await listening(undo, {}, { app: (_request, response) => came(response) });
  const answer = fetch(url);
  const response = await arrived;
  const closed = gateway.close({ grace: 5000 });
  response.end('late');
  assert.equal(await (await answer).text(), 'late');
  await closed;
  await assert.rejects(fetch(url));
});
