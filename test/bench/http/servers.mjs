// Everything that is measured, by name: each starts in a process of its own, and resolves with its port.
import { createServer } from 'node:http';

const text = 'x'.repeat(1024);
const host = '127.0.0.1';
const listen = (server) => new Promise((resolve) => server.listen(0, host, () => resolve(server.address().port)));

const answer = (request, response) => {
  response.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', '1024', 'Cache-Control', 'max-age=60', 'ETag', '"one"']);
  response.end(text);
};

async function express(...before) {
  const { default: make } = await import('express');
  const app = make();
  for (const one of before) app.use(one);
  app.get('/small', (request, response) => void response.type('json').send(text));
  return app;
}

async function fastify(onRequest) {
  const { default: make } = await import('fastify');
  const app = make();
  if (onRequest !== undefined) app.addHook('onRequest', onRequest);
  app.get('/small', (request, reply) => reply.type('application/json').send(text));
  return app;
}

async function hono(...before) {
  const { Hono } = await import('hono');
  const app = new Hono();
  for (const one of before) app.use(one);
  app.get('/small', (c) => c.body(text, 200, { 'Content-Type': 'application/json' }));
  return app;
}

async function serveFastify(app) {
  await app.listen({ port: 0, host });
  return app.server.address().port;
}

async function serveHono(app) {
  const { serve } = await import('@hono/node-server');
  return new Promise((resolve) => serve({ fetch: app.fetch, port: 0, hostname: host }, ({ port }) => resolve(port)));
}

const premier = () => import('./premier.mjs');
const proxied = (variant) => async (backend) => (await premier()).proxy(backend, variant);

export const servers = {
  'hand-written': async (backend) => (await import('./hand.mjs')).start(backend),
  'node:http': () => listen(createServer(answer)),

  'premier bare': proxied('bare'),
  'premier 4 policies': proxied('policies'),
  'premier everything': proxied('all'),
  'premier cached': proxied('cached'),
  'premier 10 paths': async () => (await premier()).inFrontOf(answer, 10),
  'premier 2000 paths': async () => (await premier()).inFrontOf(answer, 2000),

  '@fastify/http-proxy': async (backend) => {
    const [{ default: make }, { default: plugin }] = [await import('fastify'), await import('@fastify/http-proxy')];
    const app = make();
    await app.register(plugin, { upstream: backend, undici: { connections: 256, pipelining: 1 } });
    await app.listen({ port: 0, host });
    return app.server.address().port;
  },
  httpxy: async (backend) => {
    const [{ createProxyServer }, { Agent }] = [await import('httpxy'), await import('node:http')];
    const proxy = createProxyServer({ target: backend, agent: new Agent({ keepAlive: true, maxSockets: 256 }), xfwd: true });
    return listen(createServer((request, response) => void proxy.web(request, response).catch(() => response.destroy())));
  },
  'http-proxy-3': async (backend) => {
    const [{ createProxyServer }, { Agent }] = [await import('http-proxy-3'), await import('node:http')];
    const proxy = createProxyServer({ target: backend, agent: new Agent({ keepAlive: true, maxSockets: 256 }), xfwd: true });
    proxy.on('error', (error, request, response) => response.destroy());
    return listen(createServer((request, response) => proxy.web(request, response)));
  },

  express: async () => listen(createServer(await express())),
  'express, express-rate-limit': async () => {
    const { rateLimit } = await import('express-rate-limit');
    return listen(createServer(await express(rateLimit({ windowMs: 60_000, limit: 1_000_000_000, standardHeaders: 'draft-8' }))));
  },
  'express, premier': async () => (await premier()).inFrontOf(await express(), 'limit'),
  'express, premier/express': async () => listen(createServer(await express(await (await premier()).routeLimit('express')))),
  fastify: async () => serveFastify(await fastify()),
  'fastify, premier/fastify': async () => serveFastify(await fastify(await (await premier()).routeLimit('fastify'))),
  'fastify, premier': async () => {
    const app = await fastify();
    await app.ready();
    return (await premier()).inFrontOf(app.routing, 'limit');
  },
  hono: async () => serveHono(await hono()),
  'hono, premier/hono': async () => serveHono(await hono(await (await premier()).routeLimit('hono'))),
  'hono, premier': async () => {
    const [app, { getRequestListener }] = [await hono(), await import('@hono/node-server')];
    return (await premier()).inFrontOf(getRequestListener(app.fetch), 'limit');
  },
  'hono, premier in front of its fetch': async () => (await premier()).inFrontOf(await hono(), 'limit'),
};
