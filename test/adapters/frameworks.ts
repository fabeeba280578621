import { createRequire } from 'node:module';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import * as onExpress from '../../src/adapters/express.js';
import * as onFastify from '../../src/adapters/fastify.js';
import * as onHono from '../../src/adapters/hono.js';
import * as onKoa from '../../src/adapters/koa.js';
import type { Config, Known } from '../../src/adapters/middleware.js';
import { nestOnExpress, nestOnFastify } from './nestFrameworks.js';
import { attached, type Framework, listening, quiet, routesOf, send, type Shop, userOf } from './shop.js';

/** An Express of either major version. */
function expressWith(make: typeof express): Framework {
  return async (t, shop) => {
    const app = make();
    if (shop.behindProxy === true) app.set('trust proxy', 1);
    app.use((_request, response, next) => {
      response.setHeader('X-Before', String(Math.random()));
      next();
    });
    const parser = make.text({ type: '*/*' });
    if (shop.parsesFirst === true) app.use(parser);
    const control = shop.config === undefined ? undefined : onExpress.gateway(shop.config, { logger: quiet, ...shop.options });
    if (control !== undefined) app.use(shop.prefix ?? '/', control);
    if (shop.inner !== undefined) app.use(onExpress.gateway(shop.inner, { logger: quiet }));
    if (shop.parsesFirst !== true) app.use(parser);
    for (const [method, path, { policies, answer }] of routesOf(shop)) {
      const before = policies === undefined ? [] : [onExpress.policies(policies, { logger: quiet, ...shop.route, consumer: userOf(shop) })];
      const act = method === 'GET' ? app.get.bind(app) : app.post.bind(app);
      act(path, ...before, (request: express.Request, response: express.Response, next: express.NextFunction) => {
        Promise.resolve()
          .then(() => answer(typeof request.body === 'string' ? request.body : '', request.premier))
          .then((reply) => send(response, reply), next);
      });
    }
    app.use(onExpress.errors());
    app.use((_error: unknown, _request: unknown, response: express.Response, _next: unknown) => void response.status(500).send('its own'));
    return attached(t, await listening(t, createServer(app)), control);
  };
}

const koa: Framework = async (t, shop) => {
  const app = new Koa();
  app.silent = true;
  app.proxy = shop.behindProxy === true;
  app.maxIpsCount = 1;
  app.use(async (context, next) => {
    context.set('X-Before', String(Math.random()));
    try {
      await next();
    } catch {
      context.status = 500;
      context.body = 'its own';
    }
  });
  app.use(onKoa.errors());
  const parser: Koa.Middleware = async (context, next) => {
    if (context.state['body'] === undefined && context.method === 'POST') {
      context.state['body'] = await text(context.req);
      Object.assign(context.req, { body: context.state['body'] });
    }
    await next();
  };
  if (shop.parsesFirst === true) app.use(parser);
  const control = shop.config === undefined ? undefined : onKoa.gateway(shop.config, { logger: quiet, ...shop.options });
  if (control !== undefined) app.use((context, next) => (context.path.startsWith(shop.prefix ?? '/') ? control(context, next) : next()));
  if (shop.inner !== undefined) app.use(onKoa.gateway(shop.inner, { logger: quiet }));
  app.use(parser);
  for (const [method, path, { policies, answer }] of routesOf(shop)) {
    const around =
      policies === undefined
        ? undefined
        : onKoa.policies(policies, { logger: quiet, ...shop.route, consumer: ({ req }) => userOf(shop)(req) });
    app.use(async (context, next) => {
      if (context.path !== path || context.method !== method) return next();
      const handle = async (): Promise<void> => {
        const { status = 200, headers = {}, body } = await answer(String(context.state['body'] ?? ''), context.state['premier'] as Known);
        context.status = status;
        for (const [name, value] of Object.entries(headers)) context.set(name, value);
        context.body = body;
      };
      await (around === undefined ? handle() : around(context, handle));
    });
  }
  return attached(t, await listening(t, createServer(app.callback())), control);
};

const onFastifyShop: Framework = async (t, shop) => {
  const app = fastify({ trustProxy: shop.behindProxy === true && 'loopback' });
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.header('X-Before', String(Math.random()));
    done();
  });
  app.setErrorHandler<FastifyError>((error, request, reply) =>
    error.code?.startsWith('PREMIER') ? onFastify.errors(error, request, reply) : reply.code(500).send('its own'),
  );
  const scope = async (inner: FastifyInstance): Promise<void> => {
    if (shop.config !== undefined) await inner.register(onFastify.gateway, { config: shop.config, logger: quiet, ...shop.options });
    if (shop.inner !== undefined) await inner.register(onFastify.gateway, { config: shop.inner, logger: quiet });
    for (const [method, path, { policies, answer }] of routesOf(shop)) {
      if (shop.prefix !== undefined && !path.startsWith(shop.prefix)) continue;
      inner.route({
        method,
        url: path.slice((shop.prefix ?? '').length),
        ...(policies && { onRequest: onFastify.policies(policies, { logger: quiet, ...shop.route, consumer: userOf(shop) }) }),
        handler: async (request, reply) => {
          const {
            status = 200,
            headers = {},
            body,
          } = await answer(typeof request.body === 'string' ? request.body : '', request.premier ?? undefined);
          return reply.code(status).headers(headers).send(body);
        },
      });
    }
    if (shop.prefix === undefined) inner.get('/*', (_request, reply) => void reply.code(404).send('nothing'));
  };
  await app.register(scope, shop.prefix === undefined ? {} : { prefix: shop.prefix });
  for (const [method, path, { answer }] of shop.prefix === undefined ? [] : routesOf(shop))
    if (!path.startsWith(shop.prefix as string))
      app.route({ method, url: path, handler: async (_request, reply) => reply.send((await answer('', undefined)).body) });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  return { server: app.server, url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` };
};

const hono: Framework = async (t, shop) => {
  const app = new Hono();
  app.use(async (context, next) => {
    context.header('X-Before', String(Math.random()));
    await next();
  });
  const parser = async (context: { req: { method: string; text(): Promise<string> } }, next: () => Promise<void>): Promise<void> => {
    if (context.req.method === 'POST') await context.req.text();
    await next();
  };
  if (shop.parsesFirst === true) app.use(parser);
  const control = shop.config === undefined ? undefined : onHono.gateway(believing(shop), { logger: quiet, ...shop.options });
  if (control !== undefined) app.use(`${shop.prefix ?? ''}/*`, control);
  if (shop.inner !== undefined) app.use(onHono.gateway(shop.inner, { logger: quiet }));
  for (const [method, path, { policies, answer }] of routesOf(shop)) {
    if (policies !== undefined)
      app.use(
        path,
        onHono.policies(policies, {
          logger: quiet,
          ...shop.route,
          consumer: ({ env }) => userOf(shop)((env as { incoming: IncomingMessage }).incoming),
        }),
      );
    app.on(method, path, async (context) => {
      const { status = 200, headers = {}, body } = await answer(method === 'POST' ? await context.req.text() : '', context.var.premier);
      return context.body(typeof body === 'string' ? body : (Readable.toWeb(body) as ReadableStream), status as 200, headers);
    });
  }
  app.onError((error) => onHono.refusal(error) ?? new Response('its own', { status: 500 }));
  const server = await new Promise<Server>((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made)) as Server;
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const open = { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  return attached(t, open, control);
};

/** The configuration of a shop that has nobody else to tell it what proxies to believe. */
const believing = ({ config, behindProxy }: Shop): Config =>
  behindProxy === true ? { ...(config as object), trusted_proxies: ['loopback'] } : (config as Config);

const plain: Framework = async (t, shop) => {
  const control = shop.config === undefined ? undefined : onExpress.gateway(believing(shop), { logger: quiet, ...shop.options });
  const errors = onExpress.errors();
  const second = shop.inner === undefined ? undefined : onExpress.gateway(shop.inner, { logger: quiet });
  const route = new Map(
    routesOf(shop).map(([method, path, { policies, answer }]) => [
      `${method} ${path}`,
      { answer, around: policies && onExpress.policies(policies, { logger: quiet, ...shop.route, consumer: userOf(shop) }) },
    ]),
  );
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    response.setHeader('X-Before', String(Math.random()));
    const fail = (error: unknown): void => errors(error, request, response, () => send(response, { status: 500, body: 'its own' }));
    const parsed = async (): Promise<string> => {
      const known = (request as { body?: string }).body;
      if (known !== undefined || request.method !== 'POST') return known ?? '';
      return ((request as { body?: string }).body = await text(request));
    };
    const last = (): void => {
      if (second === undefined) latter();
      else second(request, response, latter);
    };
    const latter = (): void => {
      const found = route.get(`${request.method} ${(request.url as string).split('?')[0]}`);
      if (found === undefined) return send(response, { status: 404, body: 'nothing' });
      const handle = (): void =>
        void parsed()
          .then((body) => found.answer(body, (request as { premier?: Known }).premier))
          .then((reply) => send(response, reply), fail);
      if (found.around === undefined) handle();
      else found.around(request, response, handle);
    };
    const inner = (): void =>
      control !== undefined && (request.url as string).startsWith(shop.prefix ?? '/') ? control(request, response, last) : last();
    if (shop.parsesFirst === true) void parsed().then(inner);
    else inner();
  };
  return attached(t, await listening(t, createServer(listener)), control);
};

export const frameworks: Readonly<Record<string, Framework>> = {
  'Express 5': expressWith(express),
  'Express 4': expressWith(createRequire(import.meta.url)('express4') as typeof express),
  Koa: koa,
  Fastify: onFastifyShop,
  Hono: hono,
  'node:http': plain,
  'NestJS on Express': nestOnExpress,
  'NestJS on Fastify': nestOnFastify,
};
