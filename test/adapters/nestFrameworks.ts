import 'reflect-metadata';
import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { All, Catch, Controller, type ExceptionFilter, Module, Req, Res } from '@nestjs/common';
import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import express from 'express';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as onExpress from '../../src/adapters/express.js';
import * as onFastify from '../../src/adapters/fastify.js';
import type { Config } from '../../src/adapters/middleware.js';
import { PremierFilter } from '../../src/adapters/nestjs/index.js';
import { type Framework, type Open, quiet, type Reply, routesOf, send, type Shop, userOf } from './shop.js';

/** A module with one controller, which answers what `answer` does, and a filter for errors that are not Premier's. */
function moduleOf<Request, Response>(answer: (request: Request, response: Response) => Promise<void>, fail: (response: Response) => void) {
  class ShopController {
    handle(request: Request, response: Response): Promise<void> {
      return answer(request, response);
    }
  }
  Req()(ShopController.prototype, 'handle', 0);
  Res()(ShopController.prototype, 'handle', 1);
  All('*')(ShopController.prototype, 'handle', Object.getOwnPropertyDescriptor(ShopController.prototype, 'handle') as never);
  Controller()(ShopController);

  class OwnErrors implements ExceptionFilter {
    catch(_error: unknown, host: { switchToHttp(): { getResponse<T>(): T } }): void {
      fail(host.switchToHttp().getResponse<Response>());
    }
  }
  Catch()(OwnErrors);

  class ShopModule {}
  Module({ controllers: [ShopController] })(ShopModule);
  return { module: ShopModule, filter: new OwnErrors() };
}

const asked = (shop: Shop, method: string, path: string) => routesOf(shop).find((route) => route[0] === method && route[1] === path)?.[2];

async function opened(t: TestContext, app: NestExpressApplication | NestFastifyApplication): Promise<Open> {
  await app.listen(0, '127.0.0.1');
  t.after(() => app.close());
  const server: Server = app.getHttpServer();
  if (!server.listening) await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export const nestOnExpress: Framework = async (t, shop) => {
  const answer = async (request: express.Request, response: express.Response): Promise<void> => {
    const body = typeof request.body === 'string' ? request.body : '';
    const reply: Reply = (await asked(shop, request.method, request.path)?.answer(body, request.premier)) ?? {
      status: 404,
      body: 'nothing',
    };
    send(response, reply);
  };
  const { module, filter } = moduleOf(answer, (response) => void response.status(500).send('its own'));
  const app = await NestFactory.create<NestExpressApplication>(module, new ExpressAdapter(), { logger: false, bodyParser: false });
  if (shop.behindProxy === true) app.set('trust proxy', 1);
  app.use((_request: IncomingMessage, response: express.Response, next: () => void) => {
    response.setHeader('X-Before', String(Math.random()));
    next();
  });
  const parser = express.text({ type: '*/*' });
  if (shop.parsesFirst === true) app.use(parser);
  const control = shop.config === undefined ? undefined : onExpress.gateway(shop.config, { logger: quiet, ...shop.options });
  if (control !== undefined) app.use(shop.prefix ?? '/', control);
  if (shop.inner !== undefined) app.use(onExpress.gateway(shop.inner, { logger: quiet }));
  if (shop.parsesFirst !== true) app.use(parser);
  for (const [, path, { policies }] of routesOf(shop))
    if (policies !== undefined) app.use(path, onExpress.policies(policies, { logger: quiet, ...shop.route, consumer: userOf(shop) }));
  app.useGlobalFilters(filter, new PremierFilter(app.get(HttpAdapterHost)));
  await control?.attach(app.getHttpServer());
  return opened(t, app);
};

/** Nest's routes are all in one scope of Fastify: a gateway for a part of them names it by a pattern. */
function below({ config, prefix }: Shop): Config | undefined {
  if (prefix === undefined) return config;
  const { default_features: features } = config as { default_features: object };
  return { paths: [{ pattern: `${prefix}/*`, features }] };
}

export const nestOnFastify: Framework = async (t, shop) => {
  const answer = async (request: FastifyRequest, response: FastifyReply): Promise<void> => {
    const body = typeof request.body === 'string' ? request.body : '';
    const path = request.url.split('?')[0] as string;
    const reply: Reply = (await asked(shop, request.method, path)?.answer(body, request.premier ?? undefined)) ?? {
      status: 404,
      body: 'nothing',
    };
    await response
      .status(reply.status ?? 200)
      .headers(reply.headers ?? {})
      .send(reply.body);
  };
  const { module, filter } = moduleOf(answer, (response) => void response.status(500).send('its own'));
  const adapter = new FastifyAdapter({ trustProxy: shop.behindProxy === true && 'loopback' });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: false, bodyParser: false });
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  fastify.addHook('onRequest', async (_request, reply) => void reply.header('X-Before', String(Math.random())));
  const config = below(shop);
  if (config !== undefined) await app.register(onFastify.gateway, { config, logger: quiet, ...shop.options });
  if (shop.inner !== undefined) await app.register(onFastify.gateway, { config: shop.inner, logger: quiet });
  for (const [, path, { policies }] of routesOf(shop)) {
    if (policies === undefined) continue;
    const hook = onFastify.policies(policies, { logger: quiet, ...shop.route, consumer: userOf(shop) });
    fastify.addHook('onRequest', async function (request, reply) {
      if (request.url.split('?')[0] === path) await hook.call(this, request, reply);
    });
  }
  app.useGlobalFilters(filter, new PremierFilter(app.get(HttpAdapterHost)));
  return opened(t, app);
};
