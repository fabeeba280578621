import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { deadUrl, gate, makeGateway, openGateway, send, startRaw, startUpstream, until } from '../support/gateways.js';

const sent = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'body' } as const;

function all(features: object): GatewayOptions {
  return { paths: [{ pattern: '*', features }] };
}

describe('retry', () => {
  test('a budget keeps retries at a share of the requests', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => {
      asked++;
      response.writeHead(503).end();
    });
    const { url } = await openGateway(t, all({ retry: { max_attempts: 2, wait: 0.001, budget: 0.1 } }), { servers: [upstream.url] });
    for (let i = 0; i < 40; i++) assert.equal((await send(url)).status, 503);
    // Three retries are free, and each of the 40 requests has earned a tenth of one.
    assert.ok(asked - 40 >= 6 && asked - 40 <= 7, `${asked - 40} retries`);
  });

  test('waits as the list says, and as Retry-After says where that is longer', async (t) => {
    const clock = new FakeClock();
    const at: number[] = [];
    const upstream = await startUpstream(t, (_request, response) => {
      at.push(clock.monotonic());
      response.writeHead(503, at.length === 2 ? { 'retry-after': '5' } : {}).end();
    });
    const { gateway, url } = await openGateway(t, all({ retry: { max_attempts: 4, wait: [1, 2, 4], budget: 1 } }), {
      servers: [upstream.url],
      clock,
    });
    let retries = 0;
    gateway.runtime.events.on('retried', () => retries++);
    const asking = send(url);
    for (const [i, wait] of [1, 5, 4].entries()) {
      await until(() => retries === i + 1);
      await clock.advance(wait);
      await until(() => at.length === i + 2);
    }
    assert.deepEqual(
      at.map((one) => one / 1000),
      [0, 1, 6, 10],
    );
    assert.equal((await asking).status, 503);
  });

  test('a Retry-After beyond the timeout hands the answer on at once', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => {
      asked++;
      response.writeHead(503, { 'retry-after': '60' }).end('later');
    });
    const { url } = await openGateway(t, all({ timeout: { seconds: 10 }, retry: { max_attempts: 3, wait: 0.001 } }), {
      servers: [upstream.url],
    });
    const answer = await send(url);
    assert.deepEqual([answer.status, answer.headers['retry-after'], answer.body, asked], [503, '60', 'later', 1]);
  });

  test('a status that is not in `on` is passed on, and one that is listed is tried again', async (t) => {
    const asked: Record<string, number> = {};
    const upstream = await startUpstream(t, ({ url = '' }, response) => {
      asked[url] = (asked[url] ?? 0) + 1;
      response.writeHead(Number(url.slice(1))).end();
    });
    const { url } = await openGateway(t, all({ retry: { max_attempts: 2, wait: 0.001, on: [500], budget: 1 } }), {
      servers: [upstream.url],
    });
    for (const status of [500, 503, 404]) assert.equal((await send(`${url}/${status}`)).status, status);
    assert.deepEqual(asked, { '/500': 2, '/503': 1, '/404': 1 });
  });

  test('a 429 is tried again where `on` lists it, and opens no circuit', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => response.writeHead(++asked < 3 ? 429 : 200).end());
    const features = { retry: { wait: 0.001, on: [429] }, circuit_breaker: { failure_threshold: 1 } };
    const { url } = await openGateway(t, all(features), { servers: [upstream.url] });
    assert.deepEqual([(await send(url)).status, asked], [200, 3]);
  });

  test('an Idempotency-Key opts a POST in, with its body', async (t) => {
    const bodies: string[] = [];
    const upstream = await startUpstream(t, (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk))).on('end', () => response.writeHead(bodies.push(body) === 1 ? 503 : 201).end());
    });
    const { url } = await openGateway(t, all({ retry: { wait: 0.001 } }), { servers: [upstream.url] });
    assert.equal((await send(url, { ...sent, headers: { ...sent.headers, 'idempotency-key': 'k' } })).status, 201);
    assert.deepEqual(bodies, ['body', 'body']);
  });

  test('a refused connection goes to another server, whatever the method and without a retry policy', async (t) => {
    const upstream = await startUpstream(t, (request, response) => void request.resume().on('end', () => response.end('alive')));
    const { url } = await openGateway(t, {}, { servers: [await deadUrl(), upstream.url] });
    for (let i = 0; i < 4; i++) assert.equal((await send(url, sent)).body, 'alive');
  });

  test('a POST whose connection breaks after it was sent is a 502, and is sent once', async (t) => {
    let requests = 0;
    const raw = await startRaw(t, (socket) =>
      socket.on('data', (chunk) => {
        if (chunk.toString().startsWith('POST')) requests++;
        socket.destroy();
      }),
    );
    const { url } = await openGateway(t, all({ retry: { max_attempts: 3, wait: 0.001 } }), { servers: [raw.url] });
    const answer = await send(url, sent);
    assert.deepEqual([answer.status, requests], [502, 1]);
    assert.doesNotMatch(answer.body, /127\.0\.0\.1|socket|ECONN/i);
  });

  test('nobody there is a 502 at once for every method', async (t) => {
    const { url } = await openGateway(t, {}, { servers: [await deadUrl()] });
    for (const method of ['GET', 'POST']) assert.ok([502, 503].includes((await send(url, { method })).status));
  });
});

describe('timeout', () => {
  test('`per_try` ends one attempt, and the next one answers', async (t) => {
    const clock = new FakeClock();
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => {
      if (asked++ > 0) response.end('second');
    });
    const { url } = await openGateway(
      t,
      all({ timeout: { seconds: 10, per_try: 1 }, retry: { max_attempts: 2, wait: 0, on: ['timeout'] } }),
      { servers: [upstream.url], clock },
    );
    const asking = send(url);
    await until(() => asked === 1);
    await clock.advance(1);
    assert.equal((await asking).body, 'second');
  });

  test('a body that falls silent is broken off, not ended', async (t) => {
    const clock = new FakeClock();
    const upstream = await startUpstream(t, (_request, response) => void response.write('begun'));
    const { url } = await openGateway(t, all({ timeout: 2 }), { servers: [upstream.url], clock });
    const answer = await fetch(url);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const rest = assert.rejects(reader.read());
    await clock.advance(5);
    await rest;
  });

  test('a body that falls silent is broken off for fetch-style callers too', async (t) => {
    const clock = new FakeClock();
    const left = gate();
    const upstream = await startUpstream(t, (_request, response) => {
      response.on('close', () => left.open());
      response.write('begun');
    });
    const gateway = await makeGateway(t, all({ timeout: 2 }), { servers: [upstream.url], clock });
    const answer = await gateway.fetch(new Request('http://gateway.test/'));
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const rest = assert.rejects(reader.read());
    await clock.advance(5);
    await Promise.all([rest, left.opened]);
  });

  test('a stream that keeps moving lives longer than the timeout', async (t) => {
    const clock = new FakeClock();
    const more = gate<() => void>();
    const upstream = await startUpstream(t, (_request, response) => {
      response.write('0');
      let i = 0;
      more.open(() => void (++i === 5 ? response.end('end') : response.write(String(i))));
    });
    const { url } = await openGateway(t, all({ timeout: 2 }), { servers: [upstream.url], clock });
    const answer = await fetch(url);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const next = await more.opened;
    let text = '';
    for (let i = 0; i < 6; i++) {
      text += new TextDecoder().decode((await reader.read()).value);
      await clock.advance(1.5);
      next();
    }
    assert.equal(text, '01234end');
  });
});

describe('circuit breaker', () => {
  test('one of an upstream opens for all paths that end there', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, (_request, response) => {
      asked++;
      response.writeHead(500).end();
    });
    const { url } = await openGateway(t, {
      upstreams: { users: { servers: [upstream.url], circuit_breaker: { failure_threshold: 2 } } },
      paths: [
        { pattern: '/a', upstream: 'users' },
        { pattern: '/b', upstream: 'users' },
      ],
    });
    assert.deepEqual([(await send(`${url}/a`)).status, (await send(`${url}/b`)).status], [500, 500]);
    for (const path of ['/a', '/b']) assert.equal((await send(url + path)).status, 503);
    assert.equal(asked, 2);
    assert.match((await send(`${url}/circuit-breakers`)).body, /upstream users/);
  });

  test('requests that the total timeout ended open it', async (t) => {
    let asked = 0;
    const upstream = await startUpstream(t, () => void asked++);
    const features = { timeout: 0.05, circuit_breaker: { failure_threshold: 2 } };
    const { url } = await openGateway(t, all(features), { servers: [upstream.url] });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await send(url)).status);
    assert.deepEqual([statuses, asked], [[504, 504, 503, 503], 2]);
  });

  test('an open circuit answers with its fallback', async (t) => {
    const upstream = await startUpstream(t, (_request, response) => response.writeHead(500).end('own'));
    const { url } = await openGateway(
      t,
      all({ circuit_breaker: { failure_threshold: 1, fallback: { status: 203, body: { cached: true } } } }),
      { servers: [upstream.url] },
    );
    assert.equal((await send(url)).status, 500);
    const answer = await send(url);
    assert.deepEqual([answer.status, answer.body], [203, '{"cached":true}']);
  });
});
