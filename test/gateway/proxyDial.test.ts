import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type TestContext, describe, test } from 'node:test';
import { TimeoutError } from '../../src/core/errors.js';
import { headerOf } from '../../src/http/headers.js';
import type { Problem } from '../../src/http/problem.js';
import { failureKind } from '../../src/proxy/failureKind.js';
import { deadUrl } from '../support/gateways.js';
import { answering, callOf, exchangeOf, httpServer, poolOf, proxyTo, rawServer, rejection, textOf, until } from './proxyTools.js';

const asked = {
  path: '/chat',
  upgrade: 'websocket',
  headers: [
    'Connection',
    'Upgrade',
    'Upgrade',
    'websocket',
    'Sec-WebSocket-Key',
    'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version',
    '13',
    'Sec-WebSocket-Protocol',
    'chat',
    'X-Forwarded-For',
    '6.6.6.6',
  ],
};

/** A server that accepts, says hello together with its head, and echoes. */
async function echoing(t: TestContext) {
  const seen: Record<string, unknown>[] = [];
  const { url, server } = await httpServer(t, (_request, response) => void response.end());
  server.on('upgrade', (request, socket: Duplex, _head) => {
    seen.push(request.headers);
    socket.on('error', () => undefined);
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello`,
    );
    socket.pipe(socket);
  });
  return { url, seen };
}

describe('an upgrade', () => {
  test('resolves with the connection, what came with its head, and the fields of the handshake', async (t) => {
    const { url, seen } = await echoing(t);
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    const exchange = exchangeOf(asked);
    const { status, headers, tunnel } = await forward(exchange, callOf());
    assert.equal(status, 101);
    assert.equal(headerOf(headers, 'sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    assert.equal(headerOf(headers, 'sec-websocket-protocol'), 'chat');
    assert.equal(headerOf(headers, 'connection'), undefined);
    assert.equal(headerOf(headers, 'upgrade'), undefined);
    assert.ok(tunnel);
    let got = Buffer.from(tunnel.head).toString();
    tunnel.socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
    tunnel.socket.write(' world');
    await until(() => got === 'hello world');
    assert.equal(seen[0]?.['x-forwarded-for'], '192.0.2.1');
    assert.equal(seen[0]?.['sec-websocket-protocol'], 'chat');
    assert.equal(seen[0]?.['host'], 'api.test');
    assert.equal(exchange.server, url);
    assert.deepEqual([upstream.servers[0]?.active, upstream.servers[0]?.tunnels], [1, 1]);
    tunnel.socket.destroy();
    await once(tunnel.socket, 'close');
    assert.deepEqual([upstream.servers[0]?.active, upstream.servers[0]?.tunnels], [0, 0]);
  });

  test('that a server refuses is an answer like any other', async (t) => {
    const refusing = await answering(t, 'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 2\r\n\r\nno');
    const { forward, upstream } = proxyTo(t, poolOf([refusing.url]));
    const { status, headers, body, tunnel } = await forward(exchangeOf(asked), callOf());
    assert.deepEqual([status, headerOf(headers, 'x-why'), tunnel], [403, 'no', undefined]);
    assert.equal(await textOf(body), 'no');
    await until(() => upstream.servers[0]?.active === 0);
  });

  test('to something that nobody asked for is a bad gateway, and its connection is closed', async (t) => {
    const { url, sockets } = await answering(t, 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    const error = (await rejection(forward(exchangeOf(asked), callOf()))) as Problem;
    assert.equal(error.type, 'bad_gateway');
    await until(() => sockets[0]?.destroyed === true);
    await until(() => upstream.servers[0]?.active === 0);
  });

  test('goes to another server where one refuses the connection', async (t) => {
    const { url } = await echoing(t);
    const { forward, upstream } = proxyTo(t, poolOf([await deadUrl(), url]));
    const { tunnel } = await forward(exchangeOf(asked), callOf());
    tunnel?.socket.destroy();
    assert.deepEqual(
      upstream.servers.map(({ up }) => up),
      [false, true],
    );
  });

  test('fails with a connect error where all refuse, and with a reset where one breaks off', async (t) => {
    const dead = proxyTo(t, poolOf([await deadUrl()]));
    assert.equal(failureKind(await rejection(dead.forward(exchangeOf(asked), callOf()))), 'connect_error');
    const { url } = await rawServer(t, (socket) => socket.once('data', () => socket.destroy()));
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    assert.equal(failureKind(await rejection(forward(exchangeOf(asked), callOf()))), 'reset');
    assert.equal(upstream.servers[0]?.active, 0);
  });

  test('that is aborted closes its connection; a timeout counts against the server', async (t) => {
    const { url, sockets } = await rawServer(t, (socket) => socket.resume());
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    const call = callOf();
    const dialled = rejection(forward(exchangeOf(asked), call));
    await until(() => sockets.length === 1);
    call.abort(new TimeoutError('/chat', 1));
    assert.ok((await dialled) instanceof TimeoutError);
    await until(() => sockets[0]?.destroyed === true);
    await until(() => upstream.servers[0]?.active === 0);
    assert.equal(upstream.servers[0]?.failures, 1);
  });

  test('a broken tunnel does not end the process', async (t) => {
    const { url } = await echoing(t);
    const { tunnel } = await proxyTo(t, poolOf([url])).forward(exchangeOf(asked), callOf());
    assert.ok(tunnel);
    const closed = new Promise((resolve) => tunnel.socket.once('close', resolve));
    tunnel.socket.destroy(new Error('cut'));
    await closed;
  });
});
