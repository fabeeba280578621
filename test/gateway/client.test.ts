import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { Readable } from 'node:stream';
import { systemClock } from '../../src/core/clock.js';
import { OptionsError } from '../../src/core/errors.js';
import { collect, fromReadable } from '../../src/http/body.js';
import { clientOf, compileTrust, matcher, plainAddress } from '../../src/http/client.js';
import type { Exchange } from '../../src/http/exchange.js';
import { headerOf, headersOf } from '../../src/http/headers.js';
import { type Edge, exchangeOfRequest } from '../../src/http/nodeRequest.js';
import { Problem } from '../../src/http/problem.js';

describe('a set of addresses', () => {
  const cases: readonly (readonly [block: string, address: string, inside: boolean])[] = [
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.70', false],
    ['2001:db8::/32', '2001:DB8:0::1', true],
    ['::/0', '1.2.3.4', false],
    ['loopback', '127.9.9.9', true],
    ['loopback', '::1', true],
    ['private', '192.168.1.1', true],
    ['private', '172.32.0.1', false],
    ['private', 'fd00::1', true],
    ['0.0.0.0/0', '', false],
    ['0.0.0.0/0', 'unknown', false],
    ['0.0.0.0/0', '127.1', false],
  ];
  for (const [block, address, inside] of cases)
    test(`${block} ${inside ? 'has' : 'has not'} "${address}"`, () => {
      const has = matcher([block]);
      assert.equal(has(address), inside);
      assert.equal(has(address), inside, 'the second time');
    });

  test('refuses what is no block, and says where it stands', () => {
    for (const bad of ['10.0.0.0/33', '10.0.0/8', 'example.com', '10.0.0.0/8/8', '::ffff:10.0.0.0/8', ''])
      assert.throws(
        () => compileTrust([bad]),
        (error: Error) => error instanceof OptionsError && error.message.startsWith('trusted_proxies: '),
      );
  });

  test('remembers a bounded number of addresses', () => {
    const has = matcher(['10.0.0.0/8']);
    for (let i = 0; i < 5000; i++) assert.equal(has(`10.0.${i >> 8}.${i & 255}`), true);
    assert.equal(has('9.9.9.9'), false);
  });
});

describe('who asks', () => {
  const trusted = compileTrust(['10.0.0.0/8', '::1']);
  const forwarded = (...values: string[]): string[] => values.flatMap((value) => ['X-Forwarded-For', value]);

  test('is the peer, whatever it forwards, where it is not trusted', () => {
    const headers = [...forwarded('1.1.1.1'), 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'evil.test'];
    assert.deepEqual(clientOf('203.0.113.9', headers, trusted), { client: '203.0.113.9', scheme: undefined, host: undefined });
  });

  const chains: readonly (readonly [values: string[], client: string])[] = [
    [['1.1.1.1'], '1.1.1.1'],
    [['6.6.6.6, 1.1.1.1'], '1.1.1.1'],
    [['6.6.6.6, 1.1.1.1, 10.0.0.2'], '1.1.1.1'],
    [['6.6.6.6', '1.1.1.1', '10.0.0.2'], '1.1.1.1'],
    [['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    [['1.1.1.1, unknown'], '10.0.0.1'],
    [['1.1.1.1, unknown, 10.0.0.2'], '10.0.0.2'],
    [['1.1.1.1:5678'], '1.1.1.1'],
    [['[2001:DB8::1]:80'], '2001:db8::1'],
    [['::ffff:1.1.1.1'], '1.1.1.1'],
    [[''], '10.0.0.1'],
    [[], '10.0.0.1'],
  ];
  for (const [values, client] of chains)
    test(`is ${client} behind a proxy of ours that says "${values.join('; ')}"`, () =>
      assert.equal(clientOf('10.0.0.1', forwarded(...values), trusted).client, client));

  test('scheme and host are what the outermost proxy of ours says', () => {
    const headers = (proto: string, host: string): string[] => [
      ...forwarded('1.1.1.1, 10.0.0.2'),
      'x-forwarded-proto',
      proto,
      'x-forwarded-host',
      host,
    ];
    assert.deepEqual(clientOf('10.0.0.1', headers('http, https, http', 'evil.test, Own.test, lb'), trusted), {
      client: '1.1.1.1',
      scheme: 'https',
      host: 'own.test',
    });
    assert.deepEqual(clientOf('10.0.0.1', headers('wss', 'a b'), trusted), { client: '1.1.1.1', scheme: 'https', host: undefined });
    assert.equal(clientOf('10.0.0.1', headers('gopher', 'h'), trusted).scheme, undefined);
  });

  test('an address is shown without its IPv6 coat and zone', () => {
    assert.deepEqual(['::ffff:1.2.3.4', 'fe80::1%eth0', '::1', undefined].map(plainAddress), ['1.2.3.4', 'fe80::1', '::1', '']);
  });
});

describe('a request of Node', async () => {
  let edge: Edge = { trusted: compileTrust([]), maxUriBytes: 100, mergeSlashes: true, encodedSlashes: 'keep', clock: systemClock };
  let prepare: (request: IncomingMessage) => Promise<void> = () => Promise.resolve();
  let seen: { made: Exchange | Problem; body: string | undefined } | undefined;
  const answer = async (request: IncomingMessage, response: ServerResponse | undefined, head?: Uint8Array): Promise<void> => {
    await prepare(request);
    const made = exchangeOfRequest(request, response, edge, { head });
    const { body } = made instanceof Problem ? { body: undefined } : made;
    const read = body instanceof Readable ? await collect(fromReadable(body), 1e6) : body;
    seen = { made, body: read && Buffer.from(read).toString() };
    if (response) response.end();
    else request.socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  };
  const server = createServer((request, response) => void answer(request, response));
  server.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => void answer(request, undefined, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());

  async function send(text: string): Promise<{ made: Exchange | Problem; body: string | undefined }> {
    seen = undefined;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(text.replace(/\n/g, '\r\n'));
    await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
    socket.destroy();
    assert.ok(seen, 'nothing came to the server');
    return seen;
  }
  async function exchange(text: string): Promise<Exchange> {
    const { made } = await send(text);
    if (made instanceof Problem) throw made;
    return made;
  }

  test('becomes an exchange', async () => {
    const made = await exchange('GET /a/../b?x=1 HTTP/1.1\nHost: API.test:80\nX-Forwarded-For: 6.6.6.6\nx-a: 1\nX-A: 2\n\n');
    const { method, path, query, host, scheme, client, peer, trusted, body, upgrade } = made;
    assert.deepEqual(
      { method, path, query, host, scheme, client, peer, trusted, body, upgrade },
      {
        method: 'GET',
        path: '/b',
        query: '?x=1',
        host: 'api.test:80',
        scheme: 'http',
        client: '127.0.0.1',
        peer: '127.0.0.1',
        trusted: false,
        body: undefined,
        upgrade: undefined,
      },
    );
    assert.deepEqual(headersOf(made.headers, 'x-a'), ['1', '2']);
    assert.ok(made.origin.request && made.origin.response);
  });

  test('is who a trusted peer says', async () => {
    const before = edge;
    edge = { ...edge, trusted: compileTrust(['loopback']) };
    const made = await exchange(
      'GET / HTTP/1.1\nHost: inner\nX-Forwarded-For: 6.6.6.6, 1.1.1.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: outer.test\n\n',
    );
    edge = before;
    const { client, peer, trusted, scheme, host } = made;
    assert.deepEqual(
      { client, peer, trusted, scheme, host },
      { client: '1.1.1.1', peer: '127.0.0.1', trusted: true, scheme: 'https', host: 'outer.test' },
    );
  });

  const refusals: readonly (readonly [what: string, status: number, text: string])[] = [
    ['two Hosts', 400, 'GET / HTTP/1.1\nHost: a\nHost: b\n\n'],
    ['two equal Hosts', 400, 'GET / HTTP/1.1\nHost: a\nhost: a\n\n'],
    ['a Host that is none', 400, 'GET / HTTP/1.1\nHost: a/b@c\n\n'],
    ['an empty Host', 400, 'GET / HTTP/1.1\nHost:\n\n'],
    ['an absolute target of another host', 400, 'GET http://evil.test/adm HTTP/1.1\nHost: a\n\n'],
    ['a backslash', 400, 'GET /a\\b HTTP/1.1\nHost: a\n\n'],
    ['a fragment', 400, 'GET /a#b HTTP/1.1\nHost: a\n\n'],
    ['a star without OPTIONS', 400, 'GET * HTTP/1.1\nHost: a\n\n'],
    ['another coding than chunked', 501, 'POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked\n\n0\n\n'],
    ['Transfer-Encoding on HTTP/1.0', 400, 'POST / HTTP/1.0\nHost: a\nTransfer-Encoding: chunked\n\n0\n\n'],
    ['TRACE', 405, 'TRACE / HTTP/1.1\nHost: a\n\n'],
    ['an address that is too long', 414, `GET /${'a'.repeat(100)} HTTP/1.1\nHost: a\n\n`],
    ['an upgrade with a body', 400, 'POST / HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: h2c\nContent-Length: 3\n\nabc'],
  ];
  for (const [what, status, text] of refusals)
    test(`is refused with ${status} for ${what}`, async () => {
      const { made } = await send(text);
      assert.ok(made instanceof Problem, what);
      assert.equal(made.status, status);
    });

  test('may name its host in an absolute target, and none in HTTP/1.0', async () => {
    assert.equal((await exchange('GET http://A.test/x HTTP/1.1\nHost: a.test:80\n\n')).path, '/x');
    assert.equal((await exchange('GET /x HTTP/1.0\n\n')).host, '');
    assert.equal((await exchange('OPTIONS * HTTP/1.1\nHost: a\n\n')).path, '*');
  });

  test('has a body only where it says so', async () => {
    assert.equal((await send('POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc')).body, 'abc');
    assert.equal((await send('DELETE / HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n\n3\nabc\n0\n\n')).body, 'abc');
    assert.equal((await exchange('POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n')).body, undefined);
  });

  test('that upgrades carries its socket, the bytes after its head, and what it asks for', async () => {
    const made = await exchange('GET /ws HTTP/1.1\nHost: a\nConnection: keep-alive, Upgrade\nUpgrade: WebSocket\n\nxyz');
    assert.equal(made.upgrade, 'websocket');
    assert.ok(made.origin.socket && made.origin.response === undefined);
    assert.equal(Buffer.from(made.origin.head ?? []).toString(), 'xyz');
  });

  describe('whose body a parser has read', () => {
    const parsed = (type: string, fields: object, extra = ''): Promise<{ made: Exchange | Problem; body: string | undefined }> => {
      prepare = async (request) => {
        for await (const _ of request);
        Object.assign(request, fields);
      };
      return send(`POST / HTTP/1.1\nHost: a\nContent-Type: ${type}\n${extra}Content-Length: 3\n\nabc`).finally(
        () => (prepare = () => Promise.resolve()),
      );
    };
    const bodies: readonly (readonly [type: string, fields: object, body: string])[] = [
      ['application/json', { body: { a: [1, 'é'] } }, '{"a":[1,"é"]}'],
      ['application/json', { body: null }, 'null'],
      ['application/json', { body: '{"raw": 1}' }, '{"raw": 1}'],
      ['application/json', { body: 'text' }, '"text"'],
      ['application/ld+json; charset=utf-8', { body: [] }, '[]'],
      ['application/json', { rawBody: Buffer.from('{ "a":1 }'), body: { a: 1 } }, '{ "a":1 }'],
      ['application/octet-stream', { body: Buffer.from('bytes') }, 'bytes'],
      ['text/plain; charset=latin1', { body: 'é' }, 'é'],
      [
        'application/x-www-form-urlencoded',
        { body: { a: '1 &', t: ['x', 'y'], o: { p: ['q'], n: null } } },
        'a=1%20%26&t=x&t=y&o%5Bp%5D%5B0%5D=q&o%5Bn%5D=',
      ],
    ];
    for (const [type, fields, body] of bodies)
      test(`gets it back as ${body} (${type})`, async () => {
        const { made, body: sent } = await parsed(type, fields, 'Content-Encoding: gzip\n');
        if (made instanceof Problem) throw made;
        assert.equal(sent, body);
        assert.deepEqual(headersOf(made.headers, 'content-length'), [String(Buffer.byteLength(body))]);
        assert.equal(headerOf(made.headers, 'content-encoding'), undefined);
        if (type.startsWith('text/')) assert.equal(headerOf(made.headers, 'content-type'), 'text/plain; charset=utf-8');
      });

    test('is refused with the remedy in the log where nothing can be made of it', async () => {
      for (const [type, fields] of [
        ['multipart/form-data; boundary=x', { body: {} }],
        ['application/json', {}],
      ] as const) {
        const { made } = await parsed(type, fields);
        assert.ok(made instanceof Problem);
        assert.equal(made.status, 500);
        assert.match((made.cause as Error).message, /Put the gateway before the body parser/);
      }
    });
  });
});
