import type { IncomingMessage, ServerResponse } from 'node:http';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { askerFrom, type AskerOptions } from './asker.js';
import { type Config, type Controls, controlled, fieldsOf, type Known, refusalOf, routeForms } from './middleware.js';

declare global {
  // The place that Express has for what middlewares add to its request.
  namespace Express {
    interface Request {
      /** What the gateway knows of the request, once it has let it pass. */
      premier?: Known;
    }
  }
}

/** A middleware of Express, of connect, and of whatever calls `(request, response, next)`. */
export type Handler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** A middleware for errors. */
export type ErrorHandler = (error: unknown, request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

type Asked = IncomingMessage & Express.Request;

/** Who asks, by Express' request. */
export type Asking = AskerOptions<Asked>;

/** A gateway in front of all that is added to the app after it. Throws `ConfigError` when its configuration is bad. */
export function gateway(config: Config, { client, consumer, ...options }: MiddlewareOptions & Asking = {}): Handler & Controls {
  const middleware = new Middleware(config, options);
  const askerOf = askerFrom({ client, consumer }, clientOf);
  const handler: Handler = (request, response, next) => {
    const goOn = (premier: Known): void => next(void Object.assign(request, { premier }));
    middleware.handle(request, response, goOn, next, askerOf(request));
  };
  return controlled(handler, middleware);
}

/** The client's address, where `trust proxy` tells Express whom to believe. */
function clientOf(
  request: IncomingMessage & { readonly app?: { enabled?(setting: string): boolean }; readonly ip?: string },
): string | undefined {
  return request.app?.enabled?.('trust proxy') === true ? request.ip : undefined;
}

/** Several of the gateway's features around one route, or around all that is added after it. */
export function policies(features: RouteFeatures, { client, consumer, ...options }: RouteOptions & Asking = {}): Handler {
  const route = new RoutePolicies(features, options);
  const askerOf = askerFrom({ client, consumer }, clientOf);
  return (request, response, next) => route.handle(request, response, () => next(), askerOf(request));
}

export const { rateLimit, cache, circuitBreaker } = routeForms(policies);

/** Answers the errors of Premier's decorators: 429, 503 and 504 with `Retry-After`. Add it last; all other errors go on. */
export function errors(): ErrorHandler {
  return (error, _request, response, next) => {
    const refusal = refusalOf(error);
    if (refusal === undefined || response.headersSent) return next(error);
    for (const [name, value] of fieldsOf(refusal)) response.setHeader(name, value);
    response.statusCode = refusal.status;
    response.end(refusal.body);
  };
}
