import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openGateway, rawRequest, startRaw, startUpstream, until } from '../support/gateways.js';
import { head, statusesOf, watched, wire } from './checklistTools.js';

const host = 'Host: api.test';
const chunked = 'Transfer-Encoding: chunked';

describe('what breaks off is never ended as if it were whole', { timeout: 60_000 }, () => {
  const broken: readonly (readonly [name: string, answer: string])[] = [
    ['before its Content-Length', `${head('HTTP/1.1 200 OK', 'Content-Length: 10')}12345`],
    ['before its last chunk', `${head('HTTP/1.1 200 OK', chunked)}5\r\n12345\r\n`],
    ['within a chunk', `${head('HTTP/1.1 200 OK', chunked)}9\r\n12345`],
    ['with a chunk that is none', `${head('HTTP/1.1 200 OK', chunked)}5\r\n12345\r\nzz\r\n`],
  ];
  for (const [name, answer] of broken) {
    test(`an answer that ends ${name}`, async (t) => {
      const upstream = await startRaw(t, (socket) => socket.once('data', () => socket.end(answer)));
      const { port } = await openGateway(t, { servers: [upstream.url] });
      const received = await rawRequest(port, head('GET / HTTP/1.1', host));
      const length = /^content-length: (\d+)/im.exec(received)?.[1];
      // Either there is no answer at all, or one whose end is missing.
      if (received !== '') assert.ok(length === undefined ? !received.includes('\r\n0\r\n\r\n') : length === '10', received);
    });
  }

  const none: readonly (readonly [name: string, answer: string])[] = [
    ['closes before its answer', ''],
    ['breaks off within the head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['answers with both lengths', `${head('HTTP/1.1 200 OK', 'Content-Length: 3', chunked)}0\r\n\r\n`],
    ['answers with two lengths', `${head('HTTP/1.1 200 OK', 'Content-Length: 3', 'Content-Length: 5')}12345`],
    ['folds a line', head('HTTP/1.1 200 OK', 'X-A: 1', '\tSet-Cookie: a', 'Content-Length: 0')],
    ['breaks a line with a bare carriage return', head('HTTP/1.1 200 OK', 'X-A: 1\rSet-Cookie: a=1', 'Content-Length: 0')],
    ['sends a NUL', head('HTTP/1.1 200 OK', 'X-A: \0', 'Content-Length: 0')],
  ];
  for (const [name, answer] of none) {
    test(`an upstream that ${name} is a 502 that says nothing about it`, async (t) => {
      const upstream = await startRaw(t, (socket) => socket.once('data', () => socket.end(answer)));
      const { port } = await openGateway(t, { servers: [upstream.url] });
      const received = await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close'));
      assert.deepEqual(statusesOf(received), [502], received);
      assert.doesNotMatch(received, /set-cookie|127\.0\.0\.1|parse|undici|UND_ERR|HPE_|socket|\bat /i);
    });
  }

  test('a chunked upload that the client breaks off has no last chunk for the upstream', async (t) => {
    let got = '';
    let over = false;
    const upstream = await startRaw(t, (socket) => {
      socket.setEncoding('latin1').on('data', (chunk: string) => (got += chunk));
      socket.on('close', () => (over = true));
    });
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const client = wire(t, port);
    client.write(`${head('POST / HTTP/1.1', host, chunked)}5\r\n12345\r\n`);
    await until(() => got.includes('12345'));
    client.socket.destroy();
    await until(() => over);
    assert.ok(!got.includes('\r\n0\r\n\r\n'), got);
  });

  test('garbage behind a request does not get into its answer', async (t) => {
    let finish = (): void => undefined;
    const upstream = await startUpstream(t, (_request, response) => {
      response.write('first');
      finish = () => void response.end('last');
    });
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const client = wire(t, port);
    client.write(head('GET / HTTP/1.1', host));
    await client.until('first');
    client.write('no request at all\r\n\r\n');
    // A round trip, by which the gateway has read it.
    await rawRequest(port, head('GET /health HTTP/1.1', host, 'Connection: close'));
    finish();
    const received = await client.end();
    assert.deepEqual(statusesOf(received), [200]);
    assert.ok(received.endsWith('4\r\nlast\r\n0\r\n\r\n'), received);
  });

  test('a request gets its answer, with garbage right behind it', async (t) => {
    const { port } = await watched(t);
    const received = await rawRequest(port, `${head('GET /a HTTP/1.1', host)}no request at all\r\n\r\n`);
    assert.deepEqual(statusesOf(received), [200]);
    assert.match(received, /^connection: close\r$/im);
  });

  test('a client that leaves with requests in the queue keeps nothing open', async (t) => {
    let asked = 0;
    let left = 0;
    const upstream = await startUpstream(t, (request, response) => {
      asked++;
      response.on('close', () => left++);
      if (request.url === '/stream') response.write('begins');
    });
    const lines: string[] = [];
    const logger = { write: (line: string) => void lines.push(line) } as never;
    const { gateway, port } = await openGateway(t, { servers: [upstream.url], log: { level: 'info' } }, { logger });
    const client = wire(t, port);
    client.write(head('GET /first HTTP/1.1', host) + head('GET /second HTTP/1.1', host) + head('GET /stream HTTP/1.1', host));
    await until(() => asked === 3);
    client.socket.destroy();
    await until(() => left === 3);
    await gateway.close({ grace: 60_000 });
    const statuses = lines.map((line) => (JSON.parse(line) as { status_code?: number }).status_code);
    assert.deepEqual(
      statuses.filter((status) => status !== undefined),
      [499, 499, 499],
    );
  });
});
