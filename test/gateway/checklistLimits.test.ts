import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openGateway, rawRequest, send, startUpstream } from '../support/gateways.js';
import { head, statusesOf, watched, wire } from './checklistTools.js';

const host = 'Host: api.test';
const chunked = 'Transfer-Encoding: chunked';

describe('what is too much is refused', { timeout: 60_000 }, () => {
  test('an address of more than 8 KiB', async (t) => {
    const { port, seen } = await watched(t);
    assert.deepEqual(statusesOf(await rawRequest(port, head(`GET /${'a'.repeat(8191)} HTTP/1.1`, host, 'Connection: close'))), [200]);
    assert.deepEqual(statusesOf(await rawRequest(port, head(`GET /${'a'.repeat(8192)} HTTP/1.1`, host))), [414]);
    assert.equal(seen.length, 1);
  });

  test('a head of more than 16 KiB, in one field or in many', async (t) => {
    const { port, seen } = await watched(t);
    const many = Array.from({ length: 3000 }, (_, i) => `X-${i}: 1`);
    for (const fields of [[`X-A: ${'a'.repeat(17_000)}`], many]) {
      const received = await rawRequest(port, head('GET / HTTP/1.1', host, ...fields));
      assert.deepEqual(statusesOf(received), [431]);
      assert.match(received, /"type":"headers_too_large"/);
    }
    assert.equal(seen.length, 0);
  });

  test('trailers without an end', async (t) => {
    const { port, seen } = await watched(t);
    const text = `${head('POST / HTTP/1.1', host, chunked)}0\r\n${Array.from({ length: 3000 }, (_, i) => `X-${i}: 1\r\n`).join('')}\r\n`;
    const received = await rawRequest(port, text);
    assert.ok(
      statusesOf(received).every((status) => status >= 400),
      received,
    );
    assert.ok(seen.length === 0);
  });

  test('chunk extensions without an end', async (t) => {
    const { port, seen } = await watched(t);
    const received = await rawRequest(port, `${head('POST / HTTP/1.1', host, chunked)}1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n`);
    assert.deepEqual(statusesOf(received), [413]);
    assert.equal(seen.length, 0);
  });

  test('a head that comes too slowly', async (t) => {
    const { port } = await watched(t, { limits: { header_timeout: '100ms' } });
    const client = wire(t, port);
    client.write('GET / HTTP/1.1\r\nHost: api');
    assert.deepEqual(statusesOf(await client.end()), [408]);
    assert.match(client.received, /"type":"request_timeout"/);
  });

  test('a body that comes too slowly', async (t) => {
    const { port } = await watched(t, { limits: { header_timeout: '100ms', request_timeout: '200ms' } });
    const client = wire(t, port);
    client.write(`${head('POST / HTTP/1.1', host, 'Content-Length: 10')}a`);
    assert.deepEqual(statusesOf(await client.end()), [408]);
  });

  test('more connections than are allowed', async (t) => {
    const { port } = await watched(t, { limits: { max_connections: 1 } });
    const first = wire(t, port);
    first.write(head('GET /a HTTP/1.1', host));
    await first.until('/a');
    assert.equal(await rawRequest(port, head('GET /b HTTP/1.1', host)), '');
    first.write(head('GET /c HTTP/1.1', host));
    await first.until('/c');
  });
});

describe('a body that is too long', { timeout: 60_000 }, () => {
  const limited = { default_features: { body_limit: { max_bytes: 1000 } } };
  const ways = {
    'in front of an upstream': limited,
    'kept for another attempt': { default_features: { ...limited.default_features, retry: {}, timeout: 5 } },
  };
  for (const [way, config] of Object.entries(ways)) {
    test(`${way} is refused by what it promises`, async (t) => {
      const { port, seen } = await watched(t, config);
      const received = await rawRequest(port, head('PUT / HTTP/1.1', host, 'Content-Length: 1001') + head('GET /smuggled HTTP/1.1', host));
      assert.deepEqual(statusesOf(received), [413]);
      assert.match(received, /^connection: close\r$/im);
      assert.equal(seen.length, 0);
    });

    test(`${way} is refused by what comes`, async (t) => {
      const { port, seen } = await watched(t, config);
      const chunk = `1f4\r\n${'a'.repeat(500)}\r\n`;
      const received = await rawRequest(
        port,
        head('PUT / HTTP/1.1', host, chunked) + chunk.repeat(3) + '0\r\n\r\n' + head('GET /smuggled HTTP/1.1', host),
      );
      assert.equal(statusesOf(received)[0], 413);
      assert.equal(statusesOf(received).length, 1);
      assert.ok(!seen.some(({ body, url }) => body.length > 0 || url === '/smuggled'));
    });
  }

  test('and of which most is still on its way does not cost the client its answer', async (t) => {
    const { port } = await watched(t, limited);
    const client = wire(t, port);
    client.write(head('POST / HTTP/1.1', host, 'Content-Length: 8000000'));
    client.write('a'.repeat(8_000_000));
    assert.deepEqual(statusesOf(await client.end()), [413]);
    assert.match(client.received, /payload_too_large/);
  });

  test('to an upstream that answers before it has read it does not cost the client the answer', async (t) => {
    const upstream = await startUpstream(t, (_request, response) => void response.writeHead(403, { Connection: 'close' }).end('early'));
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const client = wire(t, port);
    client.write(`${head('POST / HTTP/1.1', host, 'Content-Length: 8000000')}a`);
    await client.until('early');
    client.write('a'.repeat(7_999_999));
    await client.end();
    assert.deepEqual(statusesOf(client.received), [403]);
    assert.match(client.received, /^connection: close\r$/im);
  });
});

describe('a client that waits for 100 Continue', { timeout: 60_000 }, () => {
  test('gets it once everything has let its request pass, and the upstream never hears of it', async (t) => {
    const { port, seen } = await watched(t);
    const client = wire(t, port);
    client.write(head('POST / HTTP/1.1', host, 'Content-Length: 3', 'Expect: 100-continue', 'Connection: close'));
    await client.until('HTTP/1.1 100');
    client.write('abc');
    assert.deepEqual(statusesOf(await client.end()), [100, 200]);
    assert.ok(!seen[0]?.rawHeaders.some((one) => one.toLowerCase() === 'expect'));
    assert.equal(seen[0]?.body, 'abc');
  });

  const refusals: readonly (readonly [name: string, features: object, status: number])[] = [
    ['by a limit', { rate_limit: { quota: 1, duration: 60 } }, 429],
    ['by address', { access: { ip_deny: ['loopback'] } }, 403],
    ['by method', { access: { methods: ['GET'] } }, 405],
    ['by the length', { body_limit: { max_bytes: 2 } }, 413],
  ];
  for (const [name, features, status] of refusals) {
    test(`gets none when it is refused ${name}, and what it sends next is not taken for the body`, async (t) => {
      const { port, url, seen } = await watched(t, { default_features: features });
      if (status === 429) await send(url);
      seen.length = 0;
      const client = wire(t, port);
      client.write(head('POST / HTTP/1.1', host, 'Content-Length: 3', 'Expect: 100-continue'));
      await client.until('}}');
      client.write(head('GET /next HTTP/1.1', host));
      assert.deepEqual(statusesOf(await client.end()), [status]);
      assert.match(client.received, /^connection: close\r$/im);
      assert.deepEqual(seen, []);
    });
  }

  test('for something else is told that nobody knows it', async (t) => {
    const { port, seen } = await watched(t);
    const received = await rawRequest(port, head('POST / HTTP/1.1', host, 'Content-Length: 0', 'Expect: 200-ok', 'Connection: close'));
    assert.deepEqual(statusesOf(received), [417]);
    assert.equal(seen.length, 0);
  });
});

describe('a cache gives nobody what is for somebody else', { timeout: 60_000 }, () => {
  const cases: readonly (readonly [name: string, one: string[], other: string[], answer: Record<string, string>])[] = [
    ['another query', ['GET /a?user=1'], ['GET /a?user=2'], {}],
    ['another path', ['GET /a'], ['GET /b'], {}],
    ['another host', ['GET /a', 'Host: one.test'], ['GET /a', 'Host: two.test'], {}],
    [
      'another language, where the answer varies by it',
      ['GET /a', 'Accept-Language: de'],
      ['GET /a', 'Accept-Language: en'],
      { Vary: 'accept-language' },
    ],
    ['authorised answers', ['GET /a', 'Authorization: Bearer 1'], ['GET /a', 'Authorization: Bearer 2'], {}],
    ['authorised answers for strangers', ['GET /a', 'Authorization: Bearer 1'], ['GET /a'], {}],
    ['answers with a cookie', ['GET /a'], ['GET /a'], { 'Set-Cookie': 'session=1' }],
    ['private answers', ['GET /a'], ['GET /a'], { 'Cache-Control': 'private, max-age=60' }],
    ['answers not to be stored', ['GET /a'], ['GET /a'], { 'Cache-Control': 'no-store' }],
  ];
  for (const [name, one, other, fields] of cases) {
    test(name, async (t) => {
      let asked = 0;
      const upstream = await startUpstream(t, (_request, response) => void response.writeHead(200, fields).end(`answer ${++asked}`));
      const { port } = await openGateway(t, { servers: [upstream.url], default_features: { cache: { expire_s: 60 } } });
      for (const [line, ...rest] of [one, other]) {
        const names = rest.some((field) => field.startsWith('Host')) ? [] : [host];
        await rawRequest(port, head(`${line} HTTP/1.1`, ...names, ...rest, 'Connection: close'));
      }
      assert.equal(asked, 2);
    });
  }

  test('and what is for all comes out of it', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => void response.end(String(++asked)));
    const { port } = await openGateway(t, { servers: [upstream.url], default_features: { cache: { expire_s: 60 } } });
    for (const target of ['/a?x=1', '/./a?x=1', '/%61?x=1'])
      await rawRequest(port, head(`GET ${target} HTTP/1.1`, host, 'Connection: close'));
    assert.equal(asked, 1);
  });
});
