import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { openGateway, rawRequest, send, startRaw, startUpstream, until } from '../support/gateways.js';
import { head, statusesOf, wire } from './checklistTools.js';

const host = 'Host: api.test';
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const asks = [host, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', key];
const accepted = head(
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
);

/** An upstream that takes every WebSocket and then sends back what it gets. */
async function echo(t: TestContext) {
  const heads: string[] = [];
  const upstream = await startRaw(t, (socket) => {
    socket.setEncoding('latin1');
    let before = '';
    let open = false;
    socket.on('data', (chunk: string) => {
      if (open) return void socket.write(chunk, 'latin1');
      before += chunk;
      const end = before.indexOf('\r\n\r\n');
      if (end === -1) return;
      heads.push(before.slice(0, end));
      open = true;
      socket.write(accepted + before.slice(end + 4), 'latin1');
    });
  });
  return { ...upstream, heads };
}

describe('a handshake', { timeout: 60_000 }, () => {
  const without = (name: string): string[] => asks.filter((line) => !line.startsWith(name));
  const refused: readonly (readonly [name: string, line: string, fields: string[], status: number])[] = [
    ['with POST', 'POST / HTTP/1.1', [...asks, 'Content-Length: 0'], 400],
    ['of HTTP/1.0', 'GET / HTTP/1.0', asks, 400],
    ['without a key', 'GET / HTTP/1.1', without('Sec-WebSocket-Key'), 400],
    ['with a key of 15 bytes', 'GET / HTTP/1.1', [...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA'], 400],
    ['with two keys', 'GET / HTTP/1.1', [...asks, key], 400],
    ['without a version', 'GET / HTTP/1.1', without('Sec-WebSocket-Version'), 426],
    ['of another version', 'GET / HTTP/1.1', [...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 8'], 426],
    ['with a body', 'GET / HTTP/1.1', [...asks, 'Content-Length: 4'], 400],
    ['with a chunked body', 'GET / HTTP/1.1', [...asks, 'Transfer-Encoding: chunked'], 400],
    ['that asks for more', 'GET / HTTP/1.1', asks.map((line) => line.replace('Upgrade: websocket', 'Upgrade: websocket, h2c')), 400],
    ['with two Hosts', 'GET / HTTP/1.1', [...asks, 'Host: evil.test'], 400],
    ['for a target elsewhere (CVE-2026-44578)', 'GET http://127.0.0.1:1/ HTTP/1.1', asks, 400],
    ['with a backslash', 'GET /\\evil HTTP/1.1', asks, 400],
    ['from a page of another site, with its cookies', 'GET / HTTP/1.1', [...asks, 'Origin: https://evil.test', 'Cookie: a=1'], 403],
    ['from a page of a site with a like name', 'GET / HTTP/1.1', [...asks, 'Origin: https://api.test.evil.test', 'Cookie: a=1'], 403],
    ['from a page of nowhere', 'GET / HTTP/1.1', [...asks, 'Origin: null', 'Cookie: a=1'], 403],
    ['with two origins', 'GET / HTTP/1.1', [...asks, 'Origin: https://api.test', 'Origin: https://evil.test', 'Cookie: a=1'], 403],
  ];
  for (const [name, line, fields, status] of refused) {
    test(`${name} is ${status}, and the connection ends`, async (t) => {
      const { url, heads } = await echo(t);
      const { port } = await openGateway(t, { servers: [url] });
      const received = await rawRequest(port, head(line, ...fields) + head('GET /smuggled HTTP/1.1', host));
      assert.deepEqual(statusesOf(received), [status], received);
      assert.deepEqual(heads, []);
    });
  }

  const chain: readonly (readonly [name: string, features: object, status: number])[] = [
    ['addresses', { access: { ip_deny: ['loopback'] } }, 403],
    ['origins', { websocket: { origins: ['https://app.test'] } }, 403],
    ['how many are open', { websocket: { max_connections: 1 } }, 503],
    ['how often', { rate_limit: { quota: 1, duration: 60 } }, 429],
  ];
  for (const [name, features, status] of chain) {
    test(`is held to the rules of its path: ${name}`, async (t) => {
      const { url } = await echo(t);
      const { port } = await openGateway(t, { servers: [url], paths: [{ pattern: '/ws/*', features }] });
      const first = wire(t, port);
      first.write(head('GET /ws/../ws/a HTTP/1.1', ...asks, 'Origin: https://evil.test'));
      await first.until('\r\n\r\n');
      assert.deepEqual(statusesOf(first.received), [status < 429 ? status : 101]);
      assert.deepEqual(statusesOf(await rawRequest(port, head('GET /ws/a HTTP/1.1', ...asks, 'Origin: https://evil.test'))), [status]);
    });
  }

  test('cannot forge who it comes from, and keeps what belongs to it', async (t) => {
    const { url, heads } = await echo(t);
    const { port } = await openGateway(t, { servers: [url] });
    const client = wire(t, port);
    client.write(
      head('GET /x HTTP/1.1', ...asks, 'X-Forwarded-For: 1.2.3.4', 'X-Consumer: root', 'X_User: 1', 'Sec-WebSocket-Protocol: a, b'),
    );
    await client.until('101');
    const [sent = ''] = heads;
    assert.match(sent, /^GET \/x HTTP\/1\.1\r\n/);
    assert.match(sent, /^x-forwarded-for: 127\.0\.0\.1$/im);
    assert.match(sent, /^sec-websocket-protocol: a, b$/im);
    assert.match(sent, /^sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==$/im);
    assert.doesNotMatch(sent, /1\.2\.3\.4|x-consumer|x_user/i);
  });

  const liars: readonly (readonly [name: string, answer: string, status: number])[] = [
    ['another protocol', head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: h2c'), 502],
    ['no protocol', head('HTTP/1.1 101 Switching Protocols'), 502],
    ['nothing', '', 502],
    ['a refusal', `${head('HTTP/1.1 401 Unauthorized', 'WWW-Authenticate: Basic', 'Content-Length: 2')}no`, 401],
    ['an ordinary answer', `${head('HTTP/1.1 200 OK', 'Content-Length: 2')}ok`, 200],
  ];
  for (const [name, answer, status] of liars) {
    test(`that the upstream answers with ${name} opens nothing`, async (t) => {
      const upstream = await startRaw(t, (socket) => socket.once('data', () => socket.end(answer)));
      const { port } = await openGateway(t, { servers: [upstream.url] });
      const received = await rawRequest(port, head('GET / HTTP/1.1', ...asks) + head('GET /smuggled HTTP/1.1', host));
      assert.deepEqual(statusesOf(received), [status], received);
      assert.match(received, /^connection: close\r$/im);
    });
  }

  test('is not answered with 101 before the upstream has done so', async (t) => {
    let answer: (() => void) | undefined;
    const upstream = await startRaw(t, (socket) => {
      socket.once('data', () => (answer = () => void socket.write(accepted)));
    });
    const { port, url } = await openGateway(t, { servers: [upstream.url] });
    const client = wire(t, port);
    client.write(head('GET / HTTP/1.1', ...asks));
    await until(() => answer !== undefined);
    await send(`${url}/health`);
    assert.equal(client.received, '');
    answer?.();
    await client.until('101');
  });

  test('behind a request that still waits for its answer does not mix with it', async (t) => {
    const { url, heads } = await echo(t);
    const { port } = await openGateway(t, { servers: [url] });
    const received = await rawRequest(port, head('GET /slow HTTP/1.1', host) + head('GET /ws HTTP/1.1', ...asks));
    assert.ok(!statusesOf(received).includes(101), received);
    assert.ok(heads.every((one) => !one.startsWith('GET /ws')));
  });
});

describe('an open WebSocket', { timeout: 60_000 }, () => {
  test('carries bytes both ways, those right behind the handshake too', async (t) => {
    const { url } = await echo(t);
    const { port } = await openGateway(t, { servers: [url] });
    const client = wire(t, port);
    client.write(`${head('GET / HTTP/1.1', ...asks)}\x81\x85\0\0\0\0early`);
    await client.until('early');
    client.write('\x81\x84\0\0\0\0late');
    await client.until('late');
  });

  for (const side of ['client', 'upstream'] as const) {
    test(`ends on both sides when the ${side} resets its connection, and the gateway lives on`, async (t) => {
      const ends: (() => void)[] = [];
      let over = 0;
      const upstream = await startRaw(t, (socket) => {
        ends.push(() => socket.resetAndDestroy());
        socket.once('data', () => socket.write(accepted));
        socket.on('close', () => over++);
      });
      const { gateway, port, url } = await openGateway(t, { servers: [upstream.url] });
      const client = wire(t, port);
      client.write(head('GET / HTTP/1.1', ...asks));
      await client.until('101');
      if (side === 'client') client.socket.resetAndDestroy();
      else ends.at(-1)?.();
      await until(() => client.ended && over === ends.length);
      assert.equal((await send(`${url}/health`)).status, 200);
      await gateway.close({ grace: 60_000 });
    });
  }

  test('a plain request for a WebSocket path is an ordinary one', async (t) => {
    const upstream = await startUpstream(t, (_request, response) => void response.end('plain'));
    const { url } = await openGateway(t, { servers: [upstream.url], default_features: { websocket: { max_connections: 1 } } });
    for (let i = 0; i < 3; i++) assert.equal((await send(url)).body, 'plain');
  });
});
