// The gateway where there is no server of its own: `gateway.fetch`, alone and behind the server of the runtime.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Hono } from 'hono';
import { createGateway } from 'premier/gateway';
import { gateway as middleware, rateLimit } from 'premier/hono';
import { check, open, runtime } from './harness.mjs';

const quiet = { log: { level: 'silent' } };

async function made(undo, config, options) {
  const gateway = await createGateway({ ...quiet, ...config }, options);
  undo(() => gateway.close({ grace: 0 }));
  return gateway;
}

/** Serves a fetch handler by what the runtime has for it, and resolves to its URL. The handler gets the client's address too. */
async function serve(undo, handler) {
  if (runtime === 'bun') {
    const server = globalThis.Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request, self) => handler(request, self.requestIP(request).address),
    });
    undo(() => server.stop(true));
    return `http://127.0.0.1:${server.port}`;
  }
  if (runtime === 'deno') {
    const server = globalThis.Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: () => undefined }, (request, { remoteAddr }) =>
      handler(request, remoteAddr.hostname),
    );
    undo(() => server.shutdown());
    return `http://127.0.0.1:${server.addr.port}`;
  }
  const { getRequestListener } = await import('@hono/node-server');
  return open(
    undo,
    getRequestListener((request, { incoming }) => handler(request, incoming.socket.remoteAddress)),
  );
}

const hello = () => {
  const app = new Hono();
  let runs = 0;
  app.get('/hello', (context) => context.text(`hello ${++runs}`));
  app.post('/echo', async (context) => context.text(await context.req.text()));
  return app;
};

check('gateway.fetch in front of an app: cache, limit, own paths', async (undo) => {
  const features = { cache: { expireS: 60 }, rateLimit: { quota: 2, duration: '1m' } };
  const gateway = await made(undo, { paths: [{ pattern: '/*', features }] }, { app: hello() });
  const ask = (path) => gateway.fetch(new Request(`http://shop.example.com${path}`), { client: '192.0.2.1' });
  assert.equal(await (await ask('/hello')).text(), 'hello 1');
  assert.equal(await (await ask('/hello')).text(), 'hello 1');
  assert.equal((await ask('/hello')).status, 429);
  assert.equal((await ask('/health')).status, 200);
});

check('gateway.fetch in front of an upstream', async (undo) => {
  const server = createServer((request, response) => request.pipe(response));
  const gateway = await made(undo, { servers: [await open(undo, server)] });
  const response = await gateway.fetch(new Request('http://shop.example.com/', { method: 'POST', body: 'hello' }));
  assert.equal(await response.text(), 'hello');
});

check('gateway.fetch: timeout and retry around an app', async (undo) => {
  let asked = 0;
  const app = {
    fetch: (request) => {
      if (++asked === 1) return new Response('', { status: 503 });
      if (asked === 2) return new Response('second');
      return new Promise((_resolve, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)));
    },
  };
  const features = { retry: { maxAttempts: 2, wait: '1ms' }, timeout: '200ms' };
  const gateway = await made(undo, { paths: [{ pattern: '/*', features }] }, { app });
  assert.equal(await (await gateway.fetch(new Request('http://a/'))).text(), 'second');
  assert.equal((await gateway.fetch(new Request('http://a/'))).status, 504);
});

check('gateway.fetch behind the server of the runtime', async (undo) => {
  const features = { rateLimit: { quota: 2, duration: '1m' } };
  const gateway = await made(undo, { paths: [{ pattern: '/*', features }] }, { app: hello() });
  const url = await serve(undo, (request, client) => gateway.fetch(request, { client }));
  assert.equal(await (await fetch(`${url}/hello`)).text(), 'hello 1');
  assert.equal(await (await fetch(`${url}/echo`, { method: 'POST', body: 'a body' })).text(), 'a body');
  assert.equal((await fetch(`${url}/hello`)).status, 429);
});

check('gateway.fetch behind the server of the runtime: a stream passes as it comes', async (undo) => {
  let came;
  const started = new Promise((resolve) => void (came = resolve));
  const app = { fetch: () => new Response(new ReadableStream({ start: came })) };
  const gateway = await made(undo, {}, { app });
  const url = await serve(undo, (request, client) => gateway.fetch(request, { client }));
  const asked = fetch(url);
  const going = await started;
  going.enqueue(new TextEncoder().encode('one'));
  const reader = (await asked).body.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'one');
  going.close();
  assert.equal((await reader.read()).done, true);
});

check('Hono: the gateway as a middleware, behind the server of the runtime', async (undo) => {
  const app = new Hono();
  const edge = middleware(
    { ...quiet, paths: [{ pattern: '/*', features: { cache: { expireS: 60 } } }] },
    { client: ({ env }) => env.client },
  );
  undo(() => edge.close({ grace: 0 }));
  app.use(edge);
  app.route('/', hello());
  const url = await serve(undo, (request, client) => app.fetch(request, { client }));
  assert.equal(await (await fetch(`${url}/hello`)).text(), 'hello 1');
  assert.equal(await (await fetch(`${url}/hello`)).text(), 'hello 1');
});

check('Hono: policies for one route', async (undo) => {
  const app = new Hono();
  const limit = rateLimit({ quota: 1, duration: '1m' }, { name: 'search', client: ({ env }) => env.client });
  app.get('/search', limit, (context) => context.text('found'));
  const url = await serve(undo, (request, client) => app.fetch(request, { client }));
  assert.equal((await fetch(`${url}/search`)).status, 200);
  assert.equal((await fetch(`${url}/search`)).status, 429);
});
