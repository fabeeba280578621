import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { describe, test } from 'node:test';
import { openGateway, rawRequest, send } from '../support/gateways.js';
import { head, statusesOf, valuesOf, watched } from './checklistTools.js';

const host = 'Host: api.test';

describe('what a client says about itself', { timeout: 60_000 }, () => {
  const claims = {
    'X-Forwarded-For': '1.2.3.4',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.test',
    'X-Forwarded-Port': '443',
    'X-Forwarded-Prefix': '/evil',
    'X-Forwarded-User': 'root',
    'X-Real-IP': '1.2.3.4',
    Forwarded: 'for=1.2.3.4;host=evil.test',
  };

  test('is not believed of a stranger', async (t) => {
    const { url, port, seen } = await watched(t);
    await send(url, { headers: { Host: 'api.test', ...claims } });
    const [one] = seen;
    assert.ok(one);
    const expected: Record<string, string[]> = {
      'x-forwarded-for': ['127.0.0.1'],
      'x-forwarded-proto': ['http'],
      'x-forwarded-host': ['api.test'],
      'x-forwarded-port': ['80'],
      'x-real-ip': ['127.0.0.1'],
      'x-forwarded-prefix': [],
      'x-forwarded-user': [],
      forwarded: [],
    };
    for (const [name, values] of Object.entries(expected)) assert.deepEqual(valuesOf(one, name), values, name);
    assert.ok(port > 0);
  });

  test('is believed of a proxy of ours, which is added to the chain', async (t) => {
    const { url, seen } = await watched(t, { trusted_proxies: ['loopback'] });
    await send(url, { headers: { Host: 'api.test', ...claims } });
    const [one] = seen;
    assert.ok(one);
    const expected: Record<string, string[]> = {
      'x-forwarded-for': ['1.2.3.4, 127.0.0.1'],
      'x-forwarded-proto': ['https'],
      'x-forwarded-host': ['evil.test'],
      'x-forwarded-prefix': ['/evil'],
      'x-real-ip': ['1.2.3.4'],
    };
    for (const [name, values] of Object.entries(expected)) assert.deepEqual(valuesOf(one, name), values, name);
  });

  const chains: readonly (readonly [proxies: string[], chain: string | undefined, status: number])[] = [
    [[], '10.9.9.9', 403],
    [['loopback'], '10.9.9.9', 200],
    [['loopback'], '10.9.9.9, 1.2.3.4', 403],
    [['loopback'], '1.2.3.4, 10.9.9.9', 200],
    [['loopback', '10.0.0.0/8'], '1.2.3.4, 10.9.9.9', 403],
    [['loopback'], 'nonsense', 403],
    [['loopback'], '10.9.9.9, nonsense', 403],
    [['loopback'], '::ffff:10.9.9.9', 200],
    [['loopback'], '10.9.9.9:4711', 200],
    [['loopback'], '010.009.009.009', 403],
    [['loopback'], undefined, 403],
  ];
  for (const [proxies, chain, status] of chains) {
    test(`X-Forwarded-For "${chain}", with [${proxies.join(', ')}] trusted, gets ${status} where 10.9.9.9 alone may come in`, async (t) => {
      const { url } = await watched(t, { trusted_proxies: proxies, default_features: { access: { ip_allow: ['10.9.9.9'] } } });
      const { status: got } = await send(url, { headers: chain === undefined ? {} : { 'X-Forwarded-For': chain } });
      assert.equal(got, status);
    });
  }

  test('cannot make one client of several, or several of one, for a limit by address', async (t) => {
    const { url } = await watched(t, { default_features: { rate_limit: { quota: 1, duration: 60 } } });
    assert.equal((await send(url, { headers: { 'X-Forwarded-For': '1.1.1.1' } })).status, 200);
    assert.equal((await send(url, { headers: { 'X-Forwarded-For': '2.2.2.2', 'X-Real-IP': '3.3.3.3' } })).status, 429);
  });
});

describe('what the gateway vouches for cannot be forged', { timeout: 60_000 }, () => {
  const forged = [
    'X-Consumer',
    'x-consumer',
    'X-Consumer-Roles',
    'X-CONSUMER-SCOPES',
    'X-Consumer-Anything',
    'X_Consumer',
    'X_Forwarded_For',
    'Content_Length',
    'X-Cons_umer',
  ];
  for (const name of forged) {
    test(`${name} does not reach an upstream`, async (t) => {
      const { port, seen } = await watched(t);
      await rawRequest(port, head('GET / HTTP/1.1', host, `${name}: 7`, 'Connection: close'));
      assert.deepEqual(valuesOf(seen[0] as (typeof seen)[number], name.toLowerCase()), []);
    });
  }

  for (const name of ['X-Consumer', 'x-consumer', 'X-Consumer-Roles', 'X-CONSUMER-SCOPES']) {
    test(`${name} does not reach an app, by the one way or the other`, async (t) => {
      const see = {
        app: ((request, response) =>
          void response.end(JSON.stringify([request.headers, request.rawHeaders, request.headersDistinct]))) as RequestListener,
      };
      for (const features of [{}, { timeout: 5 }]) {
        const { port } = await openGateway(t, { default_features: features }, see);
        const received = await rawRequest(port, head('GET / HTTP/1.1', host, `${name}: forged`, 'Connection: close'));
        assert.deepEqual(statusesOf(received), [200]);
        assert.ok(!received.includes('forged'), received);
      }
      const { url } = await openGateway(t, {}, { app: { fetch: (request) => new Response(JSON.stringify([...request.headers])) } });
      const { body } = await send(url, { headers: { [name]: 'forged' } });
      assert.ok(!body.includes('forged'), body);
    });
  }

  const ids: readonly (readonly [given: string, taken: boolean])[] = [
    ['abc-123_X.y', true],
    ['a'.repeat(128), true],
    ['a'.repeat(129), false],
    ['a b', false],
    ['<script>', false],
    ['a,b', false],
    ['\xe4', false],
    ['', false],
  ];
  for (const [given, taken] of ids) {
    test(`a correlation id of ${given.length} characters such as "${given.slice(0, 12)}" is ${taken ? 'taken' : 'replaced'}`, async (t) => {
      const { port, seen } = await watched(t);
      const received = await rawRequest(port, head('GET / HTTP/1.1', host, `X-Correlation-ID: ${given}`, 'Connection: close'));
      const [id = ''] = valuesOf(seen[0] as (typeof seen)[number], 'x-correlation-id');
      assert.equal(id === given, taken);
      assert.match(id, /^[\w.-]{1,128}$/);
      assert.ok(received.includes(`X-Correlation-ID: ${id}\r\n`));
    });
  }
});
