import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError } from '../../src/core/errors.js';
import type { Forward } from '../../src/gateway/feature.js';
import { access } from '../../src/gateway/features/access.js';
import { cors, preflightOf } from '../../src/gateway/features/cors.js';
import { headers } from '../../src/gateway/features/headers.js';
import type { Answer, Exchange, ExchangeInit } from '../../src/http/exchange.js';
import { headerOf } from '../../src/http/headers.js';
import { Answered, Problem } from '../../src/http/problem.js';
import { answeredOf, around, exchangeOf, problemOf } from './featureStage.js';

describe('cors', () => {
  const options = {
    origins: ['https://app.test', 'https://*.shop.test'],
    methods: ['GET', 'put'],
    headers: ['X-Own'],
    credentials: true,
    max_age: 600,
  };
  const preflight = (origin: string, more: string[] = []): Exchange =>
    exchangeOf({ method: 'OPTIONS', headers: ['Origin', origin, 'Access-Control-Request-Method', 'PUT', ...more] });

  test('answers a preflight by itself', async () => {
    const exchange = preflight('https://app.test');
    assert.equal(preflightOf(exchange), 'PUT');
    const {
      status,
      headers: fields,
      body,
    } = await answeredOf(around(cors, options, { forward: () => assert.fail('it was forwarded') })(exchange));
    assert.equal(status, 204);
    assert.equal(body, undefined);
    assert.deepEqual(fields, [
      'vary',
      'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      'access-control-allow-origin',
      'https://app.test',
      'access-control-allow-credentials',
      'true',
      'access-control-allow-methods',
      'GET, PUT',
      'access-control-allow-headers',
      'X-Own',
      'access-control-max-age',
      '600',
    ]);
  });

  test('allows nothing to other origins, and still answers their preflights', async () => {
    for (const origin of [
      'https://evil.test',
      'https://app.test.evil.test',
      'https://shop.test',
      'https://a.shop.test.evil',
      'https://evil.test/.shop.test',
      'null',
      'http://app.test',
    ]) {
      const { status, headers: fields } = await answeredOf(around(cors, options)(preflight(origin)));
      assert.equal(status, 204);
      assert.deepEqual(
        fields.filter((_, i) => i % 2 === 0),
        ['vary'],
        origin,
      );
    }
    assert.equal(
      headerOf((await answeredOf(around(cors, options)(preflight('https://a.b.shop.test')))).headers, 'access-control-allow-origin'),
      'https://a.b.shop.test',
    );
  });

  test('lets an OPTIONS that is no preflight go on', async () => {
    assert.equal((await around(cors, options)(exchangeOf({ method: 'OPTIONS', headers: ['origin', 'https://app.test'] }))).status, 200);
    assert.equal(preflightOf(exchangeOf({ headers: ['origin', 'a', 'access-control-request-method', 'PUT'] })), undefined);
  });

  test('says who may read an answer, whatever the upstream says of it', async () => {
    const forward: Forward = () =>
      Promise.resolve({ status: 200, headers: ['Vary', 'Accept-Encoding', 'Access-Control-Allow-Origin', '*', 'x', '1'], body: undefined });
    const exchange = exchangeOf({ headers: ['Origin', 'https://app.test'] });
    const answer = await around(cors, { ...options, expose: ['X-Total'] }, { forward })(exchange);
    assert.deepEqual(exchange.reply, [
      'access-control-allow-origin',
      'https://app.test',
      'access-control-allow-credentials',
      'true',
      'access-control-expose-headers',
      'X-Total',
    ]);
    assert.deepEqual(answer.headers, ['Vary', 'Accept-Encoding', 'x', '1', 'vary', 'Origin']);
    const none = exchangeOf();
    assert.deepEqual((await around(cors, options, { forward })(none)).headers, ['Vary', 'Accept-Encoding', 'x', '1', 'vary', 'Origin']);
    assert.deepEqual(none.reply, []);
  });

  test('lets pages read errors too', async () => {
    const exchange = exchangeOf({ headers: ['Origin', 'https://app.test'] });
    await problemOf(around(cors, options, { forward: () => Promise.reject(new Problem('bad_gateway')) })(exchange));
    assert.equal(headerOf(exchange.reply, 'access-control-allow-origin'), 'https://app.test');
    assert.equal(headerOf(exchange.reply, 'vary'), 'Origin');
    const failed: Answer = { status: 503, headers: ['vary', 'accept, origin'], body: undefined };
    await answeredOf(around(cors, options, { forward: () => Promise.reject(new Answered(failed)) })(exchangeOf()));
    assert.deepEqual(failed.headers, ['vary', 'accept, origin']);
  });

  test('gives credentials to listed origins alone where all others may read too', async () => {
    const run = around(cors, { origins: ['*', 'https://app.test'], credentials: true });
    const other = exchangeOf({ headers: ['Origin', 'https://other.test'] });
    const listed = exchangeOf({ headers: ['Origin', 'https://app.test'] });
    await Promise.all([run(other), run(listed)]);
    assert.deepEqual(other.reply, ['access-control-allow-origin', '*']);
    assert.deepEqual(listed.reply, ['access-control-allow-origin', 'https://app.test', 'access-control-allow-credentials', 'true']);
  });

  test('allows the fields that are asked for where all are allowed', async () => {
    const { headers: fields } = await answeredOf(
      around(cors, { origins: ['*'], headers: ['*'] })(preflight('a', ['Access-Control-Request-Headers', 'X-A,x-b'])),
    );
    assert.equal(headerOf(fields, 'access-control-allow-headers'), 'x-a, x-b');
  });
});

describe('access', () => {
  const statusOf = (yaml: object, init: Partial<ExchangeInit>): Promise<number> =>
    around(
      access,
      yaml,
    )(exchangeOf(init)).then(
      ({ status }) => status,
      (error: Problem) => error.status,
    );

  test('lets in by address, and a denied block wins', async () => {
    const yaml = { ip_allow: ['10.0.0.0/8', 'loopback'], ip_deny: ['10.6.0.0/16'] };
    assert.equal(await statusOf(yaml, { client: '10.1.1.1' }), 200);
    assert.equal(await statusOf(yaml, { client: '::1' }), 200);
    assert.equal(await statusOf(yaml, { client: '10.6.1.1' }), 403);
    assert.equal(await statusOf(yaml, { client: '192.0.2.1' }), 403);
    assert.equal(await statusOf({ ip_allow: [] }, { client: '10.1.1.1' }), 403);
    assert.equal(await statusOf({ ip_deny: [] }, { client: '' }), 200);
  });

  test('lets nobody in by address who has none', async () => {
    assert.equal(await statusOf({ ip_deny: ['10.0.0.0/8'] }, { client: '' }), 403);
    assert.equal(await statusOf({ ip_allow: ['0.0.0.0/0'] }, { client: '' }), 403);
  });

  test('answers 405 with what is allowed to other methods', async () => {
    assert.equal(await statusOf({ methods: ['get', 'POST'] }, { method: 'HEAD' }), 200);
    const { status, headers: fields } = await problemOf(around(access, { methods: ['get', 'POST'] })(exchangeOf({ method: 'DELETE' })));
    assert.equal(status, 405);
    assert.equal(headerOf(fields, 'allow'), 'GET, POST, HEAD');
  });

  test('names the path of a block that is none', () => {
    assert.throws(
      () => around(access, { ip_allow: ['10.0.0.0/99'] }),
      (error: Error) => error instanceof OptionsError && error.message.startsWith('/p/*: access.ip_allow: "10.0.0.0/99"'),
    );
  });
});

describe('headers', () => {
  const yaml = {
    request: { set: { 'X-Env': 'prod' }, remove: ['X-Debug'] },
    response: { set: { 'X-Frame-Options': 'DENY' }, remove: ['x-powered-by', 'Server'] },
  };

  test('are set and taken out on both sides', async () => {
    const shared = ['x-powered-by', 'a', 'X-FRAME-options', 'ALLOW', 'server', 'b', 'x', '1', 'x', '2'];
    const before = [...shared];
    const exchange = exchangeOf();
    const answer = await around(headers, yaml, { forward: () => Promise.resolve({ status: 200, headers: shared, body: undefined }) })(
      exchange,
    );
    assert.deepEqual(exchange.assert, ['X-Debug', '', 'X-Env', 'prod']);
    assert.deepEqual(answer.headers, ['x', '1', 'x', '2', 'X-Frame-Options', 'DENY']);
    assert.deepEqual(shared, before, 'a cache may still hold the fields');
  });

  test('stand on failures too', async () => {
    const failed: Answer = { status: 503, headers: ['Server', 'b'], body: undefined };
    await answeredOf(around(headers, yaml, { forward: () => Promise.reject(new Answered(failed)) })(exchangeOf()));
    assert.deepEqual(failed.headers, ['X-Frame-Options', 'DENY']);
    const exchange = exchangeOf();
    await problemOf(around(headers, yaml, { forward: () => Promise.reject(new Problem('bad_gateway')) })(exchange));
    assert.deepEqual(exchange.reply, ['X-Frame-Options', 'DENY']);
  });
});
