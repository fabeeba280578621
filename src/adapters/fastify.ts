import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import type { Gateway } from '../gateway/gateway.js';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { askerFrom, type AskerOptions } from './asker.js';
import { type Config, fieldsOf, isKnown, type Known, refusalOf, routeForms } from './middleware.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The gateway in front of this scope. */
    premier: Gateway;
  }
  interface FastifyRequest {
    /** What the gateway knows of the request, once it has let it pass. */
    premier: Known | null;
  }
}

/** Who asks, by Fastify's request. */
export type Asking = AskerOptions<FastifyRequest>;

/** What the plugin takes: the configuration, and what `createGateway` takes beside it. */
export interface PluginOptions extends MiddlewareOptions, Asking {
  readonly config: Config;
}

/**
 * A plugin: a gateway in front of the scope that registers it, and of the server's WebSockets. It is there as `app.premier`, and closes with the
 * app. Registering it rejects with `ConfigError` when the configuration is bad.
 */
export async function gateway(app: FastifyInstance, { config, client, consumer, ...options }: PluginOptions): Promise<void> {
  const middleware = new Middleware(config, options);
  const built = await middleware.gateway;
  if (!app.hasDecorator('premier')) app.decorate('premier', built);
  if (!app.hasRequestDecorator('premier')) app.decorateRequest('premier', null);
  const run = around((...given) => middleware.handle(...given), { client, consumer });
  app.addHook('onRequest', run);
  app.addHook('onClose', () => middleware.close());
  await middleware.attach(app.server);
}

// As `fastify-plugin` does: the hook is of the scope that registers it, not of one of its own.
Object.assign(gateway, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'premier' });

/** Fastify keeps the fields that earlier hooks have set to itself until it answers: they are lent to Node's response for answers of the gateway. */
function around(run: Middleware['handle'], options: Asking): onRequestAsyncHookHandler {
  const askerOf = askerFrom(options, clientOf);
  return (request, reply) =>
    new Promise((resolve, reject) => {
      const { raw } = reply;
      const lent = Object.keys(reply.getHeaders()).filter((name) => reply.hasHeader(name));
      for (const name of lent) raw.setHeader(name, reply.getHeader(name) as string);
      const goOn = (known: Known): void => {
        for (const name of lent) raw.removeHeader(name);
        if (isKnown(known)) request.premier = known;
        resolve(undefined);
      };
      run(request.raw, raw, goOn, reject, askerOf(request));
    });
}

/** The client's address, where Fastify was told what proxies to trust. */
const clientOf = ({ ips, ip }: FastifyRequest): string | undefined => (ips === undefined ? undefined : ip);

/** Several of the gateway's features around one route: `{ onRequest: policies({ … }) }`. */
export function policies(features: RouteFeatures, { client, consumer, ...options }: RouteOptions & Asking = {}): onRequestAsyncHookHandler {
  const route = new RoutePolicies(features, options);
  return around((request, response, next, _failed, asker) => route.handle(request, response, next, asker), { client, consumer });
}

export const { rateLimit, cache, circuitBreaker } = routeForms(policies);

/** For `setErrorHandler`: answers the errors of Premier's decorators, 429, 503 and 504 with `Retry-After`; all others go on. */
export function errors(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalOf(error);
  if (refusal === undefined) return reply.send(error);
  for (const [name, value] of fieldsOf(refusal)) reply.header(name, value);
  return reply.code(refusal.status).send(refusal.body);
}
