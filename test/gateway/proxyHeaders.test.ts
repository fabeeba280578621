import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import { headerOf, headersOf } from '../../src/http/headers.js';
import type { Problem } from '../../src/http/problem.js';
import { requestHeaders } from '../../src/proxy/requestHeaders.js';
import { responseHeaders } from '../../src/proxy/responseHeaders.js';
import { exchangeOf, poolOf, proxyTo, rawServer } from './proxyTools.js';

type Given = Parameters<typeof exchangeOf>[0];

const sent = (headers: string[], given: Given = {}, assertions: string[] = [], keepsHost = true): string[] => {
  const exchange = exchangeOf({ headers, ...given });
  exchange.assert.push(...assertions);
  return requestHeaders(exchange, { serverHost: 'backend:8000', keepsHost });
};

const received = (headers: string[], status = 200, given: Given = {}): string[] =>
  responseHeaders(headers, status, exchangeOf(given), 'http://backend:8000');

describe('the fields that go to an upstream', () => {
  test('are those of the client, in their order and case, duplicates kept', () => {
    const out = sent(['X-Bee', '1', 'Accept', 'a', 'x-bee', '2']);
    assert.deepEqual(out.slice(2, 8), ['X-Bee', '1', 'Accept', 'a', 'x-bee', '2']);
  });

  for (const name of [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Transfer-Encoding',
    'Trailer',
    'Upgrade',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'HTTP2-Settings',
    'Expect',
    'X_Forwarded_For',
    'X-Consumer',
    'X-Consumer-Roles',
    'x-consumer-anything',
  ]) {
    test(`never have ${name}`, () => {
      assert.equal(headerOf(sent([name, 'value', 'X-Kept', '1']), name.toLowerCase()), undefined);
      assert.equal(headerOf(sent([name, 'value', 'X-Kept', '1']), 'x-kept'), '1');
    });
  }

  test('lose what Connection names, but nothing that the gateway vouches for', () => {
    const listed =
      'close, X-Drop, Authorization, cookie, content-type, X-Forwarded-For, X-Real-IP, Host, traceparent, X-Correlation-ID, via, X-Kind';
    const out = sent(
      [
        'Connection',
        listed,
        'X-Drop',
        '1',
        'Authorization',
        'a',
        'Cookie',
        'c',
        'Content-Type',
        't',
        'traceparent',
        'p',
        'X-Correlation-ID',
        'i',
      ],
      {},
      ['X-Kind', 'ours'],
    );
    assert.equal(headerOf(out, 'x-drop'), undefined);
    for (const name of [
      'authorization',
      'cookie',
      'content-type',
      'x-forwarded-for',
      'x-real-ip',
      'host',
      'traceparent',
      'x-correlation-id',
      'via',
    ]) {
      assert.notEqual(headerOf(out, name), undefined, name);
    }
    assert.equal(headerOf(out, 'x-kind'), 'ours');
  });

  test('keep of TE only that trailers are welcome', () => {
    assert.equal(headerOf(sent(['TE', 'gzip, trailers;q=1, trailers']), 'te'), 'trailers');
    assert.equal(headerOf(sent(['TE', 'gzip']), 'te'), undefined);
  });

  test('have one Host: that of the client, or the own one of the server', () => {
    assert.deepEqual(headersOf(sent(['Host', 'api.test', 'host', 'evil.test']), 'host'), ['api.test']);
    assert.deepEqual(headersOf(sent(['Host', 'api.test'], {}, [], false), 'host'), ['backend:8000']);
    assert.deepEqual(headersOf(sent([], { host: '' }), 'host'), ['backend:8000']);
  });

  test('tell who the client is, and drop what an untrusted one says about that', () => {
    const out = sent(
      [
        'X-Forwarded-For',
        '10.0.0.1',
        'X-Forwarded-Proto',
        'https',
        'X-Forwarded-Prefix',
        '/adm',
        'Forwarded',
        'for=1',
        'X-Real-IP',
        '1.1.1.1',
      ],
      { host: 'api.test:8443', scheme: 'https' },
    );
    assert.deepEqual(headersOf(out, 'x-forwarded-for'), ['192.0.2.1']);
    assert.deepEqual(headersOf(out, 'x-forwarded-proto'), ['https']);
    assert.deepEqual(headersOf(out, 'x-forwarded-host'), ['api.test:8443']);
    assert.deepEqual(headersOf(out, 'x-forwarded-port'), ['8443']);
    assert.deepEqual(headersOf(out, 'x-real-ip'), ['192.0.2.1']);
    assert.deepEqual(headersOf(out, 'forwarded'), []);
    assert.deepEqual(headersOf(out, 'x-forwarded-prefix'), []);
  });

  test('believe a trusted proxy, and add it to the chain', () => {
    const out = sent(
      ['X-Forwarded-For', '198.51.100.7', 'x-forwarded-for', '10.0.0.2', 'X-Forwarded-Proto', 'https', 'Forwarded', 'for=1'],
      {
        trusted: true,
        peer: '10.0.0.3',
        client: '198.51.100.7',
      },
    );
    assert.deepEqual(headersOf(out, 'x-forwarded-for'), ['198.51.100.7, 10.0.0.2, 10.0.0.3']);
    assert.deepEqual(headersOf(out, 'x-forwarded-proto'), ['https']);
    assert.deepEqual(headersOf(out, 'x-forwarded-host'), ['api.test']);
    assert.deepEqual(headersOf(out, 'forwarded'), ['for=1']);
    assert.deepEqual(headersOf(out, 'x-real-ip'), ['198.51.100.7']);
  });

  test('tell the default port of the scheme, also behind an IPv6 address', () => {
    assert.equal(headerOf(sent([]), 'x-forwarded-port'), '80');
    assert.equal(headerOf(sent([], { host: '[::1]', scheme: 'https' }), 'x-forwarded-port'), '443');
    assert.equal(headerOf(sent([], { host: '[::1]:81' }), 'x-forwarded-port'), '81');
  });

  test('have our Via, and a request that came through us too often is a loop', () => {
    assert.equal(headerOf(sent([]), 'via'), '1.1 premier');
    assert.equal(headerOf(sent(['Via', '1.0 other']), 'via'), '1.0 other, 1.1 premier');
    const rounds = (n: number) => Array.from({ length: n }, () => '1.1 premier').join(', ');
    assert.doesNotThrow(() => sent(['Via', rounds(10)]));
    assert.throws(
      () => sent(['Via', rounds(6), 'Via', rounds(5)]),
      (error: Problem) => error.type === 'loop_detected' && error.status === 508,
    );
  });

  test('are overruled by what the gateway asserts; an empty value takes a field out, and framing cannot be asserted', () => {
    const out = sent(['X-Consumer', 'forged', 'X-A', '1', 'x-a', '2', 'X-B', '1'], { trusted: true }, [
      'X-Consumer',
      'ann',
      'x-a',
      '3',
      'X-B',
      '',
      'Transfer-Encoding',
      'gzip',
      'Content-Length',
      '9',
      'Connection',
      'x-consumer',
      'Host',
      'other.test',
      'X-Evil',
      'a\r\nb: c',
      'X-Name',
      'Žofie',
    ]);
    assert.deepEqual(headersOf(out, 'x-consumer'), ['ann']);
    assert.deepEqual(headersOf(out, 'x-a'), ['3']);
    assert.deepEqual(headersOf(out, 'host'), ['other.test']);
    for (const name of ['x-b', 'transfer-encoding', 'content-length', 'connection', 'x-evil'])
      assert.deepEqual(headersOf(out, name), [], name);
    assert.equal(Buffer.from(headerOf(out, 'x-name') as string, 'latin1').toString(), 'Žofie');
  });

  test('names that a client invents are not remembered for ever', () => {
    for (let i = 0; i < 5000; i++) assert.equal(headerOf(sent([`X-Own-${i}`, 'v']), `x-own-${i}`), 'v');
    assert.equal(headerOf(sent(['X-CoNsUmEr-LaTe', 'v']), 'x-consumer-late'), undefined);
  });

  test('go over the wire as they are', async (t) => {
    let got = '';
    const { url } = await rawServer(t, (socket) =>
      socket.on('data', (chunk) => {
        got += chunk.toString('latin1');
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    await proxyTo(t, poolOf([`${url}/base/`])).ask({
      path: '/a',
      query: '?b=1',
      headers: ['X-A', '1', 'X-A', '2', 'Connection', 'X-Z', 'X-Z', '1'],
    });
    assert.deepEqual(got.split('\r\n').filter(Boolean), [
      'GET /base/a?b=1 HTTP/1.1',
      'host: api.test',
      'connection: keep-alive',
      'X-A: 1',
      'X-A: 2',
      'x-forwarded-for: 192.0.2.1',
      'x-forwarded-proto: http',
      'x-forwarded-host: api.test',
      'x-forwarded-port: 80',
      'x-real-ip: 192.0.2.1',
      'via: 1.1 premier',
    ]);
  });
});

describe('the fields that a client gets', () => {
  test('are those of the upstream without what is hop-by-hop or named by Connection', () => {
    const hops = [
      'Connection',
      'X-Drop, Set-Cookie, Content-Type',
      'Keep-Alive',
      't',
      'Proxy-Authenticate',
      'x',
      'Upgrade',
      'h2c',
      'Alt-Svc',
      'h3',
    ];
    const out = received([...hops, 'X-Drop', '1', 'Set-Cookie', 'a', 'set-cookie', 'b', 'Content-Type', 'c', 'Under_score', '1']);
    assert.deepEqual(out, ['Set-Cookie', 'a', 'set-cookie', 'b', 'Content-Type', 'c', 'Under_score', '1']);
  });

  test('have one Content-Length, and none beside chunks or with 204', () => {
    assert.deepEqual(received(['Content-Length', '5']), ['content-length', '5']);
    assert.deepEqual(received(['Content-Length', '5', 'Transfer-Encoding', 'chunked']), []);
    assert.deepEqual(received(['Content-Length', '0'], 204), []);
    assert.deepEqual(received(['Content-Length', '5'], 304), ['content-length', '5']);
  });

  test('announce trailers only where they can be sent', () => {
    const chunked = ['Transfer-Encoding', 'chunked', 'Trailer', 'X-Sum'];
    const client = (httpVersion: string): Given => ({ origin: { request: { httpVersion } as IncomingMessage } });
    assert.deepEqual(received(chunked, 200, client('1.1')), ['trailer', 'X-Sum']);
    assert.deepEqual(received(chunked, 200, client('1.0')), []);
    assert.deepEqual(received(chunked, 200, { ...client('1.1'), method: 'HEAD' }), []);
    assert.deepEqual(received(['Content-Length', '1', 'Trailer', 'X-Sum'], 200, client('1.1')), ['content-length', '1']);
  });

  test('redirect to where the client asked, where the server names itself', () => {
    const to = (location: string) => headerOf(received(['Location', location]), 'location');
    assert.equal(to('http://backend:8000/a?b'), 'http://api.test/a?b');
    assert.equal(to('http://backend:8000'), 'http://api.test/');
    assert.equal(to('http://backend:80000/a'), 'http://backend:80000/a');
    assert.equal(to('https://elsewhere.test/'), 'https://elsewhere.test/');
    assert.equal(to('/relative'), '/relative');
  });
});
