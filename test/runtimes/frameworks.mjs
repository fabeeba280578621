// The adapters of frameworks whose servers are those of `node:http`.
import assert from 'node:assert/strict';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import * as forExpress from 'premier/express';
import * as forFastify from 'premier/fastify';
import * as forKoa from 'premier/koa';
import { check, open } from './harness.mjs';

const config = { log: { level: 'silent' }, paths: [{ pattern: '/kept', features: { cache: { expireS: 60 } } }] };
const limit = { quota: 1, duration: '1m' };

/** `/kept` is behind the gateway, `/search` has a limit of its own. */
async function behaves(url) {
  for (let i = 0; i < 2; i++) assert.equal(await (await fetch(`${url}/kept`)).text(), '1');
  assert.deepEqual([(await fetch(`${url}/search`)).status, (await fetch(`${url}/search`)).status], [200, 429]);
}

check('express: the gateway as a middleware, a limit for one route', async (undo) => {
  const app = express();
  const edge = forExpress.gateway(config);
  undo(() => edge.close({ grace: 0 }));
  app.use(edge);
  let runs = 0;
  app.get('/kept', (_request, response) => void response.send(String(++runs)));
  app.get('/search', forExpress.rateLimit(limit), (_request, response) => void response.send('found'));
  await behaves(await open(undo, app));
});

check('koa: the gateway as a middleware, a limit for one route', async (undo) => {
  const app = new Koa();
  const edge = forKoa.gateway(config);
  undo(() => edge.close({ grace: 0 }));
  app.use(edge);
  let runs = 0;
  const limited = forKoa.rateLimit(limit);
  app.use((context, next) => (context.path === '/search' ? limited(context, next) : next()));
  app.use((context) => void (context.body = String(++runs)));
  await behaves(await open(undo, app.callback()));
});

check('fastify: the gateway as a plugin, a limit for one route', async (undo) => {
  const app = fastify();
  undo(() => app.close());
  await app.register(forFastify.gateway, { config });
  let runs = 0;
  app.get('/kept', async () => String(++runs));
  app.get('/search', { onRequest: forFastify.rateLimit(limit) }, async () => 'found');
  await behaves(await app.listen({ port: 0, host: '127.0.0.1' }));
});
