import type { Server } from 'node:http';
import { PremierError } from '../core/errors.js';
import type { GatewayConfig } from '../gateway/config/gatewayConfig.js';
import type { GatewayOptions } from '../gateway/config/gatewayOptions.js';
import type { Gateway } from '../gateway/gateway.js';
import type { Middleware } from '../gateway/middleware.js';
import type { RouteFeatures } from '../gateway/routePolicies.js';
import type { Answer, Exchange } from '../http/exchange.js';
import { answerOf, problemOf } from '../http/problem.js';

/** A configuration: a file, an object, or one that was read already. */
export type Config = string | GatewayConfig | GatewayOptions;

/**
 * What the gateway knows of a request that it has let pass: `request.premier` in Express and Fastify, `ctx.state.premier` in Koa, `c.var.premier`
 * in Hono.
 */
export type Known = Pick<Exchange, 'client' | 'correlationId' | 'pattern' | 'consumer'>;

/** Whether a whole gateway stands behind it: the policies of one route know no ids. */
export function isKnown({ correlationId }: Known): boolean {
  return correlationId !== '';
}

/** What a gateway in the middle of an app can be told. */
export interface Controls {
  /** The gateway, once it is built: its metrics, circuits and cached answers. */
  readonly gateway: Promise<Gateway>;
  /** Has the server's WebSockets go through the gateway too, on Node; both close together. */
  attach(server: Server): Promise<void>;
  /** Takes over another configuration, or its file anew. */
  reload(config?: Config): Promise<void>;
  close(): Promise<void>;
}

/** A framework's middleware with the controls of the gateway in it. */
export function controlled<Run extends object>(run: Run, middleware: Middleware): Run & Controls {
  return Object.assign(run, {
    gateway: middleware.gateway,
    attach: (server: Server) => middleware.attach(server),
    reload: (config?: Config) => middleware.reload(config),
    close: () => middleware.close(),
  });
}

/** The policies that most routes need, by their names. */
export interface RouteForms<Form, Options> {
  /** So many requests for each caller: the gateway's `rate_limit`. */
  readonly rateLimit: (feature: NonNullable<RouteFeatures['rateLimit']>, options?: Options) => Form;
  /** Keeps answers (RFC 9111): the gateway's `cache`. */
  readonly cache: (feature?: NonNullable<RouteFeatures['cache']>, options?: Options) => Form;
  /** Answers 503 while the route fails too often: the gateway's `circuit_breaker`. */
  readonly circuitBreaker: (feature?: NonNullable<RouteFeatures['circuitBreaker']>, options?: Options) => Form;
}

/** Makes them of what puts several features around a route. */
export function routeForms<Form, Options>(policies: (features: RouteFeatures, options?: Options) => Form): RouteForms<Form, Options> {
  return {
    rateLimit: (rateLimit, options) => policies({ rateLimit }, options),
    cache: (cache = {}, options) => policies({ cache }, options),
    circuitBreaker: (circuitBreaker = {}, options) => policies({ circuitBreaker }, options),
  };
}

/** What a client is told of an error of Premier's decorators: 429, 503 or 504, with `Retry-After`. Nothing for any other error. */
export function refusalOf(error: unknown): (Answer & { readonly body: Uint8Array }) | undefined {
  return error instanceof PremierError && error.statusCode !== 500 ? answerOf(problemOf(error), '') : undefined;
}

/** A refusal's fields one by one. */
export function* fieldsOf({ headers }: Answer): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i < headers.length; i += 2) yield [headers[i] as string, headers[i + 1] as string];
}
