import type { IncomingMessage, ServerResponse } from 'node:http';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { type Config, type Controls, controlled, fieldsOf, refusalOf, routeForms } from './middleware.js';

/** A middleware of Express, of connect, and of whatever calls `(request, response, next)`. */
export type Handler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** A middleware for errors. */
export type ErrorHandler = (error: unknown, request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** A gateway in front of all that is added to the app after it. Throws `ConfigError` when its configuration is bad. */
export function gateway(config: Config, options?: MiddlewareOptions): Handler & Controls {
  const middleware = new Middleware(config, options);
  const handler: Handler = (request, response, next) => middleware.handle(request, response, () => next(), next);
  return controlled(handler, middleware);
}

/** Several of the gateway's features around one route, or around all that is added after it. */
export function policies(features: RouteFeatures, options?: RouteOptions): Handler {
  const route = new RoutePolicies(features, options);
  return (request, response, next) => route.handle(request, response, () => next());
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
