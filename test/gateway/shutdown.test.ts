import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { createGateway } from '../../src/gateway/create.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { gate, makeGateway, openGateway, send, startRaw, startUpstream, turn, until } from '../support/gateways.js';

/** An upstream whose answers to `/slow` wait until they are let go. */
async function slow(t: TestContext): Promise<{ url: string; asked: Promise<void>; go: () => void }> {
  const [asked, held] = [gate(), gate()];
  const { url } = await startUpstream(t, ({ url: path }, response) => {
    if (path !== '/slow') return void response.end('quick');
    asked.open();
    void held.opened.then(() => response.end('slow'));
  });
  return { url, asked: asked.opened, go: held.open };
}

/** What comes in on a socket until it ends. */
function reading(socket: Socket): { text: string; ended: Promise<unknown> } {
  const seen = { text: '', ended: once(socket, 'close') };
  socket.setEncoding('latin1').on('error', () => undefined);
  socket.on('data', (chunk: string) => (seen.text += chunk));
  return seen;
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

describe('a gateway that closes', { timeout: 60_000 }, () => {
  test('finishes what is under way, takes nothing new, and keeps no connection', async (t) => {
    const upstream = await slow(t);
    const { gateway, url, port } = await openGateway(t, { servers: [upstream.url] });
    const idle = await connected(port);
    const idleSeen = reading(idle);
    idle.write(get('/quick'));
    await until(() => idleSeen.text.includes('quick'));
    const busy = await connected(port);
    const busySeen = reading(busy);
    busy.write(get('/slow'));
    await upstream.asked;
    const started = performance.now();
    const closed = gateway.close();
    await idleSeen.ended;
    await assert.rejects(send(url), /ECONNREFUSED/);
    upstream.go();
    await busySeen.ended;
    assert.match(busySeen.text, /^HTTP\/1.1 200[^]*slow$/);
    await closed;
    assert.ok(performance.now() - started < 5000, 'nobody waited for the grace period, or for an idle connection');
  });

  test('tells the client of a request under way that the connection ends with it', async (t) => {
    const upstream = await slow(t);
    const { gateway, url } = await openGateway(t, { servers: [upstream.url] });
    const agent = new Agent({ keepAlive: true });
    const asked = request(`${url}/slow`, { agent }).end();
    await upstream.asked;
    const closed = gateway.close();
    upstream.go();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(answer.headers.connection, 'close');
    answer.resume();
    await closed;
    agent.destroy();
  });

  test('cuts a stream that does not end when the grace period is over', async (t) => {
    const clock = new FakeClock();
    const left = gate();
    const upstream = await startUpstream(t, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      response.once('close', () => left.open());
    });
    const { gateway, port } = await openGateway(t, { servers: [upstream.url], grace: 5 }, { clock });
    const socket = await connected(port);
    const seen = reading(socket);
    socket.write(get('/events'));
    await until(() => seen.text.includes('data: 1'));
    const closed = gateway.close();
    await clock.advance(4.9);
    await turn();
    assert.ok(!socket.closed, 'the stream is still open within the grace period');
    await clock.advance(0.2);
    await seen.ended;
    await left.opened;
    await closed;
  });

  test('cuts a stream of an app, too', async (t) => {
    const left = gate();
    const app = (_request: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      response.once('close', () => left.open());
    };
    const { gateway, port } = await openGateway(t, { default_features: { timeout: 60 } }, { app });
    const socket = await connected(port);
    const seen = reading(socket);
    socket.write(get('/events'));
    await until(() => seen.text.includes('data: 1'));
    await gateway.close({ grace: 100 });
    await seen.ended;
    await left.opened;
  });

  test('does not wait beyond the grace period for a stream that was asked for by fetch', async (t) => {
    const app = { fetch: () => new Response(new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from('data: 1')) })) };
    const gateway = await makeGateway(t, {}, { app });
    const response = await gateway.fetch(new Request('http://a/events'));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    assert.equal(Buffer.from((await reader.read()).value as Uint8Array).toString(), 'data: 1');
    await gateway.close({ grace: 100 });
    await reader.cancel();
  });

  test('does not wait beyond the grace period for a handshake that nobody answers', async (t) => {
    const arrived = gate();
    const upstream = await startRaw(t, (socket) => void socket.once('data', () => arrived.open()));
    const { gateway, url } = await openGateway(t, { servers: [upstream.url] });
    const socket = new WebSocket(url.replace('http', 'ws'));
    const failed = once(socket, 'error');
    await arrived.opened;
    await gateway.close({ grace: 100 });
    await failed;
  });

  test('closes WebSockets with 1001 on both sides', async (t) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    t.after(() => server.close());
    const upstream = gate<WebSocket>();
    server.on('connection', (socket) => upstream.open(socket));
    const { gateway, url } = await openGateway(t, { servers: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`] });
    const socket = new WebSocket(url.replace('http', 'ws'));
    await once(socket, 'open');
    const ends = Promise.all([once(socket, 'close'), once(await upstream.opened, 'close')]);
    await gateway.close();
    assert.deepEqual(
      (await ends).map(([code]) => code as unknown),
      [1001, 1001],
    );
  });

  test('says so on /health for as long as drain_delay, and answers meanwhile', async (t) => {
    const clock = new FakeClock();
    const upstream = await slow(t);
    const { gateway, url } = await openGateway(t, { servers: [upstream.url], drain_delay: 5 }, { clock });
    assert.equal((await send(`${url}/health`)).status, 200);
    const closed = gateway.close();
    const draining = await send(`${url}/health`);
    assert.equal(draining.status, 503);
    assert.equal((JSON.parse(draining.body) as { status: string }).status, 'draining');
    const answer = await send(`${url}/quick`, { headers: { connection: 'keep-alive' } });
    assert.equal(answer.body, 'quick');
    assert.equal(answer.headers.connection, 'close');
    await clock.advance(5);
    await closed;
    await assert.rejects(send(url), /ECONNREFUSED/);
  });

  test('can be told twice, and again when it is closed', async (t) => {
    const { gateway } = await openGateway(t, { servers: ['http://127.0.0.1:9'] });
    await Promise.all([gateway.close(), gateway.close({ grace: 0 })]);
    await gateway.close();
  });

  test('takes no reload any more; one that is under way leaves nothing open', async (t) => {
    const checked = gate();
    const upstream = await startUpstream(t, (_request, response) => {
      checked.open();
      response.end();
    });
    const config = { log: { level: 'silent' }, servers: [upstream.url] } as const;
    const { gateway } = await openGateway(t, config);
    const reloading = gateway.reload({
      ...config,
      upstreams: { u: { servers: [upstream.url], health: { path: '/health', interval: 1 } } },
    });
    const closed = gateway.close();
    await reloading;
    await closed;
    const connections = await new Promise<number>((resolve, reject) => {
      upstream.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
    assert.equal(connections, 0);
    await assert.rejects(gateway.reload(config), /closed/);
  });

  test('is closed by the server that it was attached to', async (t) => {
    const server = createServer((_request, response) => void response.end('app'));
    const upstream = await slow(t);
    const gateway = await makeGateway(t, { servers: [upstream.url] });
    gateway.attach(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    assert.equal((await send(`http://127.0.0.1:${port}/`)).body, 'quick');
    server.close();
    await once(server, 'close');
    assert.equal(gateway.draining, true);
    await gateway.close();
    await assert.rejects(gateway.reload(), /closed/);
  });

  test('closes the server that it was attached to', async (t) => {
    const server = createServer();
    const upstream = await slow(t);
    const gateway = await makeGateway(t, { servers: [upstream.url] });
    gateway.attach(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await gateway.close();
    assert.equal(server.listening, false);
  });
});

describe('a gateway that cannot be opened', { timeout: 60_000 }, () => {
  test('leaves nothing behind when the port of its admin is taken', async (t) => {
    let checks = 0;
    const upstream = await startUpstream(t, (_request, response) => {
      checks++;
      response.end();
    });
    const clock = new FakeClock();
    const config = {
      log: { level: 'silent' },
      upstreams: { u: { servers: [upstream.url], health: { path: '/health', interval: 1 } } },
      admin: { listener: `127.0.0.1:${upstream.port}` },
    } as const;
    await assert.rejects(createGateway(config, { clock }), /EADDRINUSE/);
    const before = checks;
    await clock.advance(10);
    await turn();
    assert.equal(checks, before);
  });
});
