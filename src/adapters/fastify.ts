import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { type Config, fieldsOf, refusalOf, routeForms } from './middleware.js';

interface Raw<T> {
  readonly raw: T;
}

/** A hook for `onRequest`, of a route or of a whole scope. */
export type RequestHook = (request: Raw<IncomingMessage>, reply: Raw<ServerResponse>, done: (error?: Error) => void) => void;

/** What is needed of a Fastify instance. */
export interface FastifyScope {
  readonly server: unknown;
  hasDecorator(name: string): boolean;
  decorate(name: string, value: unknown): unknown;
  addHook(name: 'onRequest', hook: RequestHook): unknown;
  addHook(name: 'onClose', hook: () => Promise<void>): unknown;
}

/** What the plugin takes: the configuration, and what `createGateway` takes beside it. */
export interface PluginOptions extends MiddlewareOptions {
  readonly config: Config;
}

/**
 * A plugin: a gateway in front of the scope that registers it, and of the server's WebSockets. It is there as `app.premier`, and closes with the
 * app. Registering it rejects with `ConfigError` when the configuration is bad.
 */
export async function gateway(app: FastifyScope, { config, ...options }: PluginOptions): Promise<void> {
  const middleware = new Middleware(config, options);
  const built = await middleware.gateway;
  if (!app.hasDecorator('premier')) app.decorate('premier', built);
  app.addHook('onRequest', (request, reply, done) => {
    middleware.handle(
      request.raw,
      reply.raw,
      () => done(),
      (error) => done(error as Error),
    );
  });
  app.addHook('onClose', () => middleware.close());
  await middleware.attach(app.server as Server);
}

// As `fastify-plugin` does: the hook is of the scope that registers it, not of one of its own.
Object.assign(gateway, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'premier' });

/** Several of the gateway's features around one route: `{ onRequest: policies({ … }) }`. */
export function policies(features: RouteFeatures, options?: RouteOptions): RequestHook {
  const route = new RoutePolicies(features, options);
  return (request, reply, done) => route.handle(request.raw, reply.raw, () => done());
}

export const { rateLimit, cache, circuitBreaker } = routeForms(policies);

/** What is needed of a reply to answer an error. */
export interface ErrorReply {
  code(status: number): ErrorReply;
  header(name: string, value: string): ErrorReply;
  send(body: unknown): unknown;
}

/** For `setErrorHandler`: answers the errors of Premier's decorators, 429, 503 and 504 with `Retry-After`; all others go on. */
export function errors(error: unknown, _request: unknown, reply: ErrorReply): unknown {
  const refusal = refusalOf(error);
  if (refusal === undefined) return reply.send(error);
  for (const [name, value] of fieldsOf(refusal)) reply.header(name, value);
  return reply.code(refusal.status).send(refusal.body);
}
