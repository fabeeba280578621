import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { Call } from '../../src/core/call.js';
import { OptionsError } from '../../src/core/errors.js';
import type { Place, Runtime } from '../../src/core/policy.js';
import { compile } from '../../src/core/run.js';
import { featureSchemas } from '../../src/gateway/config/featureSchemas.js';
import type { Feature, FeatureContext, Forward } from '../../src/gateway/feature.js';
import { access } from '../../src/gateway/features/access.js';
import { bodyLimit } from '../../src/gateway/features/bodyLimit.js';
import { cors, preflightOf } from '../../src/gateway/features/cors.js';
import { headers } from '../../src/gateway/features/headers.js';
import { mirror } from '../../src/gateway/features/mirror.js';
import { collect, fromReadable, type Source } from '../../src/http/body.js';
import { type Answer, Exchange, type ExchangeInit } from '../../src/http/exchange.js';
import { headerOf, headersOf } from '../../src/http/headers.js';
import { type Edge, exchangeOfRequest } from '../../src/http/nodeRequest.js';
import { Answered, Problem } from '../../src/http/problem.js';
import { FakeClock } from '../../src/testing/fakeClock.js';

const site: Place['site'] = { fn: () => undefined, method: '/p/*', form: 'function' };

function exchangeOf(init: Partial<ExchangeInit> = {}): Exchange {
  return new Exchange({
    method: 'GET',
    path: '/p/1',
    query: '',
    host: 'h',
    scheme: 'http',
    client: '192.0.2.1',
    peer: '192.0.2.1',
    trusted: false,
    headers: [],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
    ...init,
  });
}

const ok: Forward = () => Promise.resolve({ status: 200, headers: ['x-up', '1'], body: undefined });

interface World {
  readonly forward?: Forward;
  readonly copy?: Forward;
  readonly random?: () => number;
  readonly clock?: FakeClock;
  readonly warnings?: unknown[];
}

/** The feature by its YAML, around a forward: what it answers or throws. */
function around<O>(feature: Feature<O>, yaml: object, world: World = {}): (exchange: Exchange) => Promise<Answer> {
  const schema = featureSchemas[feature.name as keyof typeof featureSchemas];
  const runtime = { clock: world.clock ?? new FakeClock(), random: world.random ?? (() => 0) } as Partial<Runtime> as Runtime;
  const context: FeatureContext = {
    runtime,
    place: { site, ordinal: 0 },
    pattern: '/p/*',
    forwardTo: () => world.copy ?? ok,
    warn: (message, fields) => void world.warnings?.push({ message, ...fields }),
  };
  const forward = world.forward ?? ok;
  const innermost = { run: (call: Call) => forward(call.args[0] as Exchange, call) };
  const run = compile([...feature.create(schema.parse(yaml) as O, context), innermost]);
  return (exchange) => run(new Call(site, undefined, [exchange], undefined)) as Promise<Answer>;
}

async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const error: unknown = await promise.then(
    () => assert.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Problem, String(error));
  return error;
}

async function answeredOf(promise: Promise<unknown>): Promise<Answer> {
  const error: unknown = await promise.then(
    () => assert.fail('it went on'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Answered, String(error));
  return error.answer;
}

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

const settled = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

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

describe('body_limit', () => {
  const read: Forward = async ({ body }) => {
    const bytes = body instanceof Readable ? await collect(fromReadable(body), 1e9) : body;
    return { status: 200, headers: [], body: bytes };
  };
  const run = around(bodyLimit, { max_bytes: 5 }, { forward: read });
  const post = (body: ExchangeInit['body'], ...fields: string[]): Exchange => exchangeOf({ method: 'POST', body, headers: fields });

  test('refuses at once what promises to be longer, and closes', async () => {
    const body = Readable.from([Buffer.from('123456')]);
    const problem = await problemOf(run(post(body, 'Content-Length', '6')));
    assert.equal(problem.status, 413);
    assert.equal(headerOf(problem.headers, 'connection'), 'close');
    assert.equal(body.readableDidRead, false);
    assert.equal((await problemOf(run(post(Buffer.from('123456'))))).status, 413);
    assert.equal((await run(post(Readable.from([Buffer.from('12345')]), 'content-length', '5'))).status, 200);
  });

  test('counts a body that promises nothing, while it comes', async () => {
    assert.equal(
      Buffer.from((await run(post(Readable.from([Buffer.from('12'), Buffer.from('345')])))).body as Uint8Array).toString(),
      '12345',
    );
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.from('123');
      })(),
    );
    assert.equal((await problemOf(run(post(endless)))).status, 413);
    assert.equal(endless.destroyed, false, 'a client whose connection is gone could not read its 413');
    endless.destroy();
  });

  test('holds for an app that reads the request itself, even for what came before anybody looked', async () => {
    let seen = '';
    const app: Forward = (exchange, call) =>
      new Promise((resolve, reject) => {
        call.onAbort(reject);
        const request = exchange.origin.request as IncomingMessage;
        request.on('data', (chunk: Buffer) => (seen += chunk.toString())).on('error', () => (seen += '!'));
        request.on('end', () => resolve({ status: 200, headers: [], body: undefined }));
      });
    const limited = around(bodyLimit, { max_bytes: 10 }, { forward: app });
    const edge: Edge = { trusted: () => false, maxUriBytes: 100, mergeSlashes: true, encodedSlashes: 'keep', clock: new FakeClock() };
    const server = createServer(async (request, response) => {
      while (request.readableLength === 0) await settled();
      const exchange = exchangeOfRequest(request, response, edge) as Exchange;
      const status = await limited(exchange).then(
        (answer) => answer.status,
        (error: Problem) => error.status,
      );
      response.writeHead(status, { connection: 'close' }).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const upload = async (...parts: string[]): Promise<string> => {
      seen = '';
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
      socket.write('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (const part of parts) {
        socket.write(part === '' ? '0\r\n\r\n' : `${part.length.toString(16)}\r\n${part}\r\n`);
        if (part !== '') while (!seen.includes(part) && !socket.destroyed && socket.bytesRead === 0) await settled();
      }
      const [head] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return `${head.toString().slice(9, 12)} ${seen}`;
    };
    assert.equal(await upload('12345', '67890', ''), '200 1234567890');
    assert.equal(await upload('12345', '678901'), '413 12345!');
    assert.equal(await upload('12345678901'), '413 ');
    server.close();
  });

  test('breaks off when the client goes away in the middle', async () => {
    const body = new Readable({ read: () => undefined });
    body.on('error', () => undefined).push('12');
    const running = run(post(body));
    body.destroy(new Error('aborted'));
    await assert.rejects(running, /aborted/);
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

describe('mirror', () => {
  /** A pool whose copies are kept. */
  function shadow(answer: () => Promise<Answer> = () => ok(exchangeOf(), undefined as never)): {
    copies: Exchange[];
    calls: Call[];
    copy: Forward;
  } {
    const copies: Exchange[] = [];
    const calls: Call[] = [];
    return { copies, calls, copy: (exchange, call) => (copies.push(exchange), calls.push(call), answer()) };
  }
  test('sends a copy with the same head and body', async () => {
    const { copies, copy } = shadow();
    const exchange = exchangeOf({ method: 'POST', query: '?a', headers: ['X', '1'], body: Buffer.from('body') });
    exchange.assert.push('x-consumer', 'ann');
    await around(mirror, { upstream: 'shadow' }, { copy })(exchange);
    assert.equal(copies.length, 1);
    const [{ method, target, headers: fields, body, assert: asserted }] = copies as [Exchange];
    assert.deepEqual(
      { method, target, fields, asserted, body },
      { method: 'POST', target: '/p/1?a', fields: ['X', '1'], asserted: ['x-consumer', 'ann'], body: exchange.body },
    );
    assert.notEqual(fields, exchange.headers);
  });

  test('copies a stream once it has gone to the upstream, unless it is too long', async () => {
    for (const [length, expected] of [
      [70_000, 1],
      [1_100_000, 0],
    ] as const) {
      const { copies, copy } = shadow();
      const chunks = Array.from({ length: length / 10_000 }, (_, i) => Buffer.alloc(10_000, i));
      const forward: Forward = async ({ body }) => ({ status: 200, headers: [], body: await collect(fromReadable(body as Readable), 1e9) });
      const answer = await around(
        mirror,
        { upstream: 'shadow' },
        { copy, forward },
      )(exchangeOf({ method: 'POST', body: Readable.from(chunks) }));
      assert.deepEqual(answer.body, Buffer.concat(chunks));
      assert.equal(copies.length, expected);
      if (expected === 1) assert.deepEqual(copies[0]?.body, Buffer.concat(chunks));
    }
  });

  test('copies nothing of a body that was cut off', async () => {
    for (const cut of ['aborted', 'answered']) {
      const { copies, copy } = shadow();
      const body = new Readable({ read: () => undefined });
      const forward: Forward = (_exchange, call) => {
        if (cut === 'aborted') call.abort(new Error('over'));
        return ok(exchangeOf(), call);
      };
      const origin = cut === 'answered' ? { response: { writableFinished: true } as ServerResponse } : {};
      body.push('part');
      await around(mirror, { upstream: 'shadow' }, { copy, forward })(exchangeOf({ method: 'POST', body, origin }));
      body.push(null);
      assert.equal(copies.length, 0, cut);
    }
  });

  test('takes its share of the requests, and each of them once', async () => {
    const { copies, copy } = shadow();
    let roll = 0;
    const run = around(mirror, { upstream: 'shadow', percent: 10 }, { copy, random: () => (roll++ % 100) / 100 });
    const same = exchangeOf();
    for (let i = 0; i < 100; i++) await run(i < 2 ? same : exchangeOf());
    assert.equal(copies.length, 9);
    assert.equal(copies.filter((one) => headersOf(one.headers, 'x').length > 0).length, 0);
  });

  test('neither fails with its copies nor tells of each failure', async () => {
    const warnings: unknown[] = [];
    const clock = new FakeClock();
    const error = new Error('refused');
    for (const copy of [(): Promise<never> => Promise.reject(error), (): never => assert.fail(error)]) {
      warnings.length = 0;
      const run = around(mirror, { upstream: 'shadow' }, { copy, warnings, clock });
      for (let i = 0; i < 5; i++) assert.equal((await run(exchangeOf())).status, 200);
      await settled();
      assert.deepEqual(warnings, [{ message: 'copies of requests fail', upstream: 'shadow', failed: 1, skipped: 0, error }]);
    }
    assert.equal(clock.timers, 0);
  });

  test('has a bounded number of copies under way, each for a bounded time', async () => {
    const clock = new FakeClock();
    let cancelled = 0;
    const silent: Source = { start: () => undefined, resume: () => undefined, cancel: () => void cancelled++ };
    const { copies, calls, copy } = shadow(() => Promise.resolve({ status: 200, headers: [], body: silent }));
    const run = around(mirror, { upstream: 'shadow' }, { copy, clock });
    for (let i = 0; i < 150; i++) await run(exchangeOf());
    assert.equal(copies.length, 100);
    await clock.advance(30);
    assert.equal(cancelled, 100);
    assert.ok(calls.every((call) => call.aborted));
    await run(exchangeOf());
    assert.equal(copies.length, 101);
  });

  test('reads the answers of its copies to the end, failures included', async () => {
    for (const failing of [false, true]) {
      const body = Readable.from([Buffer.from('a'), Buffer.from('b')]);
      const answer: Answer = { status: 200, headers: [], body: fromReadable(body) };
      const { copy } = shadow(() => (failing ? Promise.reject(new Answered(answer)) : Promise.resolve(answer)));
      const ended = once(body, 'end');
      await around(mirror, { upstream: 'shadow' }, { copy })(exchangeOf());
      await ended;
    }
  });
});
