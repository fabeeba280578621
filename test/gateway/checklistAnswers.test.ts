import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ConfigError } from '../../src/gateway/config/configError.js';
import { deadUrl, makeGateway, openGateway, rawRequest, send, startRaw, startUpstream } from '../support/gateways.js';
import { head, statusesOf, watched } from './checklistTools.js';
import { serverCertificate, serverKey } from './checklistKeys.js';

const host = 'Host: api.test';
const secret = 'postgres://user:hunter2@10.1.2.3/db';

describe('an error says nothing of what is behind the gateway', { timeout: 60_000 }, () => {
  const thrown = (): never => {
    throw new Error(secret);
  };
  const rows: readonly (readonly [
    name: string,
    status: number,
    options: () => Promise<Parameters<typeof openGateway>[2]>,
    config?: object,
  ])[] = [
    ['nobody listens', 502, async () => ({ servers: [await deadUrl()] })],
    ['no such name', 502, async () => ({ servers: ['http://nothing.invalid:1'] })],
    ['the app throws', 500, async () => ({ app: thrown })],
    ['the app rejects', 500, async () => ({ app: () => Promise.reject(new Error(secret)) })],
    ['the app throws, and its answer would be looked at', 500, async () => ({ app: thrown }), { timeout: 5 }],
    [
      'the app rejects, and its answer would be looked at',
      500,
      async () => ({ app: () => Promise.reject(new Error(secret)) }),
      { timeout: 5 },
    ],
    ['a fetch app throws', 500, async () => ({ app: { fetch: thrown } })],
    ['a fetch app rejects', 500, async () => ({ app: { fetch: () => Promise.reject(new Error(secret)) } })],
    ['a fetch app answers with nonsense', 500, async () => ({ app: { fetch: () => secret as unknown as Response } })],
    [
      'an app throws no error',
      500,
      async () => ({
        app: () => {
          throw secret as unknown;
        },
      }),
    ],
  ];
  for (const [name, status, options, features] of rows) {
    test(name, async (t) => {
      const { url } = await openGateway(t, { default_features: { ...features } }, await options());
      const answer = await send(url);
      assert.equal(answer.status, status);
      const { error } = JSON.parse(answer.body) as { error: Record<string, string> };
      assert.deepEqual(Object.keys(error), ['type', 'message', 'correlation_id']);
      assert.equal(error['correlation_id'], answer.headers['x-correlation-id']);
      assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
      assert.doesNotMatch(JSON.stringify([answer.rawHeaders, error]), /hunter2|127\.0\.0\.1|nothing\.invalid|ECONN|ENOTFOUND|\.js|\bat \w/);
    });
  }

  test('an open circuit and a timeout say nothing either', async (t) => {
    const upstream = await startUpstream(t, () => undefined);
    const { url } = await openGateway(t, {
      servers: [upstream.url],
      default_features: { timeout: { seconds: 5, per_try: 0.05 }, circuit_breaker: { failure_threshold: 1 } },
    });
    for (const status of [504, 503]) {
      const answer = await send(url);
      assert.equal(answer.status, status);
      assert.doesNotMatch(JSON.stringify(answer), new RegExp(`127\\.0\\.0\\.1|${upstream.port}|\\.js|PREMIER_`));
    }
  });

  test('a request that is answered with its own words is answered with JSON', async (t) => {
    const { port } = await watched(t);
    const received = await rawRequest(port, head('GET /%zz<script>alert(1)</script> HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(statusesOf(received), [400]);
    assert.doesNotMatch(received, /<script>/);
  });
});

describe('header fields cannot be broken out of', { timeout: 60_000 }, () => {
  for (const value of ['a\r\nX-Evil: 1', 'a\nb', 'a\rb', 'a\0b']) {
    for (const side of ['request', 'response'] as const) {
      test(`${JSON.stringify(value)} in headers.${side}.set is an error of the configuration`, async (t) => {
        const features = { headers: { [side]: { set: { 'X-A': value } } } };
        await assert.rejects(makeGateway(t, { servers: ['http://localhost:1'], default_features: features }), ConfigError);
      });
    }
  }

  for (const name of ['X A', 'X:A', 'X\r\nA', '', 'Ü']) {
    test(`${JSON.stringify(name)} is no name of a field`, async (t) => {
      const features = { headers: { request: { set: { [name]: '1' } } } };
      await assert.rejects(makeGateway(t, { servers: ['http://localhost:1'], default_features: features }), ConfigError);
    });
  }

  test('by an encoded line break in a path or a query', async (t) => {
    const { port, seen } = await watched(t);
    const received = await rawRequest(port, head('GET /%0d%0aX-Evil:1?%0d%0aX-Evil:1 HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(statusesOf(received), [200]);
    assert.deepEqual(
      seen.map(({ url }) => url),
      ['/%0D%0AX-Evil:1?%0d%0aX-Evil:1'],
    );
    assert.ok(!seen[0]?.rawHeaders.some((one) => /^x-evil$/i.test(one)));
  });

  test('by an app whose answer holds bytes that Node would not write', async (t) => {
    const app = { fetch: () => ({ status: 200, headers: new Map([['x-a', 'a\r\nX-Evil: 1']]), body: null }) as unknown as Response };
    const { url } = await openGateway(t, {}, { app });
    const answer = await send(url);
    assert.equal(answer.status, 500);
    assert.equal(answer.headers['x-evil'], undefined);
    assert.equal((await send(url)).status, 500, 'the gateway is still there');
  });

  test('a value beyond ASCII passes as the bytes that it is', async (t) => {
    const upstream = await startRaw(t, (socket) =>
      socket.once('data', () => socket.end(Buffer.from(head('HTTP/1.1 200 OK', 'X-A: \xe4\xc3\xa9', 'Content-Length: 0'), 'latin1'))),
    );
    const { port } = await openGateway(t, { servers: [upstream.url] });
    assert.match(await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close')), /^x-a: \xe4\xc3\xa9\r$/im);
  });
});

describe('a body passes untouched', { timeout: 60_000 }, () => {
  test('when it is compressed, in a coding known or not, layer upon layer', async (t) => {
    const bytes = gzipSync(gzipSync(Buffer.alloc(100_000)));
    for (const coding of ['gzip, gzip', 'x-unknown', 'gzip, '.repeat(50)]) {
      const upstream = await startUpstream(t, (request, response) => {
        response.setHeader('Content-Encoding', coding).setHeader('X-Accepted', String(request.headers['accept-encoding']));
        response.end(bytes);
      });
      const { port } = await openGateway(t, { servers: [upstream.url] });
      const received = await rawRequest(port, head('GET / HTTP/1.1', host, 'Accept-Encoding: br;q=0.3', 'Connection: close'));
      assert.ok(received.endsWith(`\r\n\r\n${bytes.toString('latin1')}`));
      assert.match(received, /^x-accepted: br;q=0\.3\r$/im);
    }
  });
});

describe('an https: server', { timeout: 60_000 }, () => {
  async function secure(t: TestContext): Promise<string> {
    const server = createServer({ key: serverKey, cert: serverCertificate }, (_request, response) => void response.end('secret'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return `https://localhost:${(server.address() as AddressInfo).port}`;
  }

  test('whose certificate nobody vouches for is not asked', async (t) => {
    const { url } = await openGateway(t, { servers: [await secure(t)] });
    const answer = await send(url);
    assert.equal(answer.status, 502);
    assert.doesNotMatch(answer.body, /secret|certificate|SELF_SIGNED/);
  });

  test('is asked where the pool says so', async (t) => {
    const upstreams = { s: { servers: [await secure(t)], tls: { insecure: true } } };
    const { url } = await openGateway(t, { upstreams, paths: [{ pattern: '/*', upstream: 's' }] });
    assert.equal((await send(url)).body, 'secret');
  });
});
