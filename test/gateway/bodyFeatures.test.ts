import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { Call } from '../../src/core/call.js';
import type { Forward } from '../../src/gateway/feature.js';
import { bodyLimit } from '../../src/gateway/features/bodyLimit.js';
import { mirror } from '../../src/gateway/features/mirror.js';
import { collect, fromReadable, type Source } from '../../src/http/body.js';
import type { Answer, Exchange, ExchangeInit } from '../../src/http/exchange.js';
import { headerOf, headersOf } from '../../src/http/headers.js';
import { type Edge, exchangeOfRequest } from '../../src/http/nodeRequest.js';
import { Answered, type Problem } from '../../src/http/problem.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { around, exchangeOf, ok, problemOf } from './featureStage.js';

const settled = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

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

  test('takes its share of the requests', async () => {
    const { copies, copy } = shadow();
    let roll = 0;
    const run = around(mirror, { upstream: 'shadow', percent: 10 }, { copy, random: () => (roll++ % 100) / 100 });
    for (let i = 0; i < 100; i++) await run(exchangeOf());
    assert.equal(copies.length, 10);
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
