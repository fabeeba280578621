import assert from 'node:assert/strict';
import { type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import express from 'express';
import { Hono } from 'hono';
import Koa from 'koa';
import type { App } from '../../src/gateway/app.js';
import type { Features } from '../../src/gateway/config/featureSchemas.js';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { gate, makeGateway, openGateway, rawRequest, send, startUpstream } from '../support/gateways.js';

/** Nothing that looks at the answer, so that the app writes to the client by itself; and a policy that does. */
const plans: readonly (readonly [name: string, features: Partial<Record<keyof Features, unknown>>])[] = [
  ['the client’s response', { rate_limit: { quota: 100, duration: 60 } }],
  ['a response of its own', { timeout: { seconds: 60 } }],
];

function pathsOf(features: object): GatewayOptions {
  return { paths: [{ pattern: '*', features }] };
}

/** A listener in front of which frameworks have read the body. */
async function behindParser(t: TestContext, mount: (gateway: Awaited<ReturnType<typeof makeGateway>>) => App): Promise<string> {
  const upstream = await startUpstream(t, async (incoming, response) => {
    response.end(JSON.stringify({ length: incoming.headers['content-length'], body: await text(incoming) }));
  });
  const gateway = await makeGateway(t, {}, { servers: [upstream.url] });
  return (await startUpstream(t, mount(gateway) as Parameters<typeof startUpstream>[1])).url;
}

describe('a body that was read before the gateway saw it', () => {
  test('is sent on anew after express.json() and express.urlencoded()', async (t) => {
    const url = await behindParser(t, (gateway) => express().use(express.json(), express.urlencoded({ extended: true }), gateway.listener));
    const json = await send(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{ "a": [1, "ü"] }' });
    assert.deepEqual(JSON.parse(json.body), { length: '14', body: '{"a":[1,"ü"]}' });
    const form = await send(url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1&b=x+y' });
    assert.equal((JSON.parse(form.body) as { body: string }).body, 'a=1&b=x%20y');
  });

  test('that cannot be written anew is a 500 at once, not a request that hangs', async (t) => {
    const url = await behindParser(t, (gateway) => async (incoming: IncomingMessage, response: ServerResponse) => {
      await text(incoming);
      gateway.listener(incoming, response);
    });
    assert.equal((await send(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'gone' })).status, 500);
  });
});

describe('apps', () => {
  test('what a framework answers to its own errors passes unchanged', async (t) => {
    const koa = new Koa();
    koa.silent = true;
    koa.use((context) => context.throw(418, 'teapot'));
    const hono = new Hono().get('/', (context) => context.json({ own: true }, 418));
    const own = express().get('/', (_request, response) => void response.status(418).json({ own: true }));
    for (const app of [koa, hono, own] as App[]) {
      const { url } = await openGateway(t, pathsOf({ retry: {}, circuit_breaker: {} }), { app });
      const answer = await send(url);
      assert.equal(answer.status, 418);
      assert.match(answer.body, /teapot|"own":true/);
    }
  });

  test('are none of what is neither listener nor handler', async (t) => {
    for (const app of [{}, 'app', 5])
      await assert.rejects(makeGateway(t, {}, { app: app as unknown as App }), /app: give a \(request, response\) listener/);
  });

  test('and servers exclude each other, also when one of them is in the file', async (t) => {
    const app: App = (_request: IncomingMessage, response: ServerResponse) => response.end();
    await assert.rejects(makeGateway(t, { servers: ['http://localhost:1'] }, { app }), /"app" and "servers" exclude each other/);
    await assert.rejects(makeGateway(t, {}, { app, servers: ['http://localhost:1'] }), /exclude each other/);
  });

  test('a fetch handler that cancels an upload answers all the same', async (t) => {
    const { url } = await openGateway(
      t,
      {},
      {
        app: {
          async fetch(incoming: Request) {
            const reader = (incoming.body as ReadableStream<Uint8Array>).getReader();
            await reader.read();
            await reader.cancel();
            return new Response('enough', { status: 413 });
          },
        },
      },
    );
    for (let i = 0; i < 5; i++) {
      const answer = await send(url, { method: 'POST', body: Buffer.alloc(300_000) });
      assert.deepEqual([answer.status, answer.body], [413, 'enough']);
    }
  });

  test('a path may go to a pool all the same', async (t) => {
    const upstream = await startUpstream(t, (_request, response) => response.end('pool'));
    const { url } = await openGateway(
      t,
      { upstreams: { other: { servers: [upstream.url] } }, paths: [{ pattern: '/pool', upstream: 'other' }] },
      { app: (_request: IncomingMessage, response: ServerResponse) => response.end('app') },
    );
    assert.deepEqual([(await send(`${url}/pool`)).body, (await send(`${url}/x`)).body], ['pool', 'app']);
  });

  test('a gateway with neither answers 404 and its own paths', async (t) => {
    const { url } = await openGateway(t, {});
    assert.deepEqual([(await send(`${url}/x`)).status, (await send(`${url}/health`)).status], [404, 200]);
  });

  test('several requests on one connection are answered in their order', async (t) => {
    const { port } = await openGateway(t, pathsOf({ timeout: 5 }), {
      app: (incoming: IncomingMessage, response: ServerResponse) => {
        if (incoming.url === '/1') setImmediate(() => response.end('first'));
        else response.end(incoming.url === '/2' ? 'second' : 'third');
      },
    });
    const ask = (path: string, last = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${last}\r\n`;
    const received = await rawRequest(port, ask('/1') + ask('/2') + ask('/3', 'Connection: close\r\n'));
    assert.match(received, /first[^]*second[^]*third$/);
    assert.equal(received.split('HTTP/1.1 200').length, 4);
  });

  test('a client that leaves while it uploads is told to the app', async (t) => {
    for (const [, features] of plans) {
      const [reading, told] = [gate(), gate()];
      const { port } = await openGateway(t, pathsOf(features), {
        app: (incoming: IncomingMessage) => {
          incoming.once('data', () => reading.open()).on('error', () => undefined);
          incoming.once('close', () => told.open());
        },
      });
      const out = request({ port, method: 'POST', headers: { 'content-length': 100 } }).on('error', () => undefined);
      out.write('part');
      await reading.opened;
      out.destroy();
      await told.opened;
    }
  });

  test('outlive a connection that the gateway’s server cannot take, which is logged', async (t) => {
    let log = '';
    const { url } = await openGateway(
      t,
      { log: { level: 'error' } },
      {
        logger: { write: (line: string) => void (log += line) },
        app: ({ socket }: IncomingMessage, response: ServerResponse) => {
          const { server } = socket as typeof socket & { readonly server: Server };
          server.emit('error', new Error('accept EMFILE'));
          response.end('ok');
        },
      },
    );
    assert.equal((await send(url)).body, 'ok');
    assert.match(log, /A connection could not be taken: accept EMFILE/);
  });
});
