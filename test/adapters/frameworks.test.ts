import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import express from 'express';
import { WebSocket, WebSocketServer } from 'ws';
import { QuotaExceedsError } from '../../src/core/errors.js';
import { gateway } from '../../src/adapters/express.js';
import { frameworks } from './frameworks.js';
import type { Route } from './shop.js';

const counted = (): Route & { readonly times: () => number } => {
  let n = 0;
  return { answer: () => ({ headers: { 'Content-Type': 'text/plain', 'X-App': 'yes' }, body: String(++n) }), times: () => n };
};
const echo: Route = { answer: (body) => ({ body: body.toUpperCase() }) };
const seen = { default_features: { headers: { response: { set: { 'X-Seen': 'yes' } } } } };
const get = async (url: string, init?: RequestInit): Promise<{ status: number; headers: Headers; body: string }> => {
  const { status, headers, ...rest } = await fetch(url, init).then(async (answer) => ({
    status: answer.status,
    headers: answer.headers,
    body: await answer.text(),
  }));
  return { status, headers, ...rest };
};

for (const [name, open] of Object.entries(frameworks)) {
  describe(`the gateway as a middleware of ${name}`, () => {
    test('limits, and says so on every answer', async (t) => {
      const hello = counted();
      const config = { default_features: { rate_limit: { quota: 2, duration: 60 } } };
      const { url } = await open(t, { config, routes: { 'GET /hello': hello } });
      const answers = [await get(`${url}/hello`), await get(`${url}/hello`), await get(`${url}/hello`)];
      assert.deepEqual(
        answers.map(({ status, headers }) => [status, headers.get('x-ratelimit-remaining'), headers.get('x-app')]),
        [
          [200, '1', 'yes'],
          [200, '0', 'yes'],
          [429, '0', null],
        ],
      );
      assert.ok(Number(answers[2]?.headers.get('retry-after')) > 0);
      assert.equal((JSON.parse(answers[2]?.body ?? '') as { error: { type: string } }).error.type, 'rate_limited');
      assert.equal(hello.times(), 2);
    });

    test('keeps answers, but not what an earlier middleware adds to each', async (t) => {
      const hello = counted();
      const { url } = await open(t, { config: { default_features: { cache: { expire_s: 60 } } }, routes: { 'GET /hello': hello } });
      const [first, second] = [await get(`${url}/hello`), await get(`${url}/hello`)];
      assert.deepEqual([first.headers.get('x-cache'), second.headers.get('x-cache')], ['MISS', 'HIT']);
      assert.deepEqual([first.body, second.body, hello.times()], ['1', '1', 1]);
      assert.equal(second.headers.get('x-app'), 'yes');
      assert.equal(new Set([first, second, { headers: new Headers() }].map(({ headers }) => headers.get('x-before'))).size, 3);
    });

    test('gives up on what takes too long', async (t) => {
      const never: Route = { answer: () => new Promise(() => undefined) };
      const { url } = await open(t, { config: { default_features: { timeout: 0.05 } }, routes: { 'GET /never': never } });
      assert.equal((await get(`${url}/never`)).status, 504);
    });

    test('passes a stream on as it comes', async (t) => {
      const body = new PassThrough();
      body.write('one');
      const { url } = await open(t, { config: seen, routes: { 'GET /stream': { answer: () => ({ body }) } } });
      const answer = await fetch(`${url}/stream`);
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      const read = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
      assert.equal(await read(), 'one');
      body.end('two');
      assert.equal(await read(), 'two');
      assert.equal(answer.headers.get('x-seen'), 'yes');
    });

    for (const parsesFirst of [false, true])
      test(`leaves bodies to the app, with its parser ${parsesFirst ? 'before' : 'after'} it`, async (t) => {
        const { url } = await open(t, { config: seen, parsesFirst, routes: { 'POST /echo': echo } });
        const answer = await get(`${url}/echo`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello' });
        assert.deepEqual([answer.status, answer.body, answer.headers.get('x-seen')], [200, 'HELLO', 'yes']);
      });

    test('lets the app answer its own errors, and those of the decorators with what they ask for', async (t) => {
      const refusing: Route = {
        answer: () => {
          throw new QuotaExceedsError('orders', 1, 60, 7, 'secret');
        },
      };
      const failing: Route = { answer: () => Promise.reject(new Error('secret')) };
      const { url } = await open(t, { config: seen, routes: { 'GET /refused': refusing, 'GET /failed': failing } });
      const refused = await get(`${url}/refused`);
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '7']);
      assert.doesNotMatch(refused.body, /secret/);
      const failed = await get(`${url}/failed`);
      assert.deepEqual([failed.status, failed.body], [500, 'its own']);
    });

    test('tells the app what it knows of the request', async (t) => {
      const route: Route = { answer: (_body, known) => ({ body: `${known?.pattern} ${known?.client} ${known?.correlationId}` }) };
      const { url } = await open(t, { config: { paths: [{ pattern: '/known/*' }] }, routes: { 'GET /known/you': route } });
      const { body, headers } = await get(`${url}/known/you`);
      assert.equal(body, `/known/* 127.0.0.1 ${headers.get('x-correlation-id')}`);
    });

    test('takes for the client whom a trusted proxy names', async (t) => {
      const config = { default_features: { rate_limit: { quota: 1, duration: 60 } } };
      const routes = { 'GET /hello': { ...counted(), policies: { rateLimit: { quota: 9, duration: 60, key: 'header:x-any' } } } };
      const { url } = await open(t, { config, behindProxy: true, routes });
      const statuses = [];
      for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.1', '::ffff:192.0.2.2', '2001:db8::1', '2001:db8:0:1::2'])
        statuses.push((await get(`${url}/hello`, { headers: { 'x-forwarded-for': `203.0.113.9, ${client}` } })).status);
      assert.deepEqual(statuses, [200, 200, 429, 429, 200, 429]);
    });

    test('counts by who asks, where the app says so', async (t) => {
      const routes = { 'GET /hello': { ...counted(), policies: { rateLimit: { quota: 1, duration: 60, key: 'consumer' } } } };
      const { url } = await open(t, { routes, knowsUsers: true });
      const statuses = [];
      for (const user of ['ann', 'bob', 'ann']) statuses.push((await get(`${url}/hello`, { headers: { 'x-user': user } })).status);
      assert.deepEqual(statuses, [200, 200, 429]);
    });

    test('has its own paths, and metrics of the app', async (t) => {
      const { url } = await open(t, { config: {}, routes: { 'GET /hello': counted() } });
      await get(`${url}/hello`);
      assert.equal((JSON.parse((await get(`${url}/health`)).body) as { status: string }).status, 'healthy');
      assert.match((await get(`${url}/metrics`)).body, /http_requests_total\{[^}]*status="200"[^}]*\} 1/);
    });

    test('stands in front of what is below its prefix alone', async (t) => {
      const { url } = await open(t, {
        config: { default_features: { rate_limit: { quota: 1, duration: 60 } } },
        prefix: '/api',
        routes: { 'GET /api/a': counted(), 'GET /free': counted() },
      });
      const statuses = [];
      for (const path of ['/api/a', '/api/a', '/free', '/free']) statuses.push((await get(url + path)).status);
      assert.deepEqual(statuses, [200, 429, 200, 200]);
    });

    test('lets the very first request be a WebSocket', async (t) => {
      const config = { paths: [{ pattern: '/ws', features: { rate_limit: { quota: 1, duration: 60 } } }] };
      const { url, server } = await open(t, { config, routes: {} });
      new WebSocketServer({ server, path: '/ws' }).on('connection', (socket) =>
        socket.on('message', (data) => socket.send(`${String(data)}!`)),
      );
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      await once(socket, 'open');
      socket.send('hello');
      const [said] = (await once(socket, 'message')) as [Buffer];
      assert.equal(said.toString(), 'hello!');
      socket.close();
      await once(socket, 'close');
      const second = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      const [error] = (await once(second, 'error')) as [Error];
      assert.match(error.message, /429/);
    });

    test('goes together with a second one behind it', async (t) => {
      const hello = counted();
      const config = { default_features: { cache: { expire_s: 60 }, rate_limit: { quota: 3, duration: 60 } } };
      const inner = { default_features: { headers: { response: { set: { 'X-Inner': 'yes' } } }, timeout: 5 } };
      const { url } = await open(t, { config, inner, routes: { 'GET /hello': hello } });
      const answers = [await get(`${url}/hello`), await get(`${url}/hello`), await get(`${url}/hello`), await get(`${url}/hello`)];
      assert.deepEqual(
        answers.map(({ status, headers }) => [status, headers.get('x-cache'), headers.get('x-inner')]),
        [
          [200, 'MISS', 'yes'],
          [200, 'HIT', 'yes'],
          [200, 'HIT', 'yes'],
          [429, null, null],
        ],
      );
      assert.equal(hello.times(), 1);
    });

    test('goes together with policies of a route, whatever either of them sees of the answer', async (t) => {
      const limit = { quota: 3, duration: 60 };
      for (const outer of [{ rate_limit: limit }, { rate_limit: limit, ...seen.default_features }]) {
        const routes = {
          'GET /limited': { ...counted(), policies: { rateLimit: { quota: 1, duration: 60 } } },
          'GET /seen': { ...counted(), policies: { headers: { response: { set: { 'X-Inner': 'yes' } } }, rateLimit: limit } },
        };
        const { url } = await open(t, { config: { default_features: outer }, routes });
        const answers = [await get(`${url}/limited`), await get(`${url}/limited`), await get(`${url}/seen`), await get(`${url}/seen`)];
        assert.deepEqual(
          answers.map(({ status, headers }) => [status, headers.get('x-app'), headers.get('x-inner'), headers.get('x-seen')]),
          [
            [200, 'yes', null, 'headers' in outer ? 'yes' : null],
            [429, null, null, 'headers' in outer ? 'yes' : null],
            [200, 'yes', 'yes', 'headers' in outer ? 'yes' : null],
            [429, null, null, 'headers' in outer ? 'yes' : null],
          ],
        );
        // The innermost limit speaks, unless the request did not come that far.
        const told = answers.map(({ headers }) => `${headers.get('x-ratelimit-remaining')} of ${headers.get('x-ratelimit-limit')}`);
        assert.deepEqual(told, ['0 of 1', '0 of 1', '2 of 3', '0 of 3']);
        assert.deepEqual(
          answers.map(({ headers }) => headers.has('x-before')),
          [true, true, true, true],
        );
      }
    });

    test('refuses a body that is too long, and leaves a shorter one whole', async (t) => {
      const { url } = await open(t, {
        config: { default_features: { body_limit: { max_bytes: 10 }, timeout: 5 } },
        routes: { 'POST /echo': echo },
      });
      const post = (body: BodyInit): Promise<{ status: number; body: string }> =>
        get(`${url}/echo`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body, duplex: 'half' } as RequestInit);
      assert.deepEqual((await post('hello')).body, 'HELLO');
      assert.equal((await post('x'.repeat(11))).status, 413);
      const stream = new Blob(['x'.repeat(11)]).stream();
      const streamed = await post(stream).catch(() => ({ status: 413 }));
      assert.equal(streamed.status, 413);
    });

    test('answers HEAD as GET, without a body', async (t) => {
      const { url } = await open(t, { config: { default_features: { cache: { expire_s: 60 } } }, routes: { 'GET /hello': counted() } });
      await get(`${url}/hello`);
      const head = await get(`${url}/hello`, { method: 'HEAD' });
      assert.deepEqual([head.status, head.body, head.headers.get('x-cache')], [200, '', 'HIT']);
    });

    test('has policies for one route, beside those of others', async (t) => {
      const [limited, cached] = [counted(), counted()];
      let broken = 0;
      const failing: Route = {
        policies: { circuitBreaker: { failureThreshold: 2 } },
        answer: () => ({ status: 500, body: String(++broken) }),
      };
      const { url } = await open(t, {
        routes: {
          'GET /limited': { ...limited, policies: { rateLimit: { quota: 1, duration: 60 } } },
          'GET /cached': { ...cached, policies: { cache: { expireS: 60 } } },
          'GET /broken': failing,
        },
      });
      const statuses = [];
      for (const path of ['/limited', '/limited', '/cached', '/cached', '/broken', '/broken', '/broken'])
        statuses.push((await get(url + path)).status);
      assert.deepEqual(statuses, [200, 429, 200, 200, 500, 500, 503]);
      assert.deepEqual([limited.times(), cached.times(), broken], [1, 1, 2]);
      const hit = await get(`${url}/cached`);
      assert.equal(hit.headers.get('x-cache'), 'HIT');
      assert.equal(hit.headers.get('x-correlation-id'), null);
    });
  });
}

test('a middleware refuses what would ask for the rest of the app twice, and servers', () => {
  assert.throws(
    () => gateway({ default_features: { retry: { max_attempts: 2 } } }),
    /default_features: `retry` would ask .* createGateway/,
  );
  assert.throws(() => gateway({ paths: [{ pattern: '/a', features: { hedge: { after: 1 } } }] }), /^.*\/a: `hedge`/);
  assert.throws(() => gateway({ servers: ['http://a:1'] }), /`servers` have no place/);
  assert.throws(() => gateway({ default_features: { tmeout: 1 } } as never), /did you mean `timeout`/);
});

test('what an earlier middleware does to the response it also does to answers from the cache', async (t) => {
  const app = express();
  app.use((_request, response, next) => {
    const { end, writeHead } = response;
    Object.assign(response, {
      writeHead: (...given: Parameters<typeof writeHead>) => {
        response.setHeader('X-Patched', 'yes');
        response.removeHeader('content-length');
        return Reflect.apply(writeHead, response, [given[0], ...given.slice(1).map(withoutLength)]) as unknown;
      },
      end: (chunk: unknown, ...rest: unknown[]) => Reflect.apply(end, response, [`${String(chunk)}!`, ...rest]) as unknown,
    });
    next();
  });
  const control = gateway({ default_features: { cache: { expire_s: 60 } }, log: { level: 'silent' } });
  app.use(control);
  app.get('/', (_request, response) => void response.send('hello'));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.close();
    server.closeAllConnections();
    await control.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const outcome of ['MISS', 'HIT']) {
    const answer = await get(url);
    assert.deepEqual([answer.body, answer.headers.get('x-cache'), answer.headers.get('x-patched')], ['hello!', outcome, 'yes']);
  }
});

function withoutLength(given: unknown): unknown {
  return Array.isArray(given) ? given.filter((_, i, all) => String(all[i - (i % 2)]).toLowerCase() !== 'content-length') : given;
}
