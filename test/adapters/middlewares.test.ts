import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import compression from 'compression';
import express, { type Express, type RequestHandler } from 'express';
import session from 'express-session';
import fastify from 'fastify';
import { cache, gateway, policies, rateLimit } from '../../src/adapters/express.js';
import * as onFastify from '../../src/adapters/fastify.js';
import { createGateway } from '../../src/gateway/index.js';

const quiet = {
  logger: { write: (): undefined => undefined } as unknown as NonNullable<Parameters<typeof policies>[1]>['logger'],
} as object;

/** A server for a listener, closed after the test. */
async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** Asks without what `fetch` does by itself: decompressing, joining fields. */
async function ask(port: number, path: string): Promise<{ status: number | undefined; headers: IncomingMessage['headers']; body: Buffer }> {
  const [response] = (await once(
    get({ host: '127.0.0.1', port, path, agent: false, headers: { 'accept-encoding': 'gzip' } }),
    'response',
  )) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

const words = 'word '.repeat(1000);

function shop(...before: RequestHandler[]): Express {
  const app = express();
  for (const one of before) app.use(one);
  app.use(session({ secret: 'secret', resave: false, saveUninitialized: false }), compression({ threshold: 100 }));
  app.use((_request, response, next) => {
    const { writeHead } = response;
    response.writeHead = (...given: unknown[]) => {
      response.setHeader('X-Late', 'yes');
      return Reflect.apply(writeHead, response, given) as typeof response;
    };
    next();
  });
  app.get('/whole', (request, response) => {
    Object.assign(request.session, { visits: 1 });
    response.send(words);
  });
  app.get('/stream', (request, response) => {
    Object.assign(request.session, { visits: 1 });
    response.type('text').write(words.slice(0, 2000));
    setImmediate(() => response.end(words.slice(2000)));
  });
  app.get('/bare', (_request, response) => {
    response.removeHeader('x-powered-by');
    response.cookie('a', '1').cookie('b', '2');
    response.append('Link', '</one>').append('Link', '</two>').end('bare');
  });
  return app;
}

const fronts: Readonly<Record<string, (t: TestContext) => Promise<number>>> = {
  'no gateway': (t) => serve(t, shop()),
  'a limit before them': (t) => serve(t, shop(rateLimit({ quota: 99, duration: 60 }, quiet))),
  'a timeout before them': (t) => serve(t, shop(policies({ timeout: 10 }, quiet))),
  'a cache before them': (t) => serve(t, shop(cache({ expireS: 60 }, quiet))),
  'two gateways before them': (t) =>
    serve(t, shop(gateway({ default_features: { timeout: 10 } }, quiet), policies({ timeout: 10 }, quiet))),
  'the gateway in front of the app': async (t) => {
    const made = await createGateway({ default_features: { timeout: 10 } }, { app: shop(), ...quiet });
    const { port } = await made.listen({ port: 0 });
    t.after(() => made.close());
    return port;
  },
};

for (const [name, open] of Object.entries(fronts)) {
  describe(`sessions, compression and others that patch the response work with ${name}`, () => {
    for (const path of ['/whole', '/stream']) {
      test(path, async (t) => {
        const { status, headers, body } = await ask(await open(t), path);
        assert.deepEqual([status, headers['content-encoding'], headers['x-late']], [200, 'gzip', 'yes']);
        assert.equal(gunzipSync(body).toString(), words);
        assert.match(String(headers['set-cookie']), /^connect\.sid=/);
      });
    }

    test('several fields of one name, and one that is taken out', async (t) => {
      const { headers, body } = await ask(await open(t), '/bare');
      assert.deepEqual(headers['set-cookie'], ['a=1; Path=/', 'b=2; Path=/']);
      assert.deepEqual([headers.link, headers['x-powered-by'], body.toString()], ['</one>, </two>', undefined, 'bare']);
    });
  });
}

test('fields of earlier hooks of Fastify are on what the gateway answers, and leave with those who take them out', async (t) => {
  const app = fastify();
  app.addHook('onRequest', async (_request, reply) => void reply.headers({ 'x-frame-options': 'DENY', 'set-cookie': ['a=1', 'b=2'] }));
  const onRequest = onFastify.policies({ rateLimit: { quota: 2, duration: 60 }, timeout: 10 }, quiet);
  app.get('/limited', { onRequest }, async () => 'fine');
  app.get('/bare', { onRequest }, async (_request, reply) => reply.removeHeader('x-frame-options').send('fine'));
  app.get('/own', { onRequest }, (_request, reply) => {
    reply.hijack();
    reply.raw.end(JSON.stringify(reply.raw.getHeaderNames()));
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const told = async (path: string): Promise<unknown[]> => {
    const { status, headers } = await ask(port, path);
    return [status, headers['x-frame-options'], headers['set-cookie']];
  };
  assert.deepEqual(await told('/limited'), [200, 'DENY', ['a=1', 'b=2']]);
  assert.deepEqual(await told('/bare'), [200, undefined, ['a=1', 'b=2']]);
  assert.deepEqual(await told('/own'), [429, 'DENY', ['a=1', 'b=2']]);
});
