import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openGateway, rawRequest, startRaw, startUpstream } from '../support/gateways.js';
import { head, statusesOf, valuesOf, watched, wire } from './checklistTools.js';

const host = 'Host: api.test';
const chunked = 'Transfer-Encoding: chunked';
/** What an attacker hopes will be read as a request of its own. */
const smuggled = head('GET /smuggled HTTP/1.1', host);

describe('framing that two readers could read differently is refused, and the connection ends', { timeout: 60_000 }, () => {
  const rows: readonly (readonly [name: string, text: string, status: number])[] = [
    ['CL.TE', `${head('POST / HTTP/1.1', host, 'Content-Length: 6', chunked)}0\r\n\r\nG`, 400],
    ['TE.CL', `${head('POST / HTTP/1.1', host, chunked, 'Content-Length: 3')}1\r\nZ\r\n0\r\n\r\n`, 400],
    ['two equal Content-Length', `${head('POST / HTTP/1.1', host, 'Content-Length: 1', 'Content-Length: 1')}a`, 400],
    ['two different Content-Length', `${head('POST / HTTP/1.1', host, 'Content-Length: 1', 'Content-Length: 9')}a`, 400],
    ['a list as Content-Length', `${head('POST / HTTP/1.1', host, 'Content-Length: 1, 1')}a`, 400],
    ['a signed Content-Length', `${head('POST / HTTP/1.1', host, 'Content-Length: +1')}a`, 400],
    ['a negative Content-Length', head('POST / HTTP/1.1', host, 'Content-Length: -1'), 400],
    ['a hexadecimal Content-Length', `${head('POST / HTTP/1.1', host, 'Content-Length: 0x1')}a`, 400],
    ['an unknown transfer coding', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding: xchunked')}0\r\n\r\n`, 400],
    ['chunked that is not the last coding', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`, 400],
    ['two Transfer-Encoding', `${head('POST / HTTP/1.1', host, chunked, 'Transfer-Encoding: identity')}0\r\n\r\n`, 400],
    ['gzip before chunked', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`, 501],
    ['chunked twice in one field', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding: chunked, chunked')}0\r\n\r\n`, 400],
    ['Transfer-Encoding on HTTP/1.0', `${head('POST / HTTP/1.0', host, chunked)}0\r\n\r\n`, 400],
    ['a vertical tab in Transfer-Encoding', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding: \x0bchunked')}0\r\n\r\n`, 400],
    ['a space before the colon', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding : chunked')}0\r\n\r\n`, 400],
    ['a folded line', head('GET / HTTP/1.1', host, 'X-A: 1', ' Transfer-Encoding: chunked'), 400],
    ['a folded Transfer-Encoding', `${head('POST / HTTP/1.1', host, 'Transfer-Encoding:', ' chunked')}0\r\n\r\n`, 400],
    ['bare line feeds', `GET / HTTP/1.1\n${host}\n\n`, 400],
    ['a bare carriage return in a value', head('GET / HTTP/1.1', host, 'X-A: 1\rX-B: 2'), 400],
    ['a NUL in a value', head('GET / HTTP/1.1', host, 'X-A: \0'), 400],
    ['an empty field name', head('GET / HTTP/1.1', host, ': x'), 400],
    ['a chunk size with a prefix', `${head('POST / HTTP/1.1', host, chunked)}0x1\r\na\r\n0\r\n\r\n`, 400],
    ['a chunk size that ends with a bare line feed', `${head('POST / HTTP/1.1', host, chunked)}1\na\r\n0\r\n\r\n`, 400],
    ['a chunk longer than it says', `${head('POST / HTTP/1.1', host, chunked)}1\r\nab\r\n0\r\n\r\n`, 400],
    ['a chunk size beyond every number', `${head('POST / HTTP/1.1', host, chunked)}fffffffffffffffff\r\na`, 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['another version', head('GET / HTTP/3.7', host), 400],
    ['an unknown method', head('HACK / HTTP/1.1', host), 400],
    ['TRACE, which would show cookies to scripts', head('TRACE / HTTP/1.1', host, 'Cookie: a=1'), 405],
    ['CONNECT, which would make an open proxy of a gateway', head('CONNECT evil.test:80 HTTP/1.1', 'Host: evil.test:80'), 405],
  ];
  for (const [name, text, status] of rows) {
    test(name, async (t) => {
      const { port, seen } = await watched(t);
      const received = await rawRequest(port, text + smuggled);
      assert.equal(statusesOf(received)[0], status, received);
      assert.match(received, /^connection: close\r$/im);
      assert.match(received, /"error":\{"type":"[a-z_]+","message":"[^"]+","correlation_id":"[^"]+"\}/);
      assert.equal(statusesOf(received).length, 1, 'what follows is not read');
      assert.ok(seen.every(({ url }) => url !== '/smuggled'));
    });
  }
});

describe('a body keeps its frame whatever the method (CVE-2026-29057)', { timeout: 60_000 }, () => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT']) {
    test(`${method} with a chunked body`, async (t) => {
      const { port, seen } = await watched(t);
      const body = smuggled;
      const text = `${head(`${method} /a HTTP/1.1`, host, chunked)}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
      const received = await rawRequest(port, text + head('GET /b HTTP/1.1', host, 'Connection: close'));
      assert.deepEqual(statusesOf(received), [200, 200]);
      assert.deepEqual(seen.map((one) => one.url).toSorted(), ['/a', '/b']);
      const first = seen.find(({ url }) => url === '/a');
      assert.ok(first);
      assert.equal(first.body, body);
      assert.deepEqual(valuesOf(first, 'transfer-encoding'), ['chunked']);
      assert.deepEqual(valuesOf(first, 'content-length'), []);
    });

    test(`${method} with a Content-Length`, async (t) => {
      const { port, seen } = await watched(t);
      const text = head(`${method} /a HTTP/1.1`, host, `Content-Length: ${smuggled.length}`) + smuggled;
      const received = await rawRequest(port, text + head('GET /b HTTP/1.1', host, 'Connection: close'));
      assert.deepEqual(statusesOf(received), [200, 200]);
      const first = seen.find(({ url }) => url === '/a');
      assert.ok(first);
      assert.equal(first.body, smuggled);
      assert.deepEqual(valuesOf(first, 'transfer-encoding'), []);
      assert.deepEqual(valuesOf(first, 'content-length'), [String(smuggled.length)]);
    });
  }

  test('an empty chunked DELETE is followed by nothing that could be a body', async (t) => {
    const { port, seen } = await watched(t);
    const text = `${head('DELETE /a HTTP/1.1', host, chunked)}0\r\n\r\n`;
    const received = await rawRequest(port, text + head('GET /b HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(statusesOf(received), [200, 200]);
    assert.deepEqual(seen.map(({ url, body }) => url + body).toSorted(), ['/a', '/b']);
  });

  test('chunk extensions and trailers of a client go no further', async (t) => {
    const { port, seen } = await watched(t);
    const text = `${head('POST /a HTTP/1.1', host, chunked, 'Trailer: X-T', 'Connection: close')}1;x="y"\r\na\r\n0\r\nX-T: 1\r\n\r\n`;
    assert.deepEqual(statusesOf(await rawRequest(port, text)), [200]);
    const [first] = seen;
    assert.ok(first);
    assert.equal(first.body, 'a');
    assert.deepEqual(valuesOf(first, 'trailer'), []);
    assert.deepEqual(valuesOf(first, 'x-t'), []);
  });
});

describe('what concerns one connection stays on it', { timeout: 60_000 }, () => {
  test('on the way to the upstream', async (t) => {
    const { port, seen } = await watched(t);
    const hops = [
      'Connection: close, X-Listed',
      'X-Listed: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'TE: trailers, gzip',
    ];
    const more = [
      'Trailer: X-T',
      'Proxy-Authorization: Basic eA==',
      'Proxy-Authenticate: Basic',
      'HTTP2-Settings: AAA',
      'Upgrade: h2c',
      'X-Kept: 1',
    ];
    await rawRequest(port, head('GET / HTTP/1.1', host, ...hops, ...more));
    const [first] = seen;
    assert.ok(first);
    const gone = [
      'keep-alive',
      'proxy-connection',
      'trailer',
      'upgrade',
      'proxy-authorization',
      'proxy-authenticate',
      'http2-settings',
      'x-listed',
    ];
    for (const name of gone) assert.deepEqual(valuesOf(first, name), [], name);
    assert.deepEqual(valuesOf(first, 'connection'), ['keep-alive']);
    assert.deepEqual(valuesOf(first, 'te'), ['trailers']);
    assert.deepEqual(valuesOf(first, 'x-kept'), ['1']);
  });

  test('on the way to the client', async (t) => {
    const answer = head(
      'HTTP/1.1 200 OK',
      'Connection: X-Listed, X-Correlation-ID, Set-Cookie',
      'X-Listed: 1',
      'Keep-Alive: timeout=99',
      'Proxy-Connection: x',
      'Proxy-Authenticate: Basic',
      'Upgrade: h2c',
      'Alt-Svc: h3=":443"',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'X-Kept: 1',
      'Content-Length: 2',
    );
    const upstream = await startRaw(t, (socket) => socket.on('data', () => socket.write(`${answer}ok`)));
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const received = (await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close'))).toLowerCase();
    for (const name of ['x-listed', 'proxy-connection', 'proxy-authenticate', 'upgrade', 'alt-svc', 'timeout=99'])
      assert.ok(!received.includes(name), name);
    for (const line of ['set-cookie: a=1\r\n', 'set-cookie: b=2\r\n', 'x-kept: 1\r\n', 'x-correlation-id: '])
      assert.ok(received.includes(line), line);
  });

  const vouched: readonly (readonly [name: string, value: string, expected: string])[] = [
    ['Host', 'api.test', 'api.test'],
    ['Authorization', 'Bearer x', 'Bearer x'],
    ['Cookie', 'a=1', 'a=1'],
    ['Content-Type', 'text/plain', 'text/plain'],
    ['X-Forwarded-For', '', '127.0.0.1'],
    ['X-Forwarded-Proto', '', 'http'],
    ['X-Forwarded-Host', '', 'api.test'],
    ['X-Real-IP', '', '127.0.0.1'],
    ['X-Correlation-ID', 'mine', 'mine'],
    ['X-Policy', 'forged', 'set'],
  ];
  for (const [name, value, expected] of vouched) {
    test(`Connection cannot take ${name} out (CVE-2024-45410)`, async (t) => {
      const { port, seen } = await watched(t, { default_features: { headers: { request: { set: { 'X-Policy': 'set' } } } } });
      const given = name === 'Host' || value === '' ? [] : [`${name}: ${value}`];
      await rawRequest(port, head('GET / HTTP/1.1', host, `Connection: close, ${name}`, ...given));
      const [first] = seen;
      assert.ok(first);
      assert.deepEqual(valuesOf(first, name.toLowerCase()), [expected]);
    });
  }

  test('a request that asks for h2c is an ordinary one, body and all, and the next one is read after it', async (t) => {
    const { port, seen } = await watched(t);
    const asks = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAA'];
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    t.after(() => process.off('warning', warned));
    const client = wire(t, port);
    for (let i = 0; i < 20; i++) {
      client.write(`${head(`POST /n${i}. HTTP/1.1`, host, ...asks, chunked)}1\r\nx\r\n0\r\n\r\n`);
      await client.until(`/n${i}.`);
    }
    client.write(head('GET /b HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(
      statusesOf(await client.end()),
      Array.from({ length: 21 }, () => 200),
    );
    assert.ok(seen.slice(0, 20).every(({ body }, i) => body === 'x' && seen[i]?.url === `/n${i}.`));
    assert.deepEqual(warnings, []);
  });

  test('an answer has no body where none may be, and the connection goes on', async (t) => {
    const upstream = await startUpstream(t, (request, response) => {
      response.statusCode = Number(request.url?.slice(1));
      response.end(response.statusCode === 200 ? 'body' : undefined);
    });
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const text = head('HEAD /200 HTTP/1.1', host) + head('GET /204 HTTP/1.1', host) + head('GET /304 HTTP/1.1', host);
    const received = await rawRequest(port, text + head('GET /200 HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(statusesOf(received), [200, 204, 304, 200]);
    assert.equal(received.split('body').length, 2);
    assert.doesNotMatch(
      received.slice(received.indexOf('HTTP/1.1 204'), received.lastIndexOf('HTTP/1.1 200')),
      /transfer-encoding|content-length/i,
    );
  });

  test('an upstream that switches protocols unasked is refused', async (t) => {
    const upstream = await startRaw(t, (socket) =>
      socket.once('data', () => socket.write(head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: evil'))),
    );
    const { port } = await openGateway(t, { servers: [upstream.url] });
    assert.deepEqual(statusesOf(await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close'))), [502]);
  });

  test('an early hint is passed on', async (t) => {
    const upstream = await startRaw(t, (socket) =>
      socket.once('data', () =>
        socket.end(`${head('HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload')}${head('HTTP/1.1 200 OK', 'Content-Length: 0')}`),
      ),
    );
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const received = await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(statusesOf(received), [103, 200]);
    assert.match(received, /Link: <\/a\.css>; rel=preload/i);
  });

  test('a request that runs in a circle is stopped', async (t) => {
    const via = Array.from({ length: 12 }, () => '1.1 premier').join(', ');
    const { port, seen } = await watched(t);
    assert.deepEqual(statusesOf(await rawRequest(port, head('GET / HTTP/1.1', host, `Via: ${via}`, 'Connection: close'))), [508]);
    assert.equal(seen.length, 0);
  });
});
